// Any bytes as a file of the format pytorch.
#include "tests/fuzz/format_targets.h"
#include "tools/formats/archive/torch_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const modelvault::TorchFormat kFormat;
  static_cast<void>(modelvault::FuzzModelFile(kFormat, {data, data + size}));
  return 0;
}
