// Any bytes as a tokenizer, and any text.
#include "tests/fuzz/infer_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzTokenizer(data, size));
  return 0;
}
