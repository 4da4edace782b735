// Any bytes as a TensorFlow Lite model. What is accepted is put together again from its frame and its data.
#include <memory>
#include <string>
#include <vector>

#include "tests/fuzz/format_targets.h"
#include "tools/formats/tflite/tflite_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const modelvault::TfliteFormat kFormat;
  const std::vector<uint8_t> bytes(data, data + size);
  static_cast<void>(modelvault::FuzzModelFile(kFormat, bytes));
  if (size > 0) static_cast<void>(kFormat.ReadQuantisation(modelvault::MemoryFile(bytes)));
  return 0;
}
