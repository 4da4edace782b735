#include "bench/whole_file.h"

#include <memory>

#include "absl/types/span.h"

namespace modelvault::bench {

absl::StatusOr<std::string> ReadWholeFile(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForRead(path);
  if (!file.ok()) return file.status();
  std::string bytes(static_cast<size_t>((*file)->size()), '\0');
  const absl::Status status =
      (*file)->ReadAt(0, absl::MakeSpan(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()));
  if (!status.ok()) return status;
  return bytes;
}

absl::Status WriteWholeFile(const std::string& path, absl::string_view bytes) {
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = FileSystem::Default().CreateAtomic(path, Durability::kNone);
  if (!file.ok()) return file.status();
  const absl::Status status = (*file)->Append({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  return status.ok() ? (*file)->Commit() : status;
}

}  // namespace modelvault::bench
