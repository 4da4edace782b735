// Several files as one.
#ifndef MODELVAULT_RESTORE_JOINED_FILES_H_
#define MODELVAULT_RESTORE_JOINED_FILES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "vault/file_system.h"

namespace modelvault {

// The bytes of files one after the other. Thread-safe.
class JoinedFiles : public RandomAccessFile {
 public:
  // `path` is for messages. Sizes must add up within 64 bits, as those of files do.
  JoinedFiles(std::vector<std::unique_ptr<RandomAccessFile>> files, std::string path);

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override;
  uint64_t size() const override { return begins_.back(); }
  const std::string& path() const override { return path_; }

 private:
  std::vector<std::unique_ptr<RandomAccessFile>> files_;
  std::vector<uint64_t> begins_;  // Of each, and the end.
  std::string path_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_JOINED_FILES_H_
