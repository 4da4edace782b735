// Codes chunks of the base (docs/format.md §5).
#ifndef MODELVAULT_CODEC_BASE_ENCODER_H_
#define MODELVAULT_CODEC_BASE_ENCODER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "codec/core/shared_tables.h"
#include "codec/prefix_coding.h"
#include "codec/shared_tables_builder.h"

namespace modelvault {

// Counts the symbols of a row coded as a copy of `like`: what MODEL's tables are made from.
void AddCopiedRow(absl::Span<const uint8_t> bytes, const uint8_t* like, Histogram* skips, Histogram* near);

// Raw bytes of a chunk, and of a segment, with host codings, where the caller does not choose: a core's second-level
// cache holds several.
inline constexpr uint32_t kHostUnitSize = 256 << 10;

// Raw bytes of a chunk where the caller does not choose: small ones for boards, which keep one in RAM; large ones where
// their directory counts. A chunk that is coded costs more to begin than one that is copied.
constexpr uint32_t DefaultChunkSize(uint64_t data_size, BaseProfile profile) {
  if (profile == BaseProfile::kHost) return kHostUnitSize;
  if (data_size > (uint64_t{64} << 20)) return 64 << 10;
  return profile == BaseProfile::kFast ? 2 << 10 : 4 << 10;
}

// Immutable, thread-safe. `model` must outlive it.
class BaseEncoder {
 public:
  BaseEncoder(const SharedTables* shared, uint32_t chunk_size);

  uint64_t chunk_count() const { return (shared_->data_size() + chunk_size_ - 1) / chunk_size_; }
  uint32_t chunk_size() const { return chunk_size_; }

  // The stored bytes of chunk `chunk`, whose raw bytes (chunk_size of them, fewer only in the last) are `raw`: of the
  // very base the model was built from, so that every byte has a code word in its table. Of other bytes (a file may
  // change while it is read) the chunk may decode to something else: compare.
  std::string Encode(uint64_t chunk, absl::Span<const uint8_t> raw) const;

 private:
  uint64_t FreshBits(uint8_t table, absl::Span<const uint8_t> bytes) const;
  uint64_t CopyBits(const TensorRecord& t, absl::Span<const uint8_t> bytes, const uint8_t* like) const;

  const SharedTables* shared_;
  uint32_t chunk_size_;
  std::vector<PrefixCode> tables_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_BASE_ENCODER_H_
