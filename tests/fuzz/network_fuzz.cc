// Any bytes as NETWORK, and any tensors that it may be of.
#include "tests/fuzz/infer_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(modelvault::FuzzNetwork(data, size));
  return 0;
}
