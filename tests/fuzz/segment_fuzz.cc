// Any bytes as a segment of a variant, of any MODEL and layout.
#include "tests/fuzz/codec_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzSegment(data, size));
  return 0;
}
