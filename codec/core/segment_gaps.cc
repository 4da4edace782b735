// SegmentDecoder's loops over strips and over the weights in them that differ.
#include "codec/core/segment_decoder.h"

namespace modelvault {
namespace {

constexpr uint32_t kBias = 0x80008000u;  // What pairs of lanes are above pairs of gaps.
constexpr unsigned kLastClass = kClassCount - 1;
// Without classes and with one scale for all nothing ends with a strip.
constexpr size_t kLongStrip = 0x4000;

// Two neighbouring lanes or counts at once, at an even index.
inline uint32_t LoadPair(const uint16_t* p) {
  uint32_t pair;
  memcpy(&pair, __builtin_assume_aligned(p, 4), sizeof(pair));
  return pair;
}
inline void StorePair(uint16_t* p, uint32_t pair) { memcpy(__builtin_assume_aligned(p, 4), &pair, sizeof(pair)); }

}  // namespace

// Decodes weights of a level that differ, the first at place `at` of the strip, those before place `end`: the innermost
// loop on the board. Returns `end`, or, plus kStopped, the place where DecodeRareHit() must help. `scale` is that of
// all weights of the strip, or 0, where columns are ordered: look.
template <bool kOrdered>
[[gnu::always_inline]] inline uint32_t SegmentDecoder::Hits(RansDecoder* rans, uint16_t* lane, Level* state,
                                                            uint32_t at, uint32_t end, uint32_t scale, uint8_t* io,
                                                            const uint8_t* order) const {
  const GapLookup* const table = state->table;
  const unsigned bits = state->bits;
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
    const size_t i = kOrdered ? order[at] : at;
    uint32_t k = scale;
    if (kOrdered && __builtin_expect(k == 0, 0)) {
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
    if (__builtin_expect(next <= slot, 0)) {
      do {
        ++q;
        start = next;
        next = table->starts[q + 1];
      } while (next <= slot);
      if (__builtin_expect(q == kEscape, 0)) {
        rest = kNoGap;
        at += kStopped;
        break;
      }
    }
    rans->Advance(next - start, start, slot);
    const uint32_t coded = rans->RawBelow(q, bits);
    at += coded >> 1;
    negative = 0 - (coded & 1);
  }
  state->rest = rest;
  *lane = static_cast<uint16_t>(kLaneBias + in_lane);
  return at;
}

// The same for a run that begins at place `at`, where the level's gap begins. Where columns are ordered, which is for runs
// that are seldom hit, or the scale is not known, it stops at each weight that differs.
uint32_t SegmentDecoder::DecodeHits(uint16_t* lane, uint32_t at, uint32_t end, unsigned level) {
  Level* const state = &levels_[level];
  if (state->rest == kNoGap) return at + kStopped;
  at += (*lane - kLaneBias) + (state->rest >> 1);
  if (at < end && (strip_.order != nullptr || strip_.scale == 0)) {
    *lane = kLaneBias;
    state->rest &= 1;
    return at + kStopped;
  }
  RansDecoder rans = rans_;
  at = Hits<false>(&rans, lane, state, at, end, strip_.scale, strip_.io, nullptr);
  rans_ = rans;
  return at;
}

// The classes of a strip but the last, in a row of level `row_level`; `*begin` is where what is left begins in the
// strip's order. False: see failure_.
[[gnu::always_inline]] inline bool SegmentDecoder::WalkClasses(RansDecoder* rans, const StripColumns* columns,
                                                               unsigned row_level, uint32_t scale, uint8_t* io,
                                                               const uint8_t* order, uint32_t* begin) {
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
        *begin = columns->starts[c];
        return true;
      }
      Level* const state = &levels_[hit_level];
      uint16_t* const lane = lanes + half;
      uint32_t at = columns->starts[c];
      const uint32_t run_end = at + counts[half];
      if (__builtin_expect(state->rest <= 1, 1)) {
        at = Hits<true>(rans, lane, state, run_end + *lane - kLaneBias, run_end, scale, io, order);
        if (__builtin_expect(at < kStopped, 1)) continue;
        at -= kStopped;
      } else {
        *lane = static_cast<uint16_t>(*lane + counts[half]);
      }
      rans_ = *rans;
      if (!DecodeRun(lane, at, run_end, hit_level)) return false;
      *rans = rans_;
      scale = strip_.scale;
    } while (ended != 0);
  }
  return true;
}

CoreStatus SegmentDecoder::DecodeGaps(const StripCursor& cursor, size_t size, uint8_t* io) {
  const TensorRecord& record = cursor.record();
  const Strip& strip = cursor.strip();
  strip_.order = nullptr;
  const bool by_row = mode_ == TensorMode::kGap && (record.flags & kFlagRowPrior) != 0;
  const bool by_column = mode_ == TensorMode::kGap && (record.flags & kFlagColumnPrior) != 0;
  // Without classes it does not matter where lines end.
  const size_t line = by_row || by_column ? static_cast<size_t>(record.cols) : size;
  size_t in_line = by_row || by_column ? strip.in_line : 0;
  const uint32_t longest = by_row || by_column ? kStripSize : kLongStrip;
  const uint8_t* row_classes = layout_->shared().row_classes(record) + static_cast<size_t>(strip.row / 2);
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
      uint32_t strip_size = static_cast<uint32_t>(line - in_line < longest ? line - in_line : longest);
      uint32_t scale = tensor_scale_;
      strip_.io = io;
      if (scale == 0) {
        const size_t left = static_cast<size_t>(io_end - io);
        MoveGroups(strip.in_tensor + size - left);
        // Weights in their order are taken by groups, which end where strips do or before.
        uint32_t in_group = kGroupSize - strip_.in_group;
        if (!by_column) {
          if (in_group > left) in_group = static_cast<uint32_t>(left);
          if (strip_size > in_group) strip_size = in_group;
        }
        strip_.one_group = strip_size <= in_group;
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
        if (!WalkClasses(&rans, columns, row_level, scale, io, order, &begin)) return failure_;
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
      io += strip_size;
      in_line += strip_size;
    } while (in_line < line && io != io_end);
    in_line = 0;
  }
  rans_ = rans;
  return rans.overrun() ? CoreStatus::kBadStream : CoreStatus::kOk;
}

}  // namespace modelvault
