#ifndef MODELVAULT_TESTS_VAULT_RECORDED_FILE_H_
#define MODELVAULT_TESTS_VAULT_RECORDED_FILE_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vault/file_system.h"

namespace modelvault {

// What was read of a file, and which reads are to fail.
struct FileReads {
  struct Read {
    uint64_t offset;
    uint64_t size;

    bool operator==(const Read&) const = default;
  };
  std::vector<Read> all;
  std::vector<FileRange> announced;  // By WillRead.
  uint64_t longest = UINT64_MAX;     // Longer reads fail.

  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const Read& read : all) sum += read.size;
    return sum;
  }
};

// A file whose reads are written down. `reads` must outlive it. Thread-compatible.
class RecordedFile : public RandomAccessFile {
 public:
  RecordedFile(std::unique_ptr<RandomAccessFile> file, FileReads* reads) : file_(std::move(file)), reads_(reads) {}

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    reads_->all.push_back({offset, out.size()});
    if (out.size() > reads_->longest) return absl::UnavailableError(file_->path() + ": the disk says no");
    return file_->ReadAt(offset, out);
  }
  void WillRead(absl::Span<const FileRange> ranges) const override {
    reads_->announced.insert(reads_->announced.end(), ranges.begin(), ranges.end());
  }
  uint64_t size() const override { return file_->size(); }
  const std::string& path() const override { return file_->path(); }

 private:
  const std::unique_ptr<RandomAccessFile> file_;
  FileReads* const reads_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_RECORDED_FILE_H_
