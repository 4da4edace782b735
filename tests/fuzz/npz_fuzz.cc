// Any bytes as a file of the format npz.
#include "tests/fuzz/format_targets.h"
#include "tools/formats/archive/numpy_formats.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const modelvault::NpzFormat kFormat;
  static_cast<void>(modelvault::FuzzModelFile(kFormat, {data, data + size}));
  return 0;
}
