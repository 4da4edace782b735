// Any bytes as MODEL, layout, chunks and segments of a variant.
#include "tests/fuzz/restore_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzVariantStream(data, size));
  return 0;
}
