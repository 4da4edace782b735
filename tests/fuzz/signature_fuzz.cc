// Any bytes as SIGNATURE, of any vault.
#include "tests/fuzz/signature_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzSignature(data, size));
  return 0;
}
