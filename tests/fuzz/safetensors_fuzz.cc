// Any bytes as a safetensors file. What is accepted must keep the parser's promises: tensors that cover the data
// section exactly, and a description that the header writer can express and the parser reads back the same.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/vault/memory_file.h"
#include "tools/formats/safetensors.h"

namespace {

void Check(bool promise) {
  if (!promise) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using modelvault::SafetensorsFile;
  using modelvault::TensorInfo;

  const absl::StatusOr<SafetensorsFile> file =
      SafetensorsFile::FromFile(std::make_unique<modelvault::MemoryFile>(std::vector<uint8_t>(data, data + size)));
  if (!file.ok()) {
    Check(file.status().code() == absl::StatusCode::kInvalidArgument);
    Check(file.status().message().size() < 4000);
    return 0;
  }
  uint64_t covered = 0;
  for (const TensorInfo& tensor : file->tensors()) {
    Check(tensor.begin == covered && tensor.end >= tensor.begin);
    covered = tensor.end;
  }
  Check(covered == file->data_size());
  Check(file->data_offset() + covered == size);

  const absl::StatusOr<std::string> header = modelvault::SafetensorsHeaderFor(file->tensors(), file->metadata());
  Check(header.ok());
  const auto again = modelvault::ParseSafetensorsHeader(
      absl::Span<const uint8_t>(reinterpret_cast<const uint8_t*>(header->data()), header->size()), covered, "again");
  Check(again.ok() && again->tensors == file->tensors() && again->metadata == file->metadata());
  return 0;
}
