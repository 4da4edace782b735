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

// A tensor of the variant's own.
CoreStatus DescribeOwn(DType dtype, size_t elements, VariantTensor* t) {
  *t = {};
  t->base_index = kNoBaseTensor;
  t->dtype = dtype;
  t->element_size = ElementSize(static_cast<uint8_t>(dtype));
  t->prediction = Prediction::kZero;
  if (elements > kMaxDataSize / t->element_size) return CoreStatus::kBadBlob;
  t->size = elements * t->element_size;
  return CoreStatus::kOk;
}

// Whether no base tensor occurs twice among `count` tensors, all of which have one below `count`. The top bit of
// element_size serves as the mark.
bool EachOnce(VariantTensor* tensors, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    VariantTensor* mark = &tensors[tensors[i].base_index];
    if (mark->element_size & 0x80u) return false;
    mark->element_size = static_cast<uint8_t>(mark->element_size | 0x80u);
  }
  for (size_t i = 0; i < count; ++i) tensors[i].element_size = static_cast<uint8_t>(tensors[i].element_size & 0x7Fu);
  return true;
}

// Reads the record of one tensor, all but its offset.
CoreStatus ReadRecord(const SharedTables& shared, bool free, ByteReader* reader, VariantTensor* t) {
  size_t reference;
  uint8_t dtype;
  if (!reader->ReadSize(&reference) || !reader->ReadU8(&dtype)) return CoreStatus::kTruncated;
  if (ElementSize(dtype) == 0) return CoreStatus::kBadBlob;
  const bool own = free && reference == 0;
  size_t elements = 0;
  if ((own || dtype == 0) && !reader->ReadSize(&elements)) return CoreStatus::kTruncated;
  if (own) return DescribeOwn(static_cast<DType>(dtype), elements, t);
  const size_t index = free ? reference - 1 : reference;
  if (index >= shared.tensor_count()) return CoreStatus::kBadBlob;
  const TensorRecord& base = shared.tensor(index);
  if (dtype != 0 && base.dtype == DType::kOpaque) return CoreStatus::kBadBlob;  // Its shape is unknown.
  *t = Describe(base, static_cast<uint32_t>(index), static_cast<DType>(dtype), elements);
  return CoreStatus::kOk;
}

}  // namespace

// Never asked for its shape: what has no base has no prior, and is not coded by it.
const TensorRecord VariantLayout::kNoRecord = {};

CoreStatus VariantLayout::Parse(const LayoutView& stored, VariantTensor* tensors, size_t capacity) {
  if (stored.form == LayoutForm::kBase) return CoreStatus::kOk;
  const size_t count = stored.tensor_count;
  const bool free = stored.form == LayoutForm::kFree;
  if (!free && count != shared_->tensor_count()) return CoreStatus::kBadBlob;
  if (capacity < count) return CoreStatus::kWorkspaceTooSmall;
  ByteReader reader(stored.bytes);
  size_t data_size = 0;
  for (size_t i = 0; i < count; ++i) {
    VariantTensor t;
    const CoreStatus read = ReadRecord(*shared_, free, &reader, &t);
    if (read != CoreStatus::kOk) return read;
    // A base of one-byte elements may hold kMaxDataSize of them; eight times that is still inside size_t.
    if (t.size > kMaxDataSize - data_size) return CoreStatus::kBadBlob;
    t.offset = data_size;
    data_size += t.size;
    tensors[i] = t;
  }
  if (reader.remaining() != 0 || (!free && !EachOnce(tensors, count))) return CoreStatus::kBadBlob;
  is_base_layout_ = false;
  own_ = tensors;
  tensor_count_ = count;
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
  record_ = &layout_->RecordOf(tensor_);
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
