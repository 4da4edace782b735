// PrefixDecoder's loops over the base's bytes.
#include "codec/core/prefix_code.h"

namespace modelvault {

// A decoder's state, kept in registers while the stream has whole words: whoever uses it counts them.
struct PrefixDecoder::Window {
  explicit Window(const PrefixDecoder& d)
      : low(d.low_), high(d.high_), high_twice(d.high_ << 1), position(d.position_), next(d.next_) {}
  void Leave(PrefixDecoder* d) const {
    d->low_ = low;
    d->high_ = high;
    d->position_ = position;
    d->next_ = next;
  }

  uint32_t Peek() const { return (low >> position) | (high_twice << (~position & 31)); }
  // After at most 32 bits more have been counted in `position`.
  void Refill() {
    // Seven times in ten with code words of six bits, four to a look.
    if (__builtin_expect(position > 31, 1)) {
      position -= 32;
      low = high;
      high = LoadAligned32(next);
      next += 4;
      high_twice = high << 1;
    }
  }

  uint32_t low;
  uint32_t high;
  uint32_t high_twice;
  uint32_t position;
  const uint8_t* next;
};

// One look at the stream has several code words in reach. Returns where it stopped, short of the stream's last words.
template <unsigned kBits>
uint8_t* PrefixDecoder::RunOf(const uint8_t* table, uint8_t* __restrict out, size_t size) {
  constexpr unsigned kInReach = 32 / kBits;
  constexpr unsigned kTurn = 2 * kInReach;
  Window window(*this);
  const auto look = [&](uint8_t * to) __attribute__((always_inline)) {
    uint32_t ahead = window.Peek();
#pragma GCC unroll 4
    for (unsigned i = 0; i < kInReach; ++i) {
      const uint8_t* const entry = table + (ahead & ((1u << kBits) - 1));
      const uint32_t length = entry[1u << kBits];
      const uint8_t symbol = entry[0];
      if (i + 1 < kInReach) ahead >>= length;
      window.position += length;
      to[i] = symbol;
    }
    window.Refill();
  };
  // A turn takes at most two words: as many turns as there are words for, then the same for what is left.
  for (;;) {
    const size_t words = static_cast<size_t>(end_ - window.next) / 4;
    const size_t turns = size / kTurn < words / 2 ? size / kTurn : words / 2;
    if (turns == 0) break;
    uint8_t* const stop = out + turns * kTurn;
    size -= turns * kTurn;
    do {
      look(out);
      look(out + kInReach);
      out += kTurn;
    } while (out != stop);
  }
  window.Leave(this);
  return out;
}

// Elements of four bytes, the lowest two raw, the highest coded, as floats mostly are: three bytes of one look, the
// fourth of another. Returns where it stopped, as above.
uint8_t* PrefixDecoder::RunFloats(const PrefixTable* third, const PrefixTable& top, uint8_t* __restrict out,
                                  size_t count) {
  Window window(*this);
  const uint8_t* const symbols = top.entries;
  const uint8_t* const lengths = top.entries + (size_t{1} << top.bits);
  const uint32_t mask = (1u << top.bits) - 1;
  for (; count > 0 && end_ - window.next >= 8; --count, out += 4) {
    uint32_t ahead = window.Peek();
    out[0] = static_cast<uint8_t>(ahead);
    out[1] = static_cast<uint8_t>(ahead >> 8);
    ahead >>= 16;
    window.position += 16;
    if (third != nullptr) {
      const size_t index = third->Index(ahead);
      ahead = third->symbol(index);
      window.position += third->length(index);
    } else {
      window.position += 8;
    }
    out[2] = static_cast<uint8_t>(ahead);
    window.Refill();
    const size_t index = window.Peek() & mask;
    window.position += lengths[index];
    out[3] = symbols[index];
    window.Refill();
  }
  window.Leave(this);
  return out;
}

void PrefixDecoder::Run(const PrefixTable& table, uint8_t* __restrict out, size_t size) {
  uint8_t* const end = out + size;
  out = table.bits == kShortCodeLength ? RunOf<kShortCodeLength>(table.entries, out, size)
                                       : RunOf<kMaxCodeLength>(table.entries, out, size);
  while (out != end) *out++ = Symbol(table);
}

// `count` words, for which the stream has as many ahead. Returns where it stopped.
[[gnu::always_inline]] inline uint8_t* PrefixDecoder::RawWords(uint8_t* __restrict out, size_t count) {
  constexpr size_t kTurn = 8;
  const uint8_t* next = next_;
  uint32_t low = low_;
  uint32_t high = high_;
  const uint32_t down = position_;
  const uint32_t up = (32 - position_) & 31;
  const uint8_t* const stop = next + 4 * count;
  const uint8_t* const last_turn = next + 4 * (count / kTurn * kTurn);
  const auto copy = [&](auto join) __attribute__((always_inline)) {
    for (; next != last_turn; next += 4 * kTurn, out += 4 * kTurn) {
#pragma GCC unroll 8
      for (size_t i = 0; i < kTurn; ++i) {
        StoreAligned32(out + 4 * i, join());
        low = high;
        high = LoadAligned32(next + 4 * i);
      }
    }
  };
  if (down == 0) {
    copy([&] { return low; });
  } else {
    copy([&] { return (low >> down) | (high << up); });
  }
  for (; next != stop; next += 4, out += 4) {
    StoreAligned32(out, (low >> down) | ((high << 1) << (31 - down)));
    low = high;
    high = LoadAligned32(next);
  }
  low_ = low;
  high_ = high;
  next_ = next;
  return out;
}

// By words of the stream, which are aligned, and words of the output.
void PrefixDecoder::RunRaw(uint8_t* __restrict out, size_t size) {
  uint8_t* const end = out + size;
  size_t bytes = (0 - reinterpret_cast<uintptr_t>(out)) % 4;
  if (bytes > size) bytes = size;
  for (;;) {  // Bytes up to a word, words, and the bytes after them.
    for (; bytes > 0; --bytes) *out++ = static_cast<uint8_t>(Raw(8));
    if (out == end) return;
    const size_t ahead = static_cast<size_t>(end_ - next_) / 4;
    const size_t wanted = static_cast<size_t>(end - out) / 4;
    out = RawWords(out, ahead < wanted ? ahead : wanted);
    bytes = static_cast<size_t>(end - out);
  }
}

void PrefixDecoder::RunPlanes(const PrefixTable* const* tables, unsigned planes, unsigned plane,
                              uint8_t* __restrict out, size_t size) {
  uint8_t* const end = out + size;
  bool raw = true;
  for (unsigned i = 0; i < planes; ++i) raw = raw && tables[i] == nullptr;
  if (raw) {
    RunRaw(out, size);
    return;
  }
  const bool is_float = planes == 4 && tables[0] == nullptr && tables[1] == nullptr && tables[3] != nullptr;
  while (out != end) {
    if (plane == 0 && is_float) {
      out = RunFloats(tables[2], *tables[3], out, static_cast<size_t>(end - out) / 4);
      if (out == end) break;
    }
    const PrefixTable* table = tables[plane];
    *out++ = table != nullptr ? Symbol(*table) : static_cast<uint8_t>(Raw(8));
    if (++plane == planes) plane = 0;
  }
}

}  // namespace modelvault
