// Any bytes as a frame that describes itself.
#include "tests/fuzz/frame_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzDescribedFrame(data, size));
  return 0;
}
