#include "tools/demo/float_file.h"

#include <bit>
#include <memory>

namespace modelvault::demo {

// Tensors are little-endian in the file and copied as they are in memory.
static_assert(std::endian::native == std::endian::little);

absl::StatusOr<uint64_t> WriteFloatFile(FileSystem& file_system, const std::string& path,
                                        absl::Span<const TensorValues> tensors, const SafetensorsMetadata& metadata) {
  std::vector<ModelTensor> described;
  for (const TensorValues& tensor : tensors) described.push_back(tensor.tensor);
  const absl::StatusOr<std::string> header = SafetensorsHeaderFor(described, metadata);
  if (!header.ok()) return header.status();
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system.CreateAtomic(path);
  if (!file.ok()) return file.status();
  // Append's first failure sticks and Commit returns it.
  (*file)->Append({reinterpret_cast<const uint8_t*>(header->data()), header->size()}).IgnoreError();
  for (const TensorValues& tensor : tensors) {
    (*file)
        ->Append({reinterpret_cast<const uint8_t*>(tensor.values->data()), tensor.values->size() * sizeof(float)})
        .IgnoreError();
  }
  const uint64_t size = (*file)->size();
  if (absl::Status status = (*file)->Commit(); !status.ok()) return status;
  return size;
}

}  // namespace modelvault::demo
