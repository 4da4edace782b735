#include "codec/host/pieces.h"

#include <algorithm>

#include "codec/varint.h"

namespace modelvault {

PieceCursor::PieceCursor(const VariantLayout* layout, size_t begin, size_t end)
    : layout_(layout), at_(begin), end_(end) {
  if (at_ >= end_) return;
  index_ = layout->FindTensor(at_);
  tensor_ = layout->tensor(index_);
}

bool PieceCursor::Next(Piece* piece) {
  if (at_ >= end_) return false;
  while (at_ >= tensor_.offset + tensor_.size) tensor_ = layout_->tensor(++index_);
  const size_t in_tensor = at_ - tensor_.offset;
  size_t size = std::min(end_ - at_, tensor_.size - in_tensor);
  DType dtype = tensor_.dtype;
  if (const size_t into_element = in_tensor % tensor_.element_size; into_element != 0) {
    size = std::min(size, tensor_.element_size - into_element);
    dtype = DType::kOpaque;
  }
  *piece = {index_, at_, in_tensor, size, dtype};
  at_ += size;
  return true;
}

PieceReference ReferenceOf(const VariantLayout& layout, const Piece& piece) {
  const VariantTensor tensor = layout.tensor(piece.tensor);
  const TensorRecord& base = layout.RecordOf(tensor);
  if (tensor.prediction == Prediction::kCopy) {
    return {Prediction::kCopy, base.offset + piece.in_tensor, piece.size, 0};
  }
  // Elements that are converted are converted as a whole.
  if (tensor.prediction == Prediction::kZero || piece.dtype != tensor.dtype) return {};
  const size_t elements = (piece.size + tensor.element_size - 1) / tensor.element_size;
  return {tensor.prediction, base.offset + piece.in_tensor / tensor.element_size * base.element_size,
          elements * base.element_size, elements};
}

void AppendBlock(absl::string_view block, std::string* stored) {
  AppendVarint(stored, block.size());
  stored->append(block.data(), block.size());
}

CoreStatus NextBlock(ByteReader* stored, ByteView* block) {
  size_t size;
  if (!stored->ReadSize(&size) || !stored->ReadBytes(size, block)) return CoreStatus::kTruncated;
  return CoreStatus::kOk;
}

}  // namespace modelvault
