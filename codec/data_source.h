// Random access to the data section of a model: a file, a vault's base, or memory.
#ifndef MODELVAULT_CODEC_DATA_SOURCE_H_
#define MODELVAULT_CODEC_DATA_SOURCE_H_

#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace modelvault {

// Thread-compatible unless a subclass says more.
class DataSource {
 public:
  virtual ~DataSource() = default;

  virtual uint64_t size() const = 0;

  // Fills `out` with bytes [offset, offset + out.size()); all of them or an error that says where.
  virtual absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) = 0;
};

// Bytes in memory, which must outlive it. Thread-safe.
class MemoryDataSource : public DataSource {
 public:
  explicit MemoryDataSource(absl::Span<const uint8_t> bytes) : bytes_(bytes) {}

  uint64_t size() const override { return bytes_.size(); }

  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return absl::OutOfRangeError(
          absl::StrCat("read of ", out.size(), " bytes at offset ", offset, ", but there are only ", bytes_.size()));
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return absl::OkStatus();
  }

 private:
  absl::Span<const uint8_t> bytes_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_DATA_SOURCE_H_
