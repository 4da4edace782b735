#include "codec/core/variant_layout.h"

namespace modelvault {
namespace {

VariantTensor Describe(const TensorRecord& base, uint32_t base_index, DType dtype, size_t opaque_size) {
  VariantTensor t{};
  t.base_index = base_index;
  t.dtype = dtype;
  t.element_size = ElementSize(static_cast<uint8_t>(dtype));
  t.size = dtype == DType::kOpaque ? opaque_size : base.rows * base.cols * t.element_size;
  t.prediction = PredictionFor(base.dtype, base.size, dtype, t.size);
  return t;
}

}  // namespace

CoreStatus VariantLayout::Parse(ByteView bytes, VariantTensor* tensors, size_t capacity) {
  const size_t count = shared_->tensor_count();
  if (capacity < count) return CoreStatus::kWorkspaceTooSmall;
  ByteReader reader(bytes);
  size_t data_size = 0;
  for (size_t i = 0; i < count; ++i) {
    size_t index;
    uint8_t dtype;
    if (!reader.ReadSize(&index) || !reader.ReadU8(&dtype)) return CoreStatus::kTruncated;
    if (index >= count || ElementSize(dtype) == 0) return CoreStatus::kBadBlob;
    const TensorRecord& base = shared_->tensor(static_cast<size_t>(index));
    size_t opaque_size = 0;
    if (dtype == 0) {
      if (!reader.ReadSize(&opaque_size)) return CoreStatus::kTruncated;
    } else if (base.dtype == DType::kOpaque) {
      return CoreStatus::kBadBlob;  // Its shape is unknown.
    }
    VariantTensor t = Describe(base, static_cast<uint32_t>(index), static_cast<DType>(dtype), opaque_size);
    // A base of one-byte elements may hold kMaxDataSize of them; eight times that is still inside size_t.
    if (t.size > kMaxDataSize - data_size) return CoreStatus::kBadBlob;
    t.offset = data_size;
    data_size += t.size;
    tensors[i] = t;
  }
  if (reader.remaining() != 0) return CoreStatus::kBadBlob;
  // Each base tensor once: count indices below count without a repetition. The top bit of element_size serves as the
  // mark.
  for (size_t i = 0; i < count; ++i) {
    VariantTensor* mark = &tensors[tensors[i].base_index];
    if (mark->element_size & 0x80u) return CoreStatus::kBadBlob;
    mark->element_size = static_cast<uint8_t>(mark->element_size | 0x80u);
  }
  for (size_t i = 0; i < count; ++i) tensors[i].element_size = static_cast<uint8_t>(tensors[i].element_size & 0x7Fu);
  own_ = tensors;
  data_size_ = data_size;
  return CoreStatus::kOk;
}

VariantTensor VariantLayout::tensor(size_t i) const {
  if (own_ != nullptr) return own_[i];
  const TensorRecord& base = shared_->tensor(i);
  VariantTensor t = Describe(base, static_cast<uint32_t>(i), base.dtype, base.size);
  t.offset = base.offset;
  return t;
}

size_t VariantLayout::FindTensor(size_t offset) const {
  if (own_ == nullptr) return shared_->FindTensor(offset);
  size_t low = 0, high = tensor_count();
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (own_[middle].offset <= offset) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

StripCursor::StripCursor(const VariantLayout* layout, size_t offset) : layout_(layout) {
  if (offset >= layout->data_size()) {
    index_ = layout->tensor_count();
    return;
  }
  Enter(layout->FindTensor(offset));
  if (offset <= tensor_.offset) return;
  const size_t in_tensor = offset - tensor_.offset;
  size_t row = in_tensor / line_size_;
  size_t in_line = in_tensor % line_size_;
  in_line = (in_line + kStripSize - 1) / kStripSize * kStripSize;  // Up to where a strip begins.
  if (in_line >= line_size_) {
    ++row;
    in_line = 0;
  }
  strip_.in_tensor = row * line_size_ + in_line;
  if (strip_.in_tensor >= tensor_.size) {
    Enter(index_ + 1);
    return;
  }
  strip_.row = row;
  in_line_ = in_line;
  Cut();
}

void StripCursor::Enter(size_t index) {
  const size_t count = layout_->tensor_count();
  for (; index < count; ++index) {
    tensor_ = layout_->tensor(index);
    if (tensor_.size != 0) break;
  }
  index_ = index;
  if (index == count) return;
  // A prior's classes are for INT8 weights; a variant of another type than the base is one line.
  line_size_ = tensor_.element_size == 1 && tensor_.size == record().size ? record().line_size() : tensor_.size;
  strip_.in_tensor = 0;
  strip_.row = 0;
  in_line_ = 0;
  Cut();
}

void StripCursor::Cut() {
  strip_.offset = tensor_.offset + strip_.in_tensor;
  const size_t left = line_size_ - in_line_;
  strip_.size = left < kStripSize ? static_cast<uint32_t>(left) : static_cast<uint32_t>(kStripSize);
  strip_.in_line = static_cast<uint32_t>(in_line_);
}

void StripCursor::Next() { Advance(strip_.size); }

size_t StripCursor::RunTo(size_t limit) const {
  const size_t left = tensor_.size - strip_.in_tensor;
  const size_t want = limit - strip_.offset;
  if (left <= want) return left;
  const size_t left_in_line = line_size_ - in_line_;
  if (want <= left_in_line) {
    const size_t whole = (want + kStripSize - 1) / kStripSize * kStripSize;
    return left_in_line < whole ? left_in_line : whole;
  }
  // A line that ends before its tensor does is a row of a prior, and short.
  const size_t rest = (want - left_in_line) % line_size_;  // In the line in which the limit is.
  const size_t whole = (rest + kStripSize - 1) / kStripSize * kStripSize;
  return want - rest + (line_size_ < whole ? line_size_ : whole);
}

void StripCursor::Advance(size_t size) {
  strip_.in_tensor += size;
  if (strip_.in_tensor == tensor_.size) {
    Enter(index_ + 1);
    return;
  }
  in_line_ += size;
  if (in_line_ >= line_size_) {
    strip_.row += in_line_ / line_size_;
    in_line_ %= line_size_;
  }
  Cut();
}

}  // namespace modelvault
