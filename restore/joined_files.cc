#include "restore/joined_files.h"

#include <algorithm>
#include <utility>

#include "vault/file_reading.h"

namespace modelvault {

JoinedFiles::JoinedFiles(std::vector<std::unique_ptr<RandomAccessFile>> files, std::string path)
    : files_(std::move(files)), begins_({0}), path_(std::move(path)) {
  for (const auto& file : files_) begins_.push_back(begins_.back() + file->size());
}

absl::Status JoinedFiles::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  if (absl::Status status = CheckRange(path_, offset, out.size(), size()); !status.ok()) return status;
  // The last that begins at or before the offset: empty ones before it have nothing to read.
  size_t i = static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), offset) - begins_.begin()) - 1;
  for (; !out.empty(); ++i) {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(out.size(), begins_[i + 1] - offset));
    if (absl::Status status = files_[i]->ReadAt(offset - begins_[i], out.first(count)); !status.ok()) return status;
    out.remove_prefix(count);
    offset += count;
  }
  return absl::OkStatus();
}

}  // namespace modelvault
