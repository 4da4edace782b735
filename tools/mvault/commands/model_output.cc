#include "tools/mvault/commands/model_output.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace modelvault {

absl::StatusOr<ModelOutput> ModelOutput::Create(FileSystem& file_system, const std::string& path,
                                                std::vector<FilePart> files) {
  ModelOutput output;
  output.files_ = std::move(files);
  if (output.files_.empty()) {
    absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system.CreateAtomic(path);
    if (!file.ok()) return file.status();
    output.file_ = *std::move(file);
    return output;
  }
  absl::StatusOr<std::unique_ptr<AtomicFolder>> folder = AtomicFolder::Create(file_system, path);
  if (!folder.ok()) return folder.status();
  output.folder_ = *std::move(folder);
  return output;
}

// Finishes the file that has all its bytes, and starts the next that has any, with the empty ones before it.
absl::Status ModelOutput::StartFiles() {
  while (left_ == 0) {
    if (file_ != nullptr) {
      if (absl::Status status = file_->Commit(); !status.ok()) return status;
      file_.reset();
    }
    if (started_ == files_.size()) return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<AtomicFile>> next = folder_->CreateFile(files_[started_].path);
    if (!next.ok()) return next.status();
    file_ = *std::move(next);
    left_ = files_[started_++].size;
  }
  return absl::OkStatus();
}

absl::Status ModelOutput::Append(absl::Span<const uint8_t> bytes) {
  size_ += bytes.size();
  if (folder_ == nullptr) return file_->Append(bytes);
  while (!bytes.empty()) {
    if (absl::Status status = StartFiles(); !status.ok()) return status;
    if (file_ == nullptr) return absl::InternalError(absl::StrCat(bytes.size(), " bytes behind the model's last file"));
    const size_t count = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
    if (absl::Status status = file_->Append(bytes.first(count)); !status.ok()) return status;
    bytes.remove_prefix(count);
    left_ -= count;
  }
  return absl::OkStatus();
}

absl::Status ModelOutput::Commit() {
  if (folder_ == nullptr) return file_->Commit();
  if (absl::Status status = StartFiles(); !status.ok()) return status;
  return folder_->Commit();
}

}  // namespace modelvault
