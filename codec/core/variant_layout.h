// Which tensors a variant has, in its own data order, and the strips and segments they are coded in (docs/format.md
// §6). Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_VARIANT_LAYOUT_H_
#define MODELVAULT_CODEC_CORE_VARIANT_LAYOUT_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "codec/core/layout_view.h"
#include "codec/core/prediction.h"
#include "codec/core/shared_tables.h"

namespace modelvault {

// In place of a base tensor's number.
inline constexpr uint32_t kNoBaseTensor = 0xFFFFFFFFu;

// One tensor of a variant.
struct VariantTensor {
  size_t offset;        // In the variant's data section.
  size_t size;          // Bytes.
  uint32_t base_index;  // kNoBaseTensor: the variant's own, predicted as zeros.
  DType dtype;
  uint8_t element_size;
  Prediction prediction;
};

// A variant's tensors. Without a layout of its own it is the base's, and needs no memory.
class VariantLayout {
 public:
  explicit VariantLayout(const SharedTables* shared)
      : shared_(shared), tensor_count_(shared->tensor_count()), data_size_(shared->data_size()) {}

  // Parses a stored layout into the caller's `tensors`, which must outlive this and have room for stored.tensor_count.
  // Checks everything, also that each base tensor occurs once where the form says so.
  [[nodiscard]] CoreStatus Parse(const LayoutView& stored, VariantTensor* tensors, size_t capacity);

  const SharedTables& shared() const { return *shared_; }
  size_t tensor_count() const { return tensor_count_; }
  size_t data_size() const { return data_size_; }
  bool is_base_layout() const { return is_base_layout_; }
  VariantTensor tensor(size_t i) const;

  // The base's record of a tensor; for one without a base an opaque one of no bytes.
  const TensorRecord& RecordOf(const VariantTensor& tensor) const {
    return tensor.base_index == kNoBaseTensor ? kNoRecord : shared_->tensor(tensor.base_index);
  }

  // The tensor whose bytes include `offset` < data_size().
  size_t FindTensor(size_t offset) const;

 private:
  static const TensorRecord kNoRecord;

  const SharedTables* shared_;
  bool is_base_layout_ = true;
  const VariantTensor* own_ = nullptr;
  size_t tensor_count_;
  size_t data_size_;
};

// A run of at most kStripSize bytes inside one line of one tensor.
struct Strip {
  size_t offset;     // Of its first byte in the variant's data.
  size_t in_tensor;  // The same, relative to the tensor.
  uint32_t size;
  size_t row;        // Line number; 0 where the tensor is one line.
  uint32_t in_line;  // Of its first byte in the line, for tensors with a prior (their lines are short).
};

// Walks the strips of a variant in order.
class StripCursor {
 public:
  // Stands on the first strip at or after byte `offset` ≤ data_size().
  StripCursor(const VariantLayout* layout, size_t offset);

  bool at_end() const { return index_ == layout_->tensor_count(); }
  size_t tensor_index() const { return index_; }
  const VariantTensor& tensor() const { return tensor_; }
  const TensorRecord& record() const { return *record_; }  // VariantLayout::RecordOf the tensor.
  const Strip& strip() const { return strip_; }
  void Next();

  // Bytes of the strips of this tensor from here on that begin before byte `limit` of the variant's data. The limit is
  // beyond the strip's offset.
  size_t RunTo(size_t limit) const;
  // Goes on by `size` bytes, to the beginning of a strip or the tensor's end.
  void Advance(size_t size);

 private:
  void Enter(size_t index);  // At the first strip of the first tensor from `index` on that is not empty.
  void Cut();                // strip_.size from the place it stands on.

  const VariantLayout* layout_;
  size_t index_ = 0;
  VariantTensor tensor_{};
  const TensorRecord* record_ = nullptr;
  size_t line_size_ = 0;
  size_t in_line_ = 0;
  Strip strip_{};
};

// Segments of a variant of `data_size` bytes.
inline size_t SegmentCount(size_t data_size, uint32_t segment_size) {
  return data_size / segment_size + (data_size % segment_size != 0 ? 1 : 0);
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_VARIANT_LAYOUT_H_
