#include "codec/host/unit_encoder.h"

#include "codec/core/prediction.h"

namespace modelvault {

// Sets `*reference` to what the piece is coded against, of its size; empty: nothing.
absl::Status UnitEncoder::ReadReference(const VariantLayout& layout, const Piece& piece, DataSource* base,
                                        absl::Span<const uint8_t>* reference) {
  const PieceReference from = ReferenceOf(layout, piece);
  *reference = {};
  if (from.prediction == Prediction::kZero) return absl::OkStatus();
  reference_.resize(from.size);
  if (absl::Status read = base->Read(from.begin, absl::MakeSpan(reference_)); !read.ok()) return read;
  *reference = reference_;
  if (from.prediction == Prediction::kCopy) return absl::OkStatus();
  predicted_.resize(from.elements * ElementSize(static_cast<uint8_t>(piece.dtype)));
  Predict(from.prediction, reference_.data(), from.elements, predicted_.data());
  *reference = absl::MakeConstSpan(predicted_).first(piece.size);
  return absl::OkStatus();
}

absl::Status UnitEncoder::Encode(const VariantLayout& layout, uint64_t begin, absl::Span<const uint8_t> data,
                                 DataSource* base, std::string* stored) {
  const size_t first = static_cast<size_t>(begin);
  PieceCursor pieces(&layout, first, first + data.size());
  for (Piece piece; pieces.Next(&piece);) {
    absl::Span<const uint8_t> reference;
    if (base != nullptr) {
      if (absl::Status read = ReadReference(layout, piece, base, &reference); !read.ok()) return read;
    }
    block_.clear();
    EncodeBlock(piece.dtype, data.subspan(piece.offset - first, piece.size), reference, &scratch_, &block_);
    AppendBlock(block_, stored);
  }
  return absl::OkStatus();
}

}  // namespace modelvault
