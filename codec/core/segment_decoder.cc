#include "codec/core/segment_decoder.h"

#include "codec/core/gap_tables.h"

namespace modelvault {
namespace {

constexpr uint32_t kNoGap = 0xFFFFFFFFu;

}  // namespace

bool ColumnOrder::Build(const Model& model, const TensorRecord& t) {
  if (t.cols > columns) return false;
  const size_t cols = static_cast<size_t>(t.cols);
  for (size_t begin = 0; begin < cols; begin += kStripSize) {
    const size_t count = cols - begin < kStripSize ? cols - begin : kStripSize;
    uint16_t* end = ends + begin / kStripSize * kClassCount;
    for (unsigned c = 0; c < kClassCount; ++c) end[c] = 0;
    for (size_t j = 0; j < count; ++j) ++end[model.ColumnClass(t, begin + j)];
    uint16_t sum = 0;
    for (unsigned c = 0; c < kClassCount; ++c) {  // Counts to starts; placing the columns moves them to ends.
      const uint16_t n = end[c];
      end[c] = sum;
      sum = static_cast<uint16_t>(sum + n);
    }
    for (size_t j = 0; j < count; ++j) {
      uint16_t* place = &end[model.ColumnClass(t, begin + j)];
      order[begin + *place] = static_cast<uint8_t>(j);
      ++*place;
    }
  }
  return true;
}

void SegmentDecoder::Trace(SegmentTrace::Event event, uint32_t value) {
  if (trace_ != nullptr) trace_->event(trace_->context, event, tensor_index_, mode_, value, rans_);
}

CoreStatus SegmentDecoder::Start(ByteView stream) {
  contexts_ = SegmentContexts();
  for (uint32_t& gap : gap_) gap = kNoGap;
  in_tensor_ = false;
  last_scale_ = 1;
  level_offset_ = 0;
  return rans_.Start(stream) ? CoreStatus::kOk : CoreStatus::kBadStream;
}

CoreStatus SegmentDecoder::Finish() {
  Trace(SegmentTrace::kEnd, 0);
  return rans_.AtEnd() ? CoreStatus::kOk : CoreStatus::kBadStream;
}

CoreStatus SegmentDecoder::EnterTensor(const StripCursor& cursor) {
  const VariantTensor& tensor = cursor.tensor();
  const TensorRecord& record = cursor.record();
  tensor_index_ = cursor.tensor_index();
  in_tensor_ = true;
  Trace(SegmentTrace::kTensor, 0);
  const bool is_i8 = tensor.dtype == DType::kI8;
  AdaptiveBit* tree = contexts_.mode[is_i8 ? 1 : 0];
  unsigned node = 1;
  for (int i = 0; i < 3; ++i) node = 2 * node + rans_.Bit(&tree[node]);
  const unsigned mode = node - 8;
  if (mode >= kTensorModeCount) return CoreStatus::kBadMode;
  mode_ = static_cast<TensorMode>(mode);
  const bool on_i8 = is_i8 && record.dtype == DType::kI8;
  switch (mode_) {
    case TensorMode::kSame:
      if (tensor.prediction == Prediction::kZero) return CoreStatus::kBadMode;
      break;
    case TensorMode::kGap:
    case TensorMode::kGapFlat: {
      if (!on_i8) return CoreStatus::kBadMode;
      const uint64_t zigzag = rans_.Gamma(&contexts_.level);
      const int step = static_cast<int>(zigzag >> 1) ^ -static_cast<int>(zigzag & 1);
      level_offset_ += step;
      const int level = level_offset_ + record.level;
      if (level < 0 || level >= static_cast<int>(kLevelCount)) return CoreStatus::kBadStream;
      level_ = static_cast<unsigned>(level);
      if (mode_ == TensorMode::kGap && (record.flags & kFlagColumnPrior) && !order_.Build(layout_->model(), record)) {
        return CoreStatus::kWorkspaceTooSmall;
      }
      break;
    }
    case TensorMode::kSign:
      if (!on_i8) return CoreStatus::kBadMode;
      break;
    case TensorMode::kResidual:
      shift_ = rans_.Raw(6);
      if (shift_ >= 8u * tensor.element_size) return CoreStatus::kBadStream;
      break;
    case TensorMode::kRaw:
      break;
  }
  for (uint32_t& tag : group_tag_) tag = 0;
  Trace(SegmentTrace::kMode, level_);
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

CoreStatus SegmentDecoder::Decode(const StripCursor& cursor, uint8_t* io) {
  if (!in_tensor_ || cursor.tensor_index() != tensor_index_) {
    const CoreStatus entered = EnterTensor(cursor);
    if (entered != CoreStatus::kOk) return entered;
  }
  switch (mode_) {
    case TensorMode::kSame:
      return CoreStatus::kOk;
    case TensorMode::kGap:
    case TensorMode::kGapFlat:
      return DecodeGaps(cursor, io);
    case TensorMode::kSign:
      return DecodeSigns(cursor, io);
    case TensorMode::kResidual:
      return DecodeResiduals(cursor, io);
    case TensorMode::kRaw:
      for (uint32_t i = 0; i < cursor.strip().size; ++i) {
        const uint8_t byte = static_cast<uint8_t>(rans_.Raw(8));
        if (io != nullptr) io[i] = byte;
      }
      return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
  }
  return CoreStatus::kBadMode;
}

// Decodes the next gap of a level, and the sign that ends it.
bool SegmentDecoder::DecodeGap(unsigned level) {
  const unsigned shift = GapShift(level);
  const unsigned table = GapTable(level);
  const uint16_t* starts = kGapStarts[table];
  uint32_t gap = 0;
  for (;;) {
    const uint32_t slot = rans_.Slot();
    unsigned q = kGapFirst[table][slot >> 6];
    while (q + 1 < kGapSymbolCount && starts[q + 1] <= slot) ++q;
    const uint32_t end = q + 1 < kGapSymbolCount ? starts[q + 1] : kProbabilityScale;
    rans_.Advance(end - starts[q], starts[q], slot);
    gap += q << shift;
    if (gap >= kMaxGap) return false;
    if (q + 1 < kGapSymbolCount) break;
    if (rans_.overrun()) return false;
  }
  const uint32_t raw = rans_.Raw(shift + 1);
  gap_[level] = ((gap + (raw >> 1)) << 1) | (raw & 1);
  return true;
}

// The scale of the weight's group, decoded where the group first needs it. 0 is the escape.
bool SegmentDecoder::Scale(uint64_t weight, uint8_t* scale) {
  const uint32_t group = static_cast<uint32_t>(weight >> kGroupShift);
  const unsigned slot = group % 4;
  if (group_tag_[slot] != group + 1) {
    Trace(SegmentTrace::kScaleBegin, 0);
    if (!rans_.Bit(&contexts_.same_scale)) last_scale_ = static_cast<uint8_t>(rans_.Gamma(&contexts_.scale));
    Trace(SegmentTrace::kScaleEnd, last_scale_);
    group_tag_[slot] = group + 1;
    group_scale_[slot] = last_scale_;
    if (rans_.overrun()) return false;
  }
  *scale = group_scale_[slot];
  return true;
}

CoreStatus SegmentDecoder::DecodeGaps(const StripCursor& cursor, uint8_t* io) {
  const TensorRecord& record = cursor.record();
  const Strip& strip = cursor.strip();
  const bool by_class = mode_ == TensorMode::kGap;
  const bool columns = by_class && (record.flags & kFlagColumnPrior) != 0;
  const unsigned row_level = level_ + (by_class ? ClassStep(layout_->model().RowClass(record, strip.row)) : 0);
  const uint8_t* order = columns ? order_.order + strip.in_line : nullptr;
  const uint16_t* ends = columns ? order_.ends + strip.in_line / kStripSize * kClassCount : nullptr;
  uint32_t begin = 0;
  for (unsigned c = 0; begin < strip.size; ++c) {
    const uint32_t end = columns ? ends[c] : strip.size;
    const uint32_t count = end - begin;
    if (count == 0) continue;
    unsigned level = row_level + (columns ? ClassStep(c) : 0);
    if (level >= kLevelCount) level = kLevelCount - 1;
    if (gap_[level] == kNoGap && !DecodeGap(level)) return CoreStatus::kBadStream;
    uint32_t at = 0;  // Weights of this run that are done.
    while ((gap_[level] >> 1) < count - at) {
      at += gap_[level] >> 1;
      const bool negative = (gap_[level] & 1) != 0;
      const uint32_t place = begin + at;
      const uint32_t i = columns ? order[place] : place;
      uint8_t scale;
      if (!Scale(strip.in_tensor + i, &scale)) return CoreStatus::kBadStream;
      if (scale == 0) {
        const unsigned context = level / 2 < kMagnitudeContexts ? level / 2 : kMagnitudeContexts - 1;
        const int magnitude = static_cast<int>(rans_.Gamma(&contexts_.magnitude[context])) + 1;
        if (io != nullptr) {
          const int w = static_cast<int8_t>(io[i]) + (negative ? -magnitude : magnitude);
          if (w < -128 || w > 127) return CoreStatus::kOutOfRange;
          io[i] = static_cast<uint8_t>(w);
        }
      } else if (io != nullptr) {
        io[i] = static_cast<uint8_t>(
            ApplyTrit(static_cast<int8_t>(io[i]), static_cast<uint16_t>(scale << 8), negative ? -1 : 1));
      }
      ++at;
      if (!DecodeGap(level)) return CoreStatus::kBadStream;
    }
    gap_[level] -= (count - at) << 1;
    begin = end;
  }
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

CoreStatus SegmentDecoder::DecodeSigns(const StripCursor& cursor, uint8_t* io) {
  const Strip& strip = cursor.strip();
  for (uint32_t i = 0; i < strip.size; ++i) {
    uint8_t scale;
    if (!Scale(strip.in_tensor + i, &scale) || scale == 0) return CoreStatus::kBadStream;
    const bool negative = rans_.Raw(1) != 0;
    if (io != nullptr) {
      io[i] = static_cast<uint8_t>(
          ApplyTrit(static_cast<int8_t>(io[i]), static_cast<uint16_t>(scale << 8), negative ? -1 : 1));
    }
  }
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

CoreStatus SegmentDecoder::DecodeResiduals(const StripCursor& cursor, uint8_t* io) {
  const VariantTensor& tensor = cursor.tensor();
  const unsigned size = tensor.element_size;
  const unsigned width = 8 * size;
  const bool is_float = IsFloat(tensor.dtype);
  AdaptiveGamma<64>* code = &contexts_.residual[size > 1 ? 1 : 0];
  for (uint32_t at = 0; at < cursor.strip().size; at += size) {
    uint64_t r = rans_.Gamma(code);
    if (r != 0 && rans_.Raw(1) != 0) r = 0 - r;
    if (io == nullptr) continue;
    const int64_t b = ElementToOrdered(LoadElement(io + at, size), width, is_float, shift_);
    const int64_t a = SignExtend(static_cast<uint64_t>(b) + r, width - shift_);
    StoreElement(io + at, size, OrderedToElement(a, width, is_float, shift_));
  }
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

}  // namespace modelvault
