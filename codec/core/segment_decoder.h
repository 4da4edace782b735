// Decodes one segment of a variant: what turns predicted bytes into the variant's (docs/format.md §6).
// Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_SEGMENT_DECODER_H_
#define MODELVAULT_CODEC_CORE_SEGMENT_DECODER_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "codec/core/rans_decoder.h"
#include "codec/core/variant_layout.h"

namespace modelvault {

// The adaptive state of a segment, the same for coder and decoder. About 6 KiB.
struct SegmentContexts {
  AdaptiveBit mode[2][8];  // [dtype is I8][node of the tree, 1 … 7]
  AdaptiveBit same_scale;
  AdaptiveGamma<8> scale;
  AdaptiveGamma<8> level;
  AdaptiveGamma<8> magnitude[kMagnitudeContexts];
  AdaptiveGamma<64> residual[2];  // [element has more than one byte]
};

// The columns of a tensor with a column prior, sorted by class inside each strip of a row: `order` has a place for each
// column, `ends` kClassCount for each strip of a row. Sizes for the widest tensor: OrderSize() and EndsCount().
struct ColumnOrder {
  uint8_t* order = nullptr;
  uint16_t* ends = nullptr;
  size_t columns = 0;  // Room in `order`; `ends` has EndsCount(columns).

  static size_t EndsCount(size_t columns) { return (columns + kStripSize - 1) / kStripSize * kClassCount; }
  // Sorts the columns of `t`; false if there is not room enough.
  [[nodiscard]] bool Build(const Model& model, const TensorRecord& t);
};

// What a decoder tells of its progress, for accounting on the host. Called at tensor starts (before the mode), around
// scales, and at the end.
struct SegmentTrace {
  enum Event : uint8_t { kTensor, kMode, kScaleBegin, kScaleEnd, kEnd };
  // `mode` is meaningful from kMode on; `value` is the scale at kScaleEnd (0 = escape) and t at kMode for gap modes.
  void (*event)(void* context, Event event, size_t tensor, TensorMode mode, uint32_t value, const RansDecoder& rans);
  void* context;
};

class SegmentDecoder {
 public:
  // `order` is scratch for the widest column prior; it and the layout must outlive the decoder. `trace` may be null.
  SegmentDecoder(const VariantLayout* layout, ColumnOrder order, const SegmentTrace* trace = nullptr)
      : layout_(layout), order_(order), trace_(trace) {}

  // Begins a segment's stream.
  [[nodiscard]] CoreStatus Start(ByteView stream);

  // Decodes the strip under `cursor`; strips must come in order from the segment's first. `io` holds the prediction
  // (zeros where there is none) and receives the variant's bytes, cursor.strip().size of them. With `io` null the strip
  // is passed over, which needs no prediction.
  [[nodiscard]] CoreStatus Decode(const StripCursor& cursor, uint8_t* io);

  // After the segment's last strip: the stream must end here.
  [[nodiscard]] CoreStatus Finish();

  TensorMode mode() const { return mode_; }

 private:
  CoreStatus EnterTensor(const StripCursor& cursor);
  CoreStatus DecodeGaps(const StripCursor& cursor, uint8_t* io);
  CoreStatus DecodeSigns(const StripCursor& cursor, uint8_t* io);
  CoreStatus DecodeResiduals(const StripCursor& cursor, uint8_t* io);
  bool DecodeGap(unsigned level);
  bool Scale(uint64_t weight, uint8_t* scale);
  void Trace(SegmentTrace::Event event, uint32_t value);

  const VariantLayout* layout_;
  ColumnOrder order_;
  const SegmentTrace* trace_;
  RansDecoder rans_;
  SegmentContexts contexts_;
  uint32_t gap_[kLevelCount];  // Pending gap * 2 + sign, or kNoGap.
  size_t tensor_index_ = 0;
  bool in_tensor_ = false;
  TensorMode mode_ = TensorMode::kSame;
  uint8_t last_scale_ = 1;
  int level_offset_ = 0;  // t - level of the last tensor that had a t.
  unsigned level_ = 0;    // t
  unsigned shift_ = 0;    // z
  // Scales of the groups in reach: a strip touches at most three, and strips never go back.
  uint32_t group_tag_[4];  // Low bits of the group's number + 1; 0 = unknown.
  uint8_t group_scale_[4];
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_SEGMENT_DECODER_H_
