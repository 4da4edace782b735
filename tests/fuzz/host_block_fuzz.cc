// Any bytes as a block of the host codings.
#include "tests/fuzz/host_block_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzHostBlock(data, size));
  return 0;
}
