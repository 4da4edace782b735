#include "tools/formats/text_file.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"

namespace modelvault {

absl::StatusOr<std::string> ReadTextFile(FileSystem& file_system, const std::string& path, uint64_t most) {
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForRead(path);
  if (!file.ok()) return file.status();
  most = std::min<uint64_t>(most, SIZE_MAX);  // What a size_t and memory can take.
  if ((*file)->size() > most) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", (*file)->size(), " bytes, expected at most ", most));
  }
  std::string text(static_cast<size_t>((*file)->size()), '\0');
  if (auto s = (*file)->ReadAt(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()}); !s.ok()) return s;
  return text;
}

absl::Status WriteTextFile(FileSystem& file_system, const std::string& path, absl::string_view text) {
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system.CreateAtomic(path);
  if (!file.ok()) return file.status();
  const absl::Status status = (*file)->Append({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  return status.ok() ? (*file)->Commit() : status;
}

}  // namespace modelvault
