// Any bytes as a variant's layout.
#include "tests/fuzz/codec_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzLayout(data, size));
  return 0;
}
