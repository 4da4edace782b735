// Any bytes as a vault, verified.
#include "tests/fuzz/restore_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzVaultFile(data, size));
  return 0;
}
