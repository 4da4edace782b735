// Codes segments of a variant against its base (docs/format.md §6), choosing per tensor what costs fewest bytes, or,
// where the base is stored as it is (§5), what is worth its bytes to a board.
#ifndef MODELVAULT_CODEC_SEGMENT_ENCODER_H_
#define MODELVAULT_CODEC_SEGMENT_ENCODER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "codec/core/variant_layout.h"
#include "codec/data_source.h"

namespace modelvault {

// Immutable, thread-safe if the sources are. `layout` must outlive it.
class SegmentEncoder {
 public:
  // `segment_size` is the header's. `plain`: mode 6 may be used, for which the vault must be one of version 1.3 as long
  // as the variant is in it.
  SegmentEncoder(const VariantLayout* layout, uint32_t segment_size, bool plain = false)
      : layout_(layout), segment_size_(segment_size), plain_(plain) {}

  uint32_t segment_size() const { return segment_size_; }
  bool plain() const { return plain_; }
  uint64_t segment_count() const { return SegmentCount(layout_->data_size(), segment_size_); }

  // The stored bytes of one segment. `base` and `variant` give the two data sections. Memory: a few dozen times
  // segment_size in the worst case, freed on return. The same input gives the same bytes. `*other_size`, if wanted, is
  // what they would be in a vault that stores its base in the other way; dense segments are then coded twice. Errors
  // are the sources'.
  absl::StatusOr<std::string> Encode(uint64_t segment, DataSource* base, DataSource* variant,
                                     size_t* other_size = nullptr) const;

 private:
  const VariantLayout* layout_;
  uint32_t segment_size_;
  bool plain_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_SEGMENT_ENCODER_H_
