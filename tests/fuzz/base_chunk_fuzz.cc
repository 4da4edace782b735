// Any bytes as a chunk of the base, of any MODEL.
#include "tests/fuzz/codec_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzBaseChunk(data, size));
  return 0;
}
