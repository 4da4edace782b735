// What happens once a tensor, a group or now and then; the loops over weights that differ are in segment_gaps.cc.
#include "codec/core/segment_decoder.h"

namespace modelvault {
namespace {

// A weight moved by the group's scale, or back where `negative` is all ones.
inline uint8_t Moved(uint8_t weight, uint32_t scale, uint32_t negative) {
  const int moved = static_cast<int8_t>(weight) + static_cast<int>((scale ^ negative) - negative);
  return static_cast<uint8_t>(moved < -128 ? -128 : moved > 127 ? 127 : moved);
}

}  // namespace

CoreStatus SegmentDecoder::Start(ByteView stream) {
  // In place: a temporary would be 3 KiB of stack.
  const AdaptiveBit fresh;
  static_assert(sizeof(SegmentContexts) % sizeof(fresh) == 0);
  uint8_t* const contexts = reinterpret_cast<uint8_t*>(&contexts_);
  for (size_t at = 0; at < sizeof(contexts_); at += sizeof(fresh)) memcpy(contexts + at, &fresh, sizeof(fresh));
  for (auto& lanes : lanes_) {
    for (uint16_t& lane : lanes) lane = kLaneBias;
  }
  for (unsigned level = 0; level < kLevelCount; ++level) {
    levels_[level] = {kNoGap, FindGapLookup(GapTable(level)), static_cast<uint8_t>(GapShift(level) + 1)};
  }
  in_tensor_ = false;
  last_scale_ = 1;
  level_offset_ = 0;
  return rans_.Start(stream) ? CoreStatus::kOk : CoreStatus::kBadStream;
}

// Not on boards, which have no trace: apart, for small callers.
[[gnu::noinline]] void SegmentDecoder::Tell(SegmentTrace::Event event, uint32_t value) {
  trace_->event(trace_->context, event, tensor_index_, mode_, value, rans_);
}

CoreStatus SegmentDecoder::Finish() {
  Trace(SegmentTrace::kEnd, 0);
  return rans_.AtEnd() ? CoreStatus::kOk : CoreStatus::kBadStream;
}

unsigned SegmentDecoder::Symbol(AdaptiveBit* tree, unsigned count) {
  unsigned node = 1;
  while (node < count) node = 2 * node + rans_.Bit(&tree[node]);
  return node - count;
}

CoreStatus SegmentDecoder::EnterTensor(const StripCursor& cursor) {
  const VariantTensor& tensor = cursor.tensor();
  const TensorRecord& record = cursor.record();
  tensor_index_ = cursor.tensor_index();
  in_tensor_ = true;
  Trace(SegmentTrace::kTensor, 0);
  const bool is_i8 = tensor.dtype == DType::kI8;
  AdaptiveBit* tree = contexts_.mode[is_i8 ? 1 : 0];
  const unsigned mode = Symbol(tree, 8);
  if (rans_.overrun()) return CoreStatus::kBadStream;
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
      const uint32_t zigzag = static_cast<uint32_t>(rans_.Gamma(&contexts_.level));
      const int step = static_cast<int>(zigzag >> 1) ^ -static_cast<int>(zigzag & 1);
      level_offset_ += step;
      const int level = level_offset_ + record.level;
      if (level < 0 || level >= static_cast<int>(kLevelCount)) return CoreStatus::kBadStream;
      level_ = static_cast<unsigned>(level);
      if (mode_ == TensorMode::kGap && (record.flags & kFlagColumnPrior) && !order_.Build(layout_->shared(), record)) {
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
    case TensorMode::kPlain:
      if (tensor.element_size != 1) return CoreStatus::kBadMode;
      break;
  }
  scales_ = escapes_ = 0;
  Trace(SegmentTrace::kMode, level_);
  const bool has_scales = mode_ == TensorMode::kGap || mode_ == TensorMode::kGapFlat || mode_ == TensorMode::kSign;
  if (has_scales && !ReadTensorScale()) return CoreStatus::kBadStream;
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

CoreStatus SegmentDecoder::Decode(const StripCursor& cursor, size_t size, uint8_t* io) {
  if (!in_tensor_ || cursor.tensor_index() != tensor_index_) {
    const CoreStatus entered = EnterTensor(cursor);
    if (entered != CoreStatus::kOk) return entered;
  }
  switch (mode_) {
    case TensorMode::kSame:
      return CoreStatus::kOk;
    case TensorMode::kGap:
    case TensorMode::kGapFlat:
      passing_over_ = io == nullptr;
      return passing_over_ ? PassOverGaps(cursor, size) : DecodeGaps(cursor, size, io);
    case TensorMode::kSign:
      return DecodeSigns(cursor, size, io);
    case TensorMode::kResidual:
      return DecodeResiduals(cursor, size, io);
    case TensorMode::kRaw:
    case TensorMode::kPlain:
      return DecodeBytes(size, io);
  }
  return CoreStatus::kBadMode;
}

// Forgets the groups before that of `weight`.
void SegmentDecoder::MoveGroups(size_t weight) {
  const uint32_t group = static_cast<uint32_t>(weight >> kGroupShift);
  const uint32_t steps = group - group_;
  group_ = group;
  strip_.in_group = static_cast<uint32_t>(weight) % kGroupSize;
  scales_ = steps < 4 ? scales_ >> 8 * steps : 0;
  escapes_ = steps < 4 ? escapes_ >> 8 * steps : 0;
}

// Decodes a scale into last_scale_.
bool SegmentDecoder::ReadScale() {
  Trace(SegmentTrace::kScaleBegin, 0);
  if (!rans_.Bit(&contexts_.same_scale)) last_scale_ = static_cast<uint8_t>(rans_.Gamma(&contexts_.scale));
  Trace(SegmentTrace::kScaleEnd, last_scale_);
  return !rans_.overrun();
}

// Whether the tensor has one scale, and which.
bool SegmentDecoder::ReadTensorScale() {
  tensor_scale_ = 0;
  if (!rans_.Bit(&contexts_.one_scale)) return !rans_.overrun();
  if (!ReadScale()) return false;
  tensor_scale_ = last_scale_;
  return tensor_scale_ != 0;  // The escape is for groups.
}

// Decodes the scale of the group `group` places from group_ on.
bool SegmentDecoder::ReadGroupScale(unsigned group) {
  if (!ReadScale()) return false;
  scales_ |= static_cast<uint32_t>(last_scale_) << 8 * group;
  if (last_scale_ == 0) escapes_ |= 1u << 8 * group;
  return true;
}

// Decodes the gap that follows a weight of a level.
bool SegmentDecoder::DecodeGap(uint16_t* lane, unsigned level) {
  const GapLookup& table = *levels_[level].table;
  const unsigned bits = levels_[level].bits;
  uint32_t gap = 0;
  for (;;) {
    const uint32_t slot = rans_.Slot();
    unsigned q = table.first[slot >> 6];
    while (table.starts[q + 1] <= slot) ++q;
    rans_.Advance(table.starts[q + 1] - table.starts[q], table.starts[q], slot);
    gap += q << (bits - 1);
    if (gap >= kMaxGap) return false;
    if (q != kEscape) break;
    if (rans_.overrun()) return false;
  }
  const uint32_t raw = rans_.Raw(bits);
  gap += raw >> 1;
  const uint32_t in_lane = gap < kLaneBias ? gap : kLaneBias - 1;
  *lane = static_cast<uint16_t>(kLaneBias + in_lane);
  levels_[level].rest = ((gap - in_lane) << 1) | (raw & 1);
  return true;
}

// What DecodeHits() leaves to others, at place `at` of the strip: a gap that is not pending or begins with the escape,
// a scale that is not known, a group with the escape. Returns where to go on, or kBadRun, see failure_.
uint32_t SegmentDecoder::DecodeRareHit(uint16_t* lane, uint32_t at, unsigned level) {
  failure_ = CoreStatus::kBadStream;
  if (levels_[level].rest == kNoGap) return DecodeGap(lane, level) ? at : kBadRun;
  const size_t i = strip_.order != nullptr ? strip_.order[at] : at;
  uint32_t scale = tensor_scale_;
  if (scale == 0) {
    const unsigned group = static_cast<unsigned>(strip_.in_group + i) >> kGroupShift;
    scale = scales_ >> 8 * group & 0xFF;
    if (scale == 0 && (escapes_ >> 8 * group & 1) == 0) {
      if (!ReadGroupScale(group)) return kBadRun;
      scale = last_scale_;
      if (strip_.one_group) strip_.scale = scale;
    }
  }
  int step = static_cast<int>(scale);
  if (scale == 0) {
    const unsigned context = level / 2 < kMagnitudeContexts ? level / 2 : kMagnitudeContexts - 1;
    step = static_cast<int>(rans_.Gamma(&contexts_.magnitude[context])) + 1;
    if (rans_.overrun()) return kBadRun;
  }
  if ((levels_[level].rest & 1) != 0) step = -step;
  const int moved = static_cast<int8_t>(strip_.io[i]) + step;
  const int clipped = moved < -128 ? -128 : moved > 127 ? 127 : moved;
  if (scale == 0 && clipped != moved && !passing_over_) {
    failure_ = CoreStatus::kOutOfRange;
    return kBadRun;
  }
  strip_.io[i] = static_cast<uint8_t>(clipped);
  return DecodeGap(lane, level) ? at + 1 : kBadRun;
}

// A run of weights of one level, which have the places `at` to `end` - 1 in the strip; the level's gap ends in it.
// False: see failure_.
bool SegmentDecoder::DecodeRun(uint16_t* lane, uint32_t at, uint32_t end, unsigned level) {
  for (;;) {
    at = DecodeHits(lane, at, end, level);
    if (__builtin_expect(at < kStopped, 1)) return true;
    at = DecodeRareHit(lane, at - kStopped, level);
    if (at == kBadRun) return false;
  }
}

CoreStatus SegmentDecoder::PassOverGaps(const StripCursor& cursor, size_t size) {
  uint8_t nobodys[kStripSize] = {};
  StripCursor at = cursor;
  for (;;) {
    const uint32_t strip_size = at.strip().size;
    const CoreStatus decoded = DecodeGaps(at, strip_size, nobodys);
    size -= strip_size;
    if (decoded != CoreStatus::kOk || size == 0) return decoded;
    at.Next();
  }
}

CoreStatus SegmentDecoder::DecodeSigns(const StripCursor& cursor, size_t size, uint8_t* io) {
  size_t weight = cursor.strip().in_tensor;
  while (size > 0) {  // By groups.
    const size_t to_next = kGroupSize - weight % kGroupSize;
    const size_t count = size < to_next ? size : to_next;
    uint32_t scale = tensor_scale_;
    if (scale == 0) {
      MoveGroups(weight);
      if ((scales_ & 0xFF) == 0 && ((escapes_ & 1) != 0 || !ReadGroupScale(0))) return CoreStatus::kBadStream;
      scale = scales_ & 0xFF;
      if (scale == 0) return CoreStatus::kBadStream;
    }
    RansDecoder rans = rans_;
    for (size_t i = 0; i < count; ++i) {
      const uint32_t negative = 0 - rans.Raw(1);
      if (io != nullptr) io[i] = Moved(io[i], scale, negative);
    }
    rans_ = rans;
    if (io != nullptr) io += count;
    weight += count;
    size -= count;
  }
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

CoreStatus SegmentDecoder::DecodeResiduals(const StripCursor& cursor, size_t size, uint8_t* io) {
  const VariantTensor& tensor = cursor.tensor();
  const unsigned element_size = tensor.element_size;
  const unsigned width = 8 * element_size;
  const bool is_float = IsFloat(tensor.dtype);
  for (size_t at = 0; at < size; at += element_size) {
    uint64_t r = element_size > 1 ? rans_.Gamma(&contexts_.residual) : rans_.Gamma(&contexts_.byte_residual);
    if (r != 0 && rans_.Raw(1) != 0) r = 0 - r;
    if (io == nullptr) continue;
    const int64_t b = ElementToOrdered(LoadElement(io + at, element_size), width, is_float, shift_);
    const int64_t a = SignExtend(static_cast<uint64_t>(b) + r, width - shift_);
    StoreElement(io + at, element_size, OrderedToElement(a, width, is_float, shift_));
  }
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

// Raw ones, and plain ones. One loop for both, which are rare: a board's flash counts for more than their time.
CoreStatus SegmentDecoder::DecodeBytes(size_t size, uint8_t* io) {
  for (size_t i = 0; i < size; ++i) {
    const unsigned byte = mode_ == TensorMode::kRaw ? rans_.Raw(8) : Symbol(contexts_.plain, 256);
    if (io != nullptr) io[i] = static_cast<uint8_t>(byte);
  }
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

}  // namespace modelvault
