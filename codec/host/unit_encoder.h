// Codes base chunks and segments with host codings (docs/format.md §16).
#ifndef MODELVAULT_CODEC_HOST_UNIT_ENCODER_H_
#define MODELVAULT_CODEC_HOST_UNIT_ENCODER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "codec/core/variant_layout.h"
#include "codec/data_source.h"
#include "codec/host/block_codec.h"
#include "codec/host/pieces.h"

namespace modelvault {

// With the memory that one thread uses again from unit to unit: some times the largest of them.
class UnitEncoder {
 public:
  // Appends what is stored of the unit whose bytes are `data`, from byte `begin` of a model with this layout on, to
  // `*stored`. `base` gives the base's data section; null: the unit is the base's. The same input gives the same bytes.
  // Errors are the source's.
  absl::Status Encode(const VariantLayout& layout, uint64_t begin, absl::Span<const uint8_t> data, DataSource* base,
                      std::string* stored);

 private:
  absl::Status ReadReference(const VariantLayout& layout, const Piece& piece, DataSource* base,
                             absl::Span<const uint8_t>* reference);

  std::vector<uint8_t> reference_;
  std::vector<uint8_t> predicted_;  // The same in another type.
  std::string block_;
  BlockScratch scratch_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_UNIT_ENCODER_H_
