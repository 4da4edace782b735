// Codes chunks of the base (docs/format.md §5).
#ifndef MODELVAULT_CODEC_BASE_ENCODER_H_
#define MODELVAULT_CODEC_BASE_ENCODER_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "codec/core/model.h"

namespace modelvault {

// Immutable, thread-safe. `model` must outlive it.
class BaseEncoder {
 public:
  BaseEncoder(const Model* model, uint32_t chunk_size);

  uint64_t chunk_count() const { return (model_->data_size() + chunk_size_ - 1) / chunk_size_; }
  uint32_t chunk_size() const { return chunk_size_; }

  // The stored bytes of chunk `chunk`, whose raw bytes (chunk_size of them, fewer only in the last) are `raw`: of the
  // very base the model was built from, so that every byte has a slot in its table. Of other bytes (a file may change
  // while it is read) the chunk may decode to something else: compare.
  std::string Encode(uint64_t chunk, absl::Span<const uint8_t> raw) const;

 private:
  struct Table {
    std::array<uint16_t, 256> start;
    std::array<uint16_t, 256> frequency;
  };

  const Model* model_;
  uint32_t chunk_size_;
  std::vector<Table> tables_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_BASE_ENCODER_H_
