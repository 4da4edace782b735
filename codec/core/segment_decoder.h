// Decodes one segment of a variant: what turns predicted bytes into the variant's (docs/format.md §6).
// Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_SEGMENT_DECODER_H_
#define MODELVAULT_CODEC_CORE_SEGMENT_DECODER_H_

#include "codec/core/bytes.h"
#include "codec/core/column_order.h"
#include "codec/core/core_status.h"
#include "codec/core/gap_tables.h"
#include "codec/core/rans_decoder.h"
#include "codec/core/variant_layout.h"

namespace modelvault {

// The adaptive state of a segment, the same for coder and decoder. About 3 KiB.
struct SegmentContexts {
  AdaptiveBit mode[2][8];  // [dtype is I8][node of the tree, 1 … 7]
  AdaptiveBit one_scale;
  AdaptiveBit same_scale;
  AdaptiveGamma<8> scale;
  AdaptiveGamma<8> level;
  AdaptiveGamma<8> magnitude[kMagnitudeContexts];
  AdaptiveGamma<9> byte_residual;  // Of elements of one byte: up to 128.
  AdaptiveGamma<64> residual;      // Of others.
  AdaptiveBit plain[256];          // [node of the tree, 1 … 255]
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

  // Decodes the next `size` bytes of a tensor: whole strips, the first of which is under `cursor`, from the segment's
  // first on in order. `io` holds the prediction (zeros where there is none) and receives the variant's bytes. With
  // `io` null the strips are passed over, which needs no prediction.
  [[nodiscard]] CoreStatus Decode(const StripCursor& cursor, size_t size, uint8_t* io);

  // After the segment's last strip: the stream must end here.
  [[nodiscard]] CoreStatus Finish();

  TensorMode mode() const { return mode_; }

 private:
  static constexpr size_t kLanes = 48;           // 32 levels, and what classes reach beyond the last level.
  static constexpr uint32_t kLaneBias = 0x8000;  // What lanes are above the gaps in them.
  static constexpr uint32_t kNoGap = 0xFFFFFFFFu;
  static constexpr unsigned kEscape = kGapSymbolCount - 1;
  // Beside places in a strip:
  static constexpr uint32_t kStopped = 0x10000;
  static constexpr uint32_t kBadRun = 0xFFFFFFFFu;

  // The strip in progress, of a tensor coded by gaps, as those see it who are called seldom.
  struct GapStrip {
    uint8_t* io;
    const uint8_t* order;  // Its columns by class; null: from left to right.
    uint32_t in_group;     // Place of its first weight in the group group_.
    uint32_t scale;        // Of all its weights, if that is known and not 0.
    bool one_group;        // It touches one group only.
  };

  struct Level {
    uint32_t
        rest;  // What the lane has no room for: (gap - lane) * 2 + sign. kNoGap: none is pending, and the lane is 0.
    const GapLookup* table;
    uint8_t bits;  // Raw ones after a symbol: GapShift() and the sign.
  };

  // One of `count` symbols, a power of 2, by a binary tree of adaptive bits: node n has the nodes 2n and 2n + 1 below
  // it.
  [[gnu::noinline]] unsigned Symbol(AdaptiveBit* tree, unsigned count);
  CoreStatus EnterTensor(const StripCursor& cursor);
  CoreStatus DecodeGaps(const StripCursor& cursor, size_t size, uint8_t* io);
  CoreStatus PassOverGaps(const StripCursor& cursor, size_t size);
  template <bool kOrdered>
  uint32_t Hits(RansDecoder* rans, uint16_t* lane, Level* state, uint32_t at, uint32_t end, uint32_t scale, uint8_t* io,
                const uint8_t* order) const;
  bool WalkClasses(RansDecoder* rans, const StripColumns* columns, unsigned row_level, uint32_t scale, uint8_t* io,
                   const uint8_t* order, uint32_t* begin);
  bool DecodeRun(uint16_t* lane, uint32_t at, uint32_t end, unsigned level);
  uint32_t DecodeHits(uint16_t* lane, uint32_t at, uint32_t end, unsigned level);
  uint32_t DecodeRareHit(uint16_t* lane, uint32_t at, unsigned level);
  bool DecodeGap(uint16_t* lane, unsigned level);
  bool ReadScale();
  bool ReadTensorScale();
  bool ReadGroupScale(unsigned group);
  void MoveGroups(size_t weight);
  CoreStatus DecodeSigns(const StripCursor& cursor, size_t size, uint8_t* io);
  CoreStatus DecodeResiduals(const StripCursor& cursor, size_t size, uint8_t* io);
  CoreStatus DecodeBytes(size_t size, uint8_t* io);
  [[gnu::always_inline]] void Trace(SegmentTrace::Event event, uint32_t value) {
    if (trace_ != nullptr) Tell(event, value);
  }
  void Tell(SegmentTrace::Event event, uint32_t value);

  RansDecoder rans_;
  GapStrip strip_;

  uint32_t tensor_scale_ = 0;  // Of the whole tensor, or 0: groups have theirs.
  // Scales of the groups in reach: a byte each from group_ on, 0 where none is known or the group has the escape.
  // Weights never go back, and a strip touches at most three groups.
  uint32_t group_ = 0;  // The low bits of its number.
  uint32_t scales_ = 0;
  uint32_t escapes_ = 0;  // A byte each as well: 1 for the escape.
  uint8_t last_scale_ = 1;

  TensorMode mode_ = TensorMode::kSame;
  bool in_tensor_ = false;
  bool passing_over_ = false;
  CoreStatus failure_ = CoreStatus::kOk;  // Why DecodeRun() failed.
  size_t tensor_index_ = 0;
  int level_offset_ = 0;  // t - level of the last tensor that had a t.
  unsigned level_ = 0;    // t
  unsigned shift_ = 0;    // z

  // Pending gaps. Those of a tensor's levels are an even number of levels apart, so even and odd levels are kept apart:
  // level l in lanes_[l % 2][l / 2], as 32,768 plus what is left of the gap, at most 32,767. Two lanes are a word, and
  // a subtraction passes over weights of two levels at once: a top bit that vanishes is a gap that ends. Lanes beyond
  // the last level stay as they are, 32,768.
  alignas(4) uint16_t lanes_[2][kLanes];
  Level levels_[kLevelCount];

  const VariantLayout* layout_;
  ColumnOrder order_;
  const SegmentTrace* trace_;
  // Start() fills it; a constructor would do it once more.
  union {
    SegmentContexts contexts_;
  };
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_SEGMENT_DECODER_H_
