// Any bytes as a GGUF file.
#include "tests/fuzz/format_targets.h"
#include "tools/formats/gguf/gguf_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const modelvault::GgufFormat kFormat;
  static_cast<void>(modelvault::FuzzModelFile(kFormat, {data, data + size}));
  return 0;
}
