#include "tools/text_input.h"

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace modelvault {

absl::StatusOr<std::string> ReadText(FileSystem& file_system, const std::string& path, uint64_t most) {
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForRead(path);
  if (!file.ok()) return file.status();
  if ((*file)->size() > most) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", (*file)->size(), " bytes, expected at most ", most));
  }
  std::string text(static_cast<size_t>((*file)->size()), '\0');
  absl::Status status = (*file)->ReadAt(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  if (!status.ok()) return status;
  return text;
}

}  // namespace modelvault
