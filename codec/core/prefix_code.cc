#include "codec/core/prefix_code.h"

namespace modelvault {

[[gnu::hot]] CoreStatus ReadCodeLengths(ByteReader* reader, uint8_t lengths[256], int* only,
                                         unsigned* longest) {
  *longest = 0;
  uint8_t first, last;
  if (!reader->ReadU8(&first) || !reader->ReadU8(&last)) return CoreStatus::kTruncated;
  const unsigned from = first ^ 0x80u;  // Places in signed order.
  const unsigned to = last ^ 0x80u;
  if (from > to) return CoreStatus::kBadTable;
  memset(lengths, 0, 256);
  if (from == to) {
    *only = first;
    return CoreStatus::kOk;
  }
  *only = -1;
  ByteView nibbles;
  if (!reader->ReadBytes((to - from) / 2 + 1, &nibbles)) return CoreStatus::kTruncated;
  uint32_t sum = 0;
  for (unsigned i = 0; i <= to - from; ++i) {
    const uint8_t length = (nibbles.data[i / 2] >> (i % 2 * 4)) & 15u;
    if (length > kMaxCodeLength) return CoreStatus::kBadTable;
    if (length != 0) sum += (1u << kMaxCodeLength) >> length;
    if (length > *longest) *longest = length;
    lengths[(from + i) ^ 0x80u] = length;
  }
  const bool padded = (to - from) % 2 != 0 || nibbles.data[nibbles.size - 1] < 16;
  // Kraft's equality: the code is complete, so that any bits decode.
  if (!padded || sum != 1u << kMaxCodeLength || lengths[first] == 0 || lengths[last] == 0) return CoreStatus::kBadTable;
  return CoreStatus::kOk;
}

[[gnu::hot]] void PrefixTable::Build(const uint8_t lengths[256], int only) {
  const uint32_t size = 1u << bits;
  if (only >= 0) {
    memset(entries, only, size);
    memset(entries + size, 0, size);
    return;
  }
  // Canonical: code words count up by length, then by place. Going through the lengths again and again would be slow:
  // places are linked into a list for each length first, from the last to the first.
  constexpr uint8_t kNone = 0;  // Place 0 can only be last in a list: it is told by the count.
  uint8_t head[kMaxCodeLength + 1];
  uint16_t members[kMaxCodeLength + 1];
  uint8_t next[256];
  for (unsigned n = 0; n <= kMaxCodeLength; ++n) {
    head[n] = kNone;
    members[n] = 0;
  }
  for (unsigned place = 256; place-- > 0;) {
    const uint8_t length = lengths[place ^ 0x80u];
    next[place] = head[length];
    head[length] = static_cast<uint8_t>(place);
    ++members[length];
  }
  uint32_t code = 0;
  for (unsigned length = 1; length <= kMaxCodeLength; ++length) {
    unsigned place = head[length];
    for (unsigned i = members[length]; i > 0; --i) {
      for (uint32_t at = code; at < size; at += 1u << length) {
        entries[at] = static_cast<uint8_t>(place ^ 0x80u);
        entries[size + at] = static_cast<uint8_t>(length);
      }
      code = NextReversed(code, length);
      place = next[place];
    }
  }
}

[[gnu::hot]] bool PrefixDecoder::Start(ByteView stream) {
  *this = PrefixDecoder();
  if (stream.size == 0) return false;
  next_ = stream.data;
  end_ = stream.data + stream.size;
  // The bytes before the first aligned word go to the top of the first word.
  position_ = 64;
  while (next_ != end_ && reinterpret_cast<uintptr_t>(next_) % 4 != 0) {
    high_ = (high_ >> 8) | (static_cast<uint32_t>(*next_++) << 24);
    position_ -= 8;
  }
  while (position_ > 31) NextWord();
  return true;
}

// The word at the stream's end, of which less than four bytes are there.
[[gnu::hot]] uint32_t PrefixDecoder::Tail() {
  uint32_t word = 0;
  unsigned bits = 0;
  for (; next_ != end_; bits += 8) word |= static_cast<uint32_t>(*next_++) << bits;
  made_up_ += 32 - bits;
  return word;
}

// The state stays in registers through the loop, and one look at the stream has several code words in reach.
template <unsigned kBits>
[[gnu::hot]] void PrefixDecoder::RunOf(const uint8_t* table, uint8_t* __restrict out, size_t size) {
  constexpr unsigned kInReach = 32 / kBits;
  constexpr unsigned kTurn = 2 * kInReach;
  uint32_t low = low_;
  uint32_t high = high_;
  uint32_t high_twice = high << 1;
  uint32_t position = position_;
  const uint8_t* next = next_;
  const auto look = [&](uint8_t* to) __attribute__((always_inline)) {
    uint32_t ahead = (low >> position) | (high_twice << (~position & 31));
#pragma GCC unroll 4
    for (unsigned i = 0; i < kInReach; ++i) {
      const uint8_t* const entry = table + (ahead & ((1u << kBits) - 1));
      const uint32_t length = entry[1u << kBits];
      const uint8_t symbol = entry[0];
      if (i + 1 < kInReach) ahead >>= length;
      position += length;
      to[i] = symbol;
    }
    // Seven times in ten with code words of six bits.
    if (__builtin_expect(position > 31, 1)) {
      position -= 32;
      low = high;
      high = LoadAligned32(next);
      next += 4;
      high_twice = high << 1;
    }
  };
  // A turn takes at most two words: as many turns as there are words for, then the same for what is left.
  for (;;) {
    const size_t words = static_cast<size_t>(end_ - next) / 4;
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
  low_ = low;
  high_ = high;
  position_ = position;
  next_ = next;
  const PrefixTable whole = {const_cast<uint8_t*>(table), kBits};
  for (; size > 0; --size) *out++ = Symbol(whole);
}

[[gnu::hot]] void PrefixDecoder::Run(const PrefixTable& table, uint8_t* __restrict out, size_t size) {
  if (table.bits == kShortCodeLength) {
    RunOf<kShortCodeLength>(table.entries, out, size);
  } else {
    RunOf<kMaxCodeLength>(table.entries, out, size);
  }
}

[[gnu::hot]] void PrefixDecoder::RunPlanes(const PrefixTable* const* tables, unsigned planes, unsigned plane,
                              uint8_t* __restrict out, size_t size) {
  PrefixDecoder d = *this;
  uint8_t* const end = out + size;
  // Floats mostly have raw planes below and one of symbols on top: three bytes of one look, the fourth of another.
  const bool raw_but_top =
      planes == 4 && tables[0] == nullptr && tables[1] == nullptr && tables[2] == nullptr && tables[3] != nullptr;
  while (out != end) {
    if (plane == 0 && raw_but_top) {
      const PrefixTable& top = *tables[3];
      for (; end - out >= 4; out += 4) {
        const uint32_t low = d.Peek();
        out[0] = static_cast<uint8_t>(low);
        out[1] = static_cast<uint8_t>(low >> 8);
        out[2] = static_cast<uint8_t>(low >> 16);
        d.Skip(24);
        out[3] = d.Symbol(top);
      }
      if (out == end) break;
    }
    const PrefixTable* table = tables[plane];
    *out++ = table != nullptr ? d.Symbol(*table) : static_cast<uint8_t>(d.Raw(8));
    if (++plane == planes) plane = 0;
  }
  *this = d;
}

}  // namespace modelvault
