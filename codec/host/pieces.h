// What base chunks and segments with host codings are cut into, and how blocks lie in them (docs/format.md §16).
#ifndef MODELVAULT_CODEC_HOST_PIECES_H_
#define MODELVAULT_CODEC_HOST_PIECES_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "codec/core/prediction.h"
#include "codec/core/variant_layout.h"

namespace modelvault {

// A run of bytes of one tensor that has a block of its own.
struct Piece {
  size_t tensor = 0;             // Its place in the layout.
  size_t offset = 0;             // Of its first byte in the model's data.
  size_t in_tensor = 0;          // The same, relative to the tensor.
  size_t size = 0;               // Bytes, at least 1.
  DType dtype = DType::kOpaque;  // The tensor's; kOpaque for what is left of an element that begins before the piece.

  size_t end() const { return offset + size; }
};

// The pieces of a run of a model's data, in order.
class PieceCursor {
 public:
  // Of bytes [begin, end), begin ≤ end ≤ layout->data_size(). `layout` must outlive this.
  PieceCursor(const VariantLayout* layout, size_t begin, size_t end);

  // Gives the next piece; false after the last one.
  bool Next(Piece* piece);

 private:
  const VariantLayout* layout_;
  size_t at_;
  size_t end_;
  size_t index_ = 0;
  VariantTensor tensor_{};
};

// Which bytes of the base a variant's piece is coded against, and what is made of them.
struct PieceReference {
  Prediction prediction = Prediction::kZero;  // kZero: against nothing; the rest does not count then.
  size_t begin = 0;                           // In the base's data.
  size_t size = 0;                            // Bytes there; not for kCopy, a whole number of elements.
  size_t elements = 0;                        // Not for kCopy: as many, of which the last may go beyond the piece.
};
PieceReference ReferenceOf(const VariantLayout& layout, const Piece& piece);

// Appends a block to a chunk or a segment.
void AppendBlock(absl::string_view block, std::string* stored);
// Takes the next one.
[[nodiscard]] CoreStatus NextBlock(ByteReader* stored, ByteView* block);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_PIECES_H_
