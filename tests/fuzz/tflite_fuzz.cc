// Any bytes as a TensorFlow Lite model. What is accepted is put together again from its frame and its data; of what is
// not it is told where.
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "tests/fuzz/format_targets.h"
#include "tools/formats/tflite/tflite_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const modelvault::TfliteFormat kFormat;
  const std::vector<uint8_t> bytes(data, data + size);
  const absl::Status refused = modelvault::FuzzModelFile(kFormat, bytes);
  modelvault::Check(refused.ok() || absl::StrContains(refused.message(), " at offset ") ||
                    absl::StrContains(refused.message(), " bytes are too short for a root table"));
  if (size > 0) static_cast<void>(kFormat.ReadQuantisation(modelvault::MemoryFile(bytes), {}));
  return 0;
}
