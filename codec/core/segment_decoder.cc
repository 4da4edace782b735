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
    levels_[level] = {kNoGap, FindGapLookup(GapTable(level)), static_cast<uint8_t>(GapShift(level))};
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
  const bool has_scales = mode_ == TensorMode::kGap || mode_ == TensorMode::kGapFlat || mode_ == TensorMode::kSign;
  if (has_scales && !ReadTensorScale()) return CoreStatus::kBadStream;
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

// Decodes a scale into last_scale_.
[[gnu::hot]] bool SegmentDecoder::ReadScale() {
  Trace(SegmentTrace::kScaleBegin, 0);
  if (!rans_.Bit(&contexts_.same_scale)) last_scale_ = static_cast<uint8_t>(rans_.Gamma(&contexts_.scale));
  Trace(SegmentTrace::kScaleEnd, last_scale_);
  return !rans_.overrun();
}

// Whether the tensor has one scale, and which.
[[gnu::hot]] bool SegmentDecoder::ReadTensorScale() {
  tensor_scale_ = 0;
  if (!rans_.Bit(&contexts_.one_scale)) return !rans_.overrun();
  if (!ReadScale()) return false;
  tensor_scale_ = last_scale_;
  return tensor_scale_ != 0;  // The escape is for groups.
}

// Decodes the scale of the group `group` places from group_ on.
[[gnu::hot]] bool SegmentDecoder::ReadGroupScale(unsigned group) {
  if (!ReadScale()) return false;
  scales_ |= static_cast<uint32_t>(last_scale_) << 8 * group;
  if (last_scale_ == 0) escapes_ |= 1u << 8 * group;
  return true;
}

// Decodes the gap that follows a weight of a level.
[[gnu::hot]] bool SegmentDecoder::DecodeGap(uint16_t* lane, unsigned level) {
  const GapLookup& table = *levels_[level].table;
  const unsigned shift = levels_[level].shift;
  uint32_t gap = 0;
  for (;;) {
    const uint32_t slot = rans_.Slot();
    unsigned q = kEscape;
    while (table.starts[q] > slot) --q;
    rans_.Advance(table.starts[q + 1] - table.starts[q], table.starts[q], slot);
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
  // With one scale for all a hit comes here only for its gap, which is not pending.
  if ((escapes_ >> 8 * group & 1) == 0) {
    if (!ReadGroupScale(group)) return kBadRun;
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

// Decodes weights of a level that differ, the first at place `at` of the strip, those before place `end`: the innermost
// loop on the board. Returns `end`, or, plus kStopped, the place where DecodeRareHit() must help. `scale` is that of all
// weights of the strip, or 0: look.
[[gnu::always_inline]] inline uint32_t SegmentDecoder::Hits(RansDecoder* rans, uint16_t* lane, Level* state, uint32_t at,
                                                            uint32_t end, uint32_t scale, uint8_t* io,
                                                            const uint8_t* order) const {
  const GapLookup* const table = state->table;
  const unsigned shift = state->shift;
  uint32_t negative = 0 - (state->rest & 1);
  uint32_t rest;
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
    uint32_t k = scale;
    if (__builtin_expect(k == 0, 0)) {
      k = scales_ >> (static_cast<uint32_t>(strip_.in_group + i) >> kGroupShift) * 8 & 0xFF;
      if (k == 0) {
        rest = negative & 1;
        at += kStopped;
        break;
      }
    }
    const uint32_t moved =
        static_cast<uint32_t>(static_cast<int8_t>(io[i])) + ((k ^ negative) - negative);  // Modulo 2^32.
    io[i] = static_cast<uint8_t>(__builtin_expect(moved + 128 < 256, 1) ? moved : moved >> 31 != 0 ? 0x80 : 0x7F);
    ++at;

    const uint32_t slot = rans->Slot();
    uint32_t q = table->first[slot >> 6];
    uint32_t start = table->starts[q];
    uint32_t next = table->starts[q + 1];
    while (next <= slot) {
      ++q;
      start = next;
      next = table->starts[q + 1];
    }
    if (__builtin_expect(q == kEscape, 0)) {
      rest = kNoGap;
      at += kStopped;
      break;
    }
    rans->Advance(next - start, start, slot);
    const uint32_t raw = rans->Raw(shift + 1);
    at += (q << shift) + (raw >> 1);
    negative = 0 - (raw & 1);
  }
  state->rest = rest;
  *lane = static_cast<uint16_t>(kLaneBias + in_lane);
  return at;
}

// The same for a run that begins at place `at`, where the level's gap begins.
[[gnu::hot]] uint32_t SegmentDecoder::DecodeHits(uint16_t* lane, uint32_t at, uint32_t end, unsigned level) {
  Level* const state = &levels_[level];
  if (state->rest == kNoGap) return at + kStopped;
  RansDecoder rans = rans_;
  at = Hits(&rans, lane, state, at + (*lane - kLaneBias) + (state->rest >> 1), end, strip_.scale, strip_.io, strip_.order);
  rans_ = rans;
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
[[gnu::hot]] bool SegmentDecoder::DecodeRun(uint16_t* lane, uint32_t begin, uint32_t end, unsigned level) {
  const uint32_t at = DecodeHits(lane, begin, end, level);
  return __builtin_expect(at < kStopped, 1) || FinishRun(lane, at, end, level);
}

[[gnu::hot]] CoreStatus SegmentDecoder::DecodeGaps(const StripCursor& cursor, size_t size, uint8_t* io) {
  const TensorRecord& record = cursor.record();
  const Strip& strip = cursor.strip();
  if (tensor_scale_ == 0) MoveGroups(strip.in_tensor);
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
  RansDecoder rans = rans_;
  while (io != io_end) {
    if (by_row) {
      row_level = level_ + ClassStep(*row_classes >> row_shift & 15);
      row_classes += row_shift / 4;
      row_shift ^= 4;
    }
    do {
      const uint32_t strip_size = static_cast<uint32_t>(line - in_line < kStripSize ? line - in_line : kStripSize);
      uint32_t scale = tensor_scale_;
      strip_.io = io;
      if (scale == 0) {
        strip_.one_group = strip_.in_group + strip_size <= kGroupSize;
        scale = strip_.one_group ? scales_ & 0xFF : 0;
      }
      strip_.scale = scale;
      // Weights of the last class or beyond the last level are one run, the strip's last; without columns it is all.
      uint32_t begin = 0;
      unsigned level = row_level;
      const uint8_t* order = nullptr;
      if (by_column) strip_.order = order = order_.order + in_line;
      if (by_column && level < kLevelCount) {
        const StripColumns* const columns = &order_.strips[in_line / kStripSize];
        begin = columns->last;
        level += ClassStep(kLastClass);
        // Classes by pairs, their levels beside each other in a word of lanes.
        const unsigned odd = (row_level >> 1) & 1;
        const uint16_t* counts = columns->counts[odd];
        const uint16_t* const end = counts + columns->class_count + odd;
        uint16_t* lanes = &lanes_[row_level & 1][(row_level >> 1) - odd];
        for (; counts < end; lanes += 2, counts += 2) {
          const uint32_t left = LoadPair(lanes) - LoadPair(counts);
          uint32_t ended = ~left & kBias;
          StorePair(lanes, left);
          if (__builtin_expect(ended == 0, 1)) continue;
          do {
            const unsigned half = (ended & kLaneBias) != 0 ? 0 : 1;
            ended &= ended - 1;
            // Class c of a row whose level is r has level r + 2 c.
            const size_t c = static_cast<size_t>(counts - columns->counts[odd]) + half - odd;
            const unsigned hit_level = row_level + 2 * static_cast<unsigned>(c);
            if (__builtin_expect(hit_level >= kLevelCount, 0)) {
              // From here on all are of the last level. Lanes beyond it stay as they are.
              lanes[half] = lanes[1] = static_cast<uint16_t>(kLaneBias);
              begin = columns->starts[c];
              counts = end;
              break;
            }
            Level* const state = &levels_[hit_level];
            uint16_t* const lane = lanes + half;
            const uint32_t run_end = columns->starts[c] + uint32_t{counts[half]};
            const uint32_t rest = state->rest;
            uint32_t at;
            if (__builtin_expect(rest != kNoGap, 1)) {
              at = Hits(&rans, lane, state, run_end + *lane - kLaneBias + (rest >> 1), run_end, scale, io, order);
              if (__builtin_expect(at < kStopped, 1)) continue;
            } else {
              *lane = static_cast<uint16_t>(*lane + counts[half]);
              at = columns->starts[c] + kStopped;
            }
            rans_ = rans;
            if (!FinishRun(lane, at, run_end, hit_level)) return failure_;
            rans = rans_;
            scale = strip_.scale;
          } while (ended != 0);
        }
      }
      if (begin < strip_size) {
        if (level >= kLevelCount) level = kLevelCount - 1;
        uint16_t* lane = &lanes_[level & 1][level >> 1];
        const uint32_t left = *lane - (strip_size - begin);
        if (left >= kLaneBias) {
          *lane = static_cast<uint16_t>(left);
        } else {
          rans_ = rans;
          if (!DecodeRun(lane, begin, strip_size, level)) return failure_;
          rans = rans_;
        }
      }
      if (tensor_scale_ == 0) {
        strip_.in_group += strip_size;
        if (strip_.in_group >= kGroupSize) {
          const unsigned groups = strip_.in_group / kGroupSize;
          strip_.in_group %= kGroupSize;
          group_ += groups;
          scales_ >>= 8 * groups;
          escapes_ >>= 8 * groups;
        }
      }
      io += strip_size;
      in_line += strip_size;
    } while (in_line < line && io != io_end);
    in_line = 0;
  }
  rans_ = rans;
  return rans.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
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
