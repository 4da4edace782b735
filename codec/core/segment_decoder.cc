#include "codec/core/segment_decoder.h"

#include "codec/core/gap_tables.h"

namespace modelvault {
namespace {

constexpr uint32_t kNoGap = 0xFFFFFFFFu;
constexpr uint32_t kLaneBias = 0x8000;   // What lanes are above the gaps in them,
constexpr uint32_t kBias = 0x80008000u;  // and pairs of lanes above pairs of gaps.
constexpr unsigned kLastClass = kClassCount - 1;
constexpr unsigned kEscape = kGapSymbolCount - 1;
// Beside places in a strip:
constexpr uint32_t kStopped = 0x10000;
constexpr uint32_t kBadRun = 0xFFFFFFFFu;

// Two neighbouring lanes or counts at once, at an even index.
inline uint32_t LoadPair(const uint16_t* p) {
  uint32_t pair;
  memcpy(&pair, __builtin_assume_aligned(p, 4), sizeof(pair));
  return pair;
}
inline void StorePair(uint16_t* p, uint32_t pair) { memcpy(__builtin_assume_aligned(p, 4), &pair, sizeof(pair)); }

// A weight moved by the group's scale, or back where `negative` is all ones.
inline uint8_t Moved(uint8_t weight, uint32_t scale, uint32_t negative) {
  const int moved = static_cast<int8_t>(weight) + static_cast<int>((scale ^ negative) - negative);
  return static_cast<uint8_t>(moved < -128 ? -128 : moved > 127 ? 127 : moved);
}

}  // namespace

[[gnu::hot]] bool ColumnOrder::Build(const Model& model, const TensorRecord& t) {
  if (t.cols > columns) return false;
  const size_t cols = static_cast<size_t>(t.cols);
  const uint8_t* packed = model.column_classes(t);
  for (size_t begin = 0; begin < cols; begin += kStripSize) {
    const size_t count = cols - begin < kStripSize ? cols - begin : kStripSize;
    uint8_t classes[kStripSize];
    uint16_t places[kClassCount] = {};
    for (size_t j = 0; j < count; j += 2) {
      const unsigned pair = *packed++;
      classes[j] = pair & 15;
      classes[j + 1] = static_cast<uint8_t>(pair >> 4);
      ++places[pair & 15];
      if (j + 1 < count) ++places[pair >> 4];
    }
    StripColumns* strip = &strips[begin / kStripSize];
    memset(strip, 0, sizeof(*strip));
    uint16_t sum = 0;
    for (unsigned c = 0; c < kClassCount; ++c) {  // From counts to starts.
      const uint16_t n = places[c];
      if (c != kLastClass && n != 0) {
        strip->counts[0][c] = strip->counts[1][c + 1] = n;
        strip->class_count = static_cast<uint8_t>(c + 1);
      }
      strip->starts[c] = static_cast<uint8_t>(sum);  // Less than 256 where the class has columns.
      strip->last = sum;
      places[c] = sum;
      sum = static_cast<uint16_t>(sum + n);
    }
    for (size_t j = 0; j < count; ++j) order[begin + places[classes[j]]++] = static_cast<uint8_t>(j);
  }
  return true;
}

[[gnu::hot]] CoreStatus SegmentDecoder::Start(ByteView stream) {
  // In place: a temporary would be 3 KiB of stack.
  const AdaptiveBit fresh;
  static_assert(sizeof(SegmentContexts) % sizeof(fresh) == 0);
  uint8_t* const contexts = reinterpret_cast<uint8_t*>(&contexts_);
  for (size_t at = 0; at < sizeof(contexts_); at += sizeof(fresh)) memcpy(contexts + at, &fresh, sizeof(fresh));
  for (auto& lanes : lanes_) {
    for (uint16_t& lane : lanes) lane = kLaneBias;
  }
  for (unsigned level = 0; level < kLevelCount; ++level) {
    levels_[level] = {kNoGap, static_cast<uint8_t>(GapTable(level)), static_cast<uint8_t>(GapShift(level))};
  }
  in_tensor_ = false;
  last_scale_ = 1;
  level_offset_ = 0;
  return rans_.Start(stream) ? CoreStatus::kOk : CoreStatus::kBadStream;
}

[[gnu::cold]] CoreStatus SegmentDecoder::Finish() {
  Trace(SegmentTrace::kEnd, 0);
  return rans_.AtEnd() ? CoreStatus::kOk : CoreStatus::kBadStream;
}

[[gnu::hot]] CoreStatus SegmentDecoder::EnterTensor(const StripCursor& cursor) {
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
      const uint32_t zigzag = static_cast<uint32_t>(rans_.Gamma(&contexts_.level));
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
  scales_ = escapes_ = 0;
  Trace(SegmentTrace::kMode, level_);
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

[[gnu::hot]] CoreStatus SegmentDecoder::Decode(const StripCursor& cursor, size_t size, uint8_t* io) {
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
      return DecodeRaw(size, io);
  }
  return CoreStatus::kBadMode;
}

// Forgets the groups before that of `weight`.
[[gnu::hot]] void SegmentDecoder::MoveGroups(uint64_t weight) {
  const uint32_t group = static_cast<uint32_t>(weight >> kGroupShift);
  const uint32_t steps = group - group_;
  group_ = group;
  scales_ = steps < 4 ? scales_ >> 8 * steps : 0;
  escapes_ = steps < 4 ? escapes_ >> 8 * steps : 0;
}

// Decodes the scale of the group `group` places from group_ on.
[[gnu::hot]] bool SegmentDecoder::ReadScale(unsigned group) {
  Trace(SegmentTrace::kScaleBegin, 0);
  if (!rans_.Bit(&contexts_.same_scale)) last_scale_ = static_cast<uint8_t>(rans_.Gamma(&contexts_.scale));
  Trace(SegmentTrace::kScaleEnd, last_scale_);
  scales_ |= static_cast<uint32_t>(last_scale_) << 8 * group;
  if (last_scale_ == 0) escapes_ |= 1u << 8 * group;
  return !rans_.overrun();
}

// Decodes the gap that follows a weight of a level.
[[gnu::hot]] bool SegmentDecoder::DecodeGap(uint16_t* lane, unsigned level) {
  const GapLookup& table = *FindGapLookup(levels_[level].table);
  const unsigned shift = levels_[level].shift;
  uint32_t gap = 0;
  for (;;) {
    const uint32_t slot = rans_.Slot();
    unsigned q = kEscape;
    while (table.starts[q] > slot) --q;
    const uint32_t end = q == kEscape ? kProbabilityScale : table.starts[q + 1];
    rans_.Advance(end - table.starts[q], table.starts[q], slot);
    gap += q << shift;
    if (gap >= kMaxGap) return false;
    if (q != kEscape) break;
    if (rans_.overrun()) return false;
  }
  const uint32_t raw = rans_.Raw(shift + 1);
  gap += raw >> 1;
  const uint32_t in_lane = gap < kLaneBias ? gap : kLaneBias - 1;
  *lane = static_cast<uint16_t>(kLaneBias + in_lane);
  levels_[level].rest = ((gap - in_lane) << 1) | (raw & 1);
  return true;
}

// What DecodeHits() leaves to others, at place `at` of the strip: a gap that is not pending or begins with the escape, a
// scale that is not known, a group with the escape. Returns where to go on, or kBadRun, see failure_.
[[gnu::hot]] uint32_t SegmentDecoder::DecodeRareHit(uint16_t* lane, uint32_t at, unsigned level) {
  failure_ = CoreStatus::kBadStream;
  if (levels_[level].rest == kNoGap) return DecodeGap(lane, level) ? at : kBadRun;
  const size_t i = strip_.order != nullptr ? strip_.order[at] : at;
  const unsigned group = static_cast<unsigned>(strip_.in_group + i) >> kGroupShift;
  if ((escapes_ >> 8 * group & 1) == 0) {
    if (!ReadScale(group)) return kBadRun;
    if (strip_.one_group) strip_.scale = last_scale_;
    if (last_scale_ != 0) return at;
  }
  const unsigned context = level / 2 < kMagnitudeContexts ? level / 2 : kMagnitudeContexts - 1;
  const int magnitude = static_cast<int>(rans_.Gamma(&contexts_.magnitude[context])) + 1;
  if (!passing_over_) {
    const int moved = static_cast<int8_t>(strip_.io[i]) + ((levels_[level].rest & 1) != 0 ? -magnitude : magnitude);
    if (rans_.overrun()) return kBadRun;
    if (moved < -128 || moved > 127) {
      failure_ = CoreStatus::kOutOfRange;
      return kBadRun;
    }
    strip_.io[i] = static_cast<uint8_t>(moved);
  }
  return DecodeGap(lane, level) ? at + 1 : kBadRun;
}

// Decodes weights of a level that differ, from place `at` of the strip on, where the level's gap begins, up to place
// `end`: the innermost loop on the board. Returns `end`, or, plus kStopped, the place where DecodeRareHit() must help.
[[gnu::hot]] uint32_t SegmentDecoder::DecodeHits(uint16_t* lane, uint32_t at, uint32_t end, unsigned level) {
  Level* const state = &levels_[level];
  uint32_t rest = state->rest;
  if (rest == kNoGap) return at + kStopped;
  const GapLookup* const table = FindGapLookup(state->table);
  const uint32_t escape = table->starts[kEscape];
  const unsigned shift = state->shift;
  const uint32_t mask = (2u << shift) - 1;
  uint8_t* const io = strip_.io;
  const uint8_t* const order = strip_.order;
  const uint32_t common_scale = strip_.scale;
  RansDecoder rans = rans_;
  at += *lane - kLaneBias + (rest >> 1);
  uint32_t negative = 0 - (rest & 1);
  uint32_t in_lane = 0;
  for (;;) {
    if (at >= end) {
      in_lane = at - end;
      rest = negative & 1;
      if (__builtin_expect(in_lane >= kLaneBias, 0)) {
        rest += (in_lane - (kLaneBias - 1)) << 1;
        in_lane = kLaneBias - 1;
      }
      at = end;
      break;
    }
    const size_t i = order != nullptr ? order[at] : at;
    uint32_t scale = common_scale;
    if (__builtin_expect(scale == 0, 0)) {
      scale = scales_ >> (static_cast<uint32_t>(strip_.in_group + i) >> kGroupShift) * 8 & 0xFF;
      if (scale == 0) {
        rest = negative & 1;
        at += kStopped;
        break;
      }
    }
    const uint32_t moved =
        static_cast<uint32_t>(static_cast<int8_t>(io[i])) + ((scale ^ negative) - negative);  // Modulo 2^32.
    io[i] = static_cast<uint8_t>(__builtin_expect(moved + 128 < 256, 1) ? moved : moved >> 31 != 0 ? 0x80 : 0x7F);
    ++at;

    const uint32_t slot = rans.Slot();
    if (__builtin_expect(slot >= escape, 0)) {
      rest = kNoGap;
      at += kStopped;
      break;
    }
    uint32_t q = table->first[slot >> 6];
    uint32_t start = table->starts[q];
    uint32_t next = table->starts[q + 1];
    while (next <= slot) {
      ++q;
      start = next;
      next = table->starts[q + 1];
    }
    rans.Advance(next - start, start, slot);
    const uint32_t raw = rans.Raw(shift + 1, mask);
    at += (q << shift) + (raw >> 1);
    negative = 0 - (raw & 1);
  }
  rans_ = rans;
  state->rest = rest;
  *lane = static_cast<uint16_t>(kLaneBias + in_lane);
  return at;
}

// Goes on where DecodeHits() stopped. False: see failure_.
[[gnu::hot]] bool SegmentDecoder::FinishRun(uint16_t* lane, uint32_t at, uint32_t end, unsigned level) {
  for (;;) {
    at = DecodeRareHit(lane, at - kStopped, level);
    if (at == kBadRun) return false;
    const uint32_t after = *lane - (end - at);
    if (after >= kLaneBias) {
      *lane = static_cast<uint16_t>(after);
      return true;
    }
    at = DecodeHits(lane, at, end, level);
    if (at < kStopped) return true;
  }
}

// A run of weights of one level, which have the places `begin` to `end` - 1 in the strip; the level's gap ends in it.
[[gnu::hot]] inline bool SegmentDecoder::DecodeRun(uint16_t* lane, uint32_t begin, uint32_t end, unsigned level) {
  const uint32_t at = DecodeHits(lane, begin, end, level);
  return __builtin_expect(at < kStopped, 1) || FinishRun(lane, at, end, level);
}

// The strip's columns of all classes but the last. Returns where those of the last class start or, if some are beyond
// the last level, those; less than 0: see failure_.
[[gnu::hot]] inline int SegmentDecoder::DecodeColumns(const StripColumns& columns, unsigned row_level) {
  const unsigned odd = (row_level >> 1) & 1;
  const uint16_t* counts = columns.counts[odd];
  const uint16_t* const end = counts + columns.class_count + odd;
  uint16_t* lanes = &lanes_[row_level & 1][(row_level >> 1) - odd];
  for (; counts < end; lanes += 2, counts += 2) {
    const uint32_t left = LoadPair(lanes) - LoadPair(counts);
    if (__builtin_expect((left & kBias) == kBias, 1)) {
      StorePair(lanes, left);
      continue;
    }
    const int c = static_cast<int>(counts - columns.counts[odd]) - static_cast<int>(odd);
    const unsigned level = row_level + 2 * static_cast<unsigned>(c);
    const uint8_t* starts = columns.starts + c;
    if ((left & kLaneBias) != 0) {
      lanes[0] = static_cast<uint16_t>(left);
    } else {
      if (level >= kLevelCount) return starts[0];
      if (!DecodeRun(lanes, starts[0], starts[0] + counts[0], level)) return -1;
    }
    if (left >> 31 != 0) {
      lanes[1] = static_cast<uint16_t>(left >> 16);
    } else {
      if (level + 2 >= kLevelCount) return starts[1];
      if (!DecodeRun(lanes + 1, starts[1], starts[1] + counts[1], level + 2)) return -1;
    }
  }
  return columns.last;
}

[[gnu::hot]] CoreStatus SegmentDecoder::DecodeGaps(const StripCursor& cursor, size_t size, uint8_t* io) {
  const TensorRecord& record = cursor.record();
  const Strip& strip = cursor.strip();
  MoveGroups(strip.in_tensor);
  strip_.in_group = static_cast<uint32_t>(strip.in_tensor) % kGroupSize;
  strip_.order = nullptr;
  const bool by_row = mode_ == TensorMode::kGap && (record.flags & kFlagRowPrior) != 0;
  const bool by_column = mode_ == TensorMode::kGap && (record.flags & kFlagColumnPrior) != 0;
  // Without classes it does not matter where lines end.
  const size_t line = by_row || by_column ? static_cast<size_t>(record.cols) : size;
  size_t in_line = by_row || by_column ? strip.in_line : 0;
  const uint8_t* row_classes = layout_->model().row_classes(record) + static_cast<size_t>(strip.row / 2);
  unsigned row_shift = strip.row % 2 * 4;
  uint8_t* const io_end = io + size;
  unsigned row_level = level_;
  while (io != io_end) {
    if (by_row) {
      row_level = level_ + ClassStep(*row_classes >> row_shift & 15);
      row_classes += row_shift / 4;
      row_shift ^= 4;
    }
    do {
      const uint32_t strip_size = static_cast<uint32_t>(line - in_line < kStripSize ? line - in_line : kStripSize);
      strip_.io = io;
      strip_.one_group = strip_.in_group + strip_size <= kGroupSize;
      strip_.scale = strip_.one_group ? scales_ & 0xFF : 0;
      // Weights of the last class or beyond the last level are one run, the strip's last; without columns it is all.
      uint32_t begin = 0;
      unsigned level = row_level;
      if (by_column) {
        strip_.order = order_.order + in_line;
        if (level < kLevelCount) {
          const int decoded = DecodeColumns(order_.strips[in_line / kStripSize], level);
          if (decoded < 0) return failure_;
          begin = static_cast<uint32_t>(decoded);
          level += ClassStep(kLastClass);
        }
      }
      if (begin < strip_size) {
        if (level >= kLevelCount) level = kLevelCount - 1;
        uint16_t* lane = &lanes_[level & 1][level >> 1];
        const uint32_t left = *lane - (strip_size - begin);
        if (left >= kLaneBias) {
          *lane = static_cast<uint16_t>(left);
        } else if (!DecodeRun(lane, begin, strip_size, level)) {
          return failure_;
        }
      }
      strip_.in_group += strip_size;
      if (strip_.in_group >= kGroupSize) {
        const unsigned groups = strip_.in_group / kGroupSize;
        strip_.in_group %= kGroupSize;
        group_ += groups;
        scales_ >>= 8 * groups;
        escapes_ >>= 8 * groups;
      }
      io += strip_size;
      in_line += strip_size;
    } while (in_line < line && io != io_end);
    in_line = 0;
  }
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

[[gnu::cold]] CoreStatus SegmentDecoder::PassOverGaps(const StripCursor& cursor, size_t size) {
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

[[gnu::cold]] CoreStatus SegmentDecoder::DecodeSigns(const StripCursor& cursor, size_t size, uint8_t* io) {
  uint64_t weight = cursor.strip().in_tensor;
  while (size > 0) {  // By groups.
    const size_t to_next = kGroupSize - static_cast<size_t>(weight % kGroupSize);
    const size_t count = size < to_next ? size : to_next;
    MoveGroups(weight);
    if ((scales_ & 0xFF) == 0 && ((escapes_ & 1) != 0 || !ReadScale(0))) return CoreStatus::kBadStream;
    const uint32_t scale = scales_ & 0xFF;
    if (scale == 0) return CoreStatus::kBadStream;
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

[[gnu::cold]] CoreStatus SegmentDecoder::DecodeResiduals(const StripCursor& cursor, size_t size, uint8_t* io) {
  const VariantTensor& tensor = cursor.tensor();
  const unsigned element_size = tensor.element_size;
  const unsigned width = 8 * element_size;
  const bool is_float = IsFloat(tensor.dtype);
  AdaptiveGamma<64>* code = &contexts_.residual[element_size > 1 ? 1 : 0];
  for (size_t at = 0; at < size; at += element_size) {
    uint64_t r = rans_.Gamma(code);
    if (r != 0 && rans_.Raw(1) != 0) r = 0 - r;
    if (io == nullptr) continue;
    const int64_t b = ElementToOrdered(LoadElement(io + at, element_size), width, is_float, shift_);
    const int64_t a = SignExtend(static_cast<uint64_t>(b) + r, width - shift_);
    StoreElement(io + at, element_size, OrderedToElement(a, width, is_float, shift_));
  }
  return rans_.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

[[gnu::cold]] CoreStatus SegmentDecoder::DecodeRaw(size_t size, uint8_t* io) {
  RansDecoder rans = rans_;
  for (size_t i = 0; i < size; ++i) {
    const uint8_t byte = static_cast<uint8_t>(rans.Raw(8));
    if (io != nullptr) io[i] = byte;
  }
  rans_ = rans;
  return rans.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

}  // namespace modelvault
