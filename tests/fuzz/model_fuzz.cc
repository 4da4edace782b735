// Any bytes as MODEL.
#include "tests/fuzz/codec_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzModelSection(data, size));
  return 0;
}
