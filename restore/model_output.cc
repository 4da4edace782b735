#include "restore/model_output.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace modelvault {
namespace {

constexpr size_t kMostOpen = 128;  // Files at once; processes may have 1,024 descriptors, and have others.

}  // namespace

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

bool ModelOutput::CanStartAll() const { return files_.size() <= kMostOpen; }

absl::Status ModelOutput::StartAll() {
  uint64_t end = 0;
  for (const FilePart& part : files_) {
    absl::StatusOr<std::unique_ptr<AtomicFile>> file = folder_->CreateFile(part.path);
    if (!file.ok()) return file.status();
    all_.push_back(*std::move(file));
    ends_.push_back(end += part.size);
  }
  return absl::OkStatus();
}

absl::Status ModelOutput::WriteAt(uint64_t offset, absl::Span<const uint8_t> bytes) const {
  if (folder_ == nullptr) return file_->WriteAt(offset, bytes);
  while (!bytes.empty()) {
    const size_t i = static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), offset) - ends_.begin());
    if (i == all_.size()) return absl::InternalError(absl::StrCat(bytes.size(), " bytes behind the model's last file"));
    const size_t count = static_cast<size_t>(std::min<uint64_t>(ends_[i] - offset, bytes.size()));
    absl::Status status = all_[i]->WriteAt(offset - (ends_[i] - files_[i].size), bytes.first(count));
    if (!status.ok()) return status;
    bytes.remove_prefix(count);
    offset += count;
  }
  return absl::OkStatus();
}

absl::Status ModelOutput::Commit() {
  if (folder_ == nullptr) return file_->Commit();
  if (!all_.empty()) {
    for (const std::unique_ptr<AtomicFile>& file : all_) {
      if (absl::Status status = file->Commit(); !status.ok()) return status;
    }
    return folder_->Commit();
  }
  if (absl::Status status = StartFiles(); !status.ok()) return status;
  return folder_->Commit();
}

}  // namespace modelvault
