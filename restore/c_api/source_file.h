// A vault's bytes that a C caller brings: in memory, or by callbacks.
#ifndef MODELVAULT_RESTORE_C_API_SOURCE_FILE_H_
#define MODELVAULT_RESTORE_C_API_SOURCE_FILE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "restore/c_api/include/modelvault/modelvault.h"
#include "vault/file_system.h"

namespace modelvault {

// Bytes of the caller's, which must outlive it.
class CallerMemory : public RandomAccessFile {
 public:
  CallerMemory(absl::Span<const uint8_t> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override;
  uint64_t size() const override { return bytes_.size(); }
  const std::string& path() const override { return name_; }

 private:
  const absl::Span<const uint8_t> bytes_;
  const std::string name_;
};

// A source that is closed when this goes.
class OwnedSource {
 public:
  explicit OwnedSource(const mv_source& source) : source_(source) {}
  OwnedSource(OwnedSource&& other) noexcept : source_(std::exchange(other.source_, mv_source{})) {}
  ~OwnedSource() {
    if (source_.close != nullptr) source_.close(source_.context);
  }

  const mv_source& operator*() const { return source_; }
  const mv_source* operator->() const { return &source_; }

 private:
  mv_source source_;
};

class SourceFile : public RandomAccessFile {
 public:
  SourceFile(std::string name, OwnedSource source) : name_(std::move(name)), source_(std::move(source)) {}

  // What the source says or does wrong is kUnavailable.
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override;
  uint64_t size() const override { return source_->size; }
  const std::string& path() const override { return name_; }

 private:
  const std::string name_;
  const OwnedSource source_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_C_API_SOURCE_FILE_H_
