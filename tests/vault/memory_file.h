#ifndef MODELVAULT_TESTS_VAULT_MEMORY_FILE_H_
#define MODELVAULT_TESTS_VAULT_MEMORY_FILE_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "vault/file_system.h"

namespace modelvault {

// Bytes in memory where code under test expects a file.
class MemoryFile : public RandomAccessFile {
 public:
  explicit MemoryFile(std::vector<uint8_t> bytes, std::string path = "memory")
      : bytes_(std::move(bytes)), path_(std::move(path)) {}

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return absl::DataLossError(absl::StrCat(path_, ": file too short: expected ", out.size(), " bytes at offset ",
                                              offset, ", size ", bytes_.size()));
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return absl::OkStatus();
  }
  uint64_t size() const override { return bytes_.size(); }
  const std::string& path() const override { return path_; }

 private:
  const std::vector<uint8_t> bytes_;
  const std::string path_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_MEMORY_FILE_H_
