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
  using modelvault::ModelFile;
  using modelvault::ModelTensor;

  static const modelvault::SafetensorsFormat kFormat;
  const absl::StatusOr<ModelFile> file =
      ModelFile::FromFile(kFormat, std::make_unique<modelvault::MemoryFile>(std::vector<uint8_t>(data, data + size)));
  if (!file.ok()) {
    Check(file.status().code() == absl::StatusCode::kInvalidArgument);
    Check(file.status().message().size() < 4000);
    return 0;
  }
  uint64_t covered = 0;
  for (const ModelTensor& tensor : file->tensors()) {
    Check(tensor.begin == covered && tensor.end >= tensor.begin);
    covered = tensor.end;
  }
  Check(covered == file->data_size());
  Check(file->frame().size() + covered == size);

  const auto parse = [&](const std::string& header) {
    return modelvault::ParseSafetensorsHeader(
        absl::Span<const uint8_t>(reinterpret_cast<const uint8_t*>(header.data()), header.size()), covered, "again");
  };
  const auto first = parse(file->frame());
  Check(first.ok() && first->tensors == file->tensors());
  const absl::StatusOr<std::string> header = modelvault::SafetensorsHeaderFor(file->tensors(), first->metadata);
  Check(header.ok());
  const auto again = parse(*header);
  Check(again.ok() && again->tensors == file->tensors() && again->metadata == first->metadata);
  return 0;
}
