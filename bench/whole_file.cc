#include "bench/whole_file.h"

#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
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
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return absl::UnavailableError(absl::StrCat("cannot create ", path));
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  if (std::fclose(file) != 0 || !written) return absl::UnavailableError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

}  // namespace modelvault::bench
