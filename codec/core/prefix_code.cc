#include "codec/core/prefix_code.h"

namespace modelvault {

[[gnu::hot]] CoreStatus ReadCodeLengths(ByteReader* reader, uint8_t lengths[256], int* only) {
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
    lengths[(from + i) ^ 0x80u] = length;
  }
  const bool padded = (to - from) % 2 != 0 || nibbles.data[nibbles.size - 1] < 16;
  // Kraft's equality: the code is complete, so that any bits decode.
  if (!padded || sum != 1u << kMaxCodeLength || lengths[first] == 0 || lengths[last] == 0) return CoreStatus::kBadTable;
  return CoreStatus::kOk;
}

[[gnu::hot]] void PrefixTable::Build(const uint8_t lengths[256], int only) {
  constexpr uint32_t kSize = 1u << kMaxCodeLength;
  if (only >= 0) {
    for (uint32_t i = 0; i < kSize; ++i) entry[i] = static_cast<uint16_t>(only);
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
      const uint16_t value = static_cast<uint16_t>((place ^ 0x80u) | (length << 8));
      for (uint32_t at = code; at < kSize; at += 1u << length) entry[at] = value;
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
  // The bytes before the first aligned word go to the top of low_.
  position_ = 31;
  while (next_ != end_ && reinterpret_cast<uintptr_t>(next_) % 4 != 0) {
    low_ = (low_ >> 8) | (static_cast<uint32_t>(*next_++) << 24);
    position_ -= 8;
  }
  position_ += 32;
  high_ = low_;
  NextWord();
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

[[gnu::hot]] void PrefixDecoder::Run(const PrefixTable& table, uint8_t* __restrict out, size_t size) {
  // The state stays in registers through the loop; three code words are in reach of one look at the stream.
  static_assert(3 * kMaxCodeLength <= 31);
  PrefixDecoder d = *this;
  uint8_t* const end = out + size;
  const auto three = [&](uint8_t* to) {
    const uint32_t ahead = d.Peek();
    const uint32_t first = table.At(ahead);
    const uint32_t ahead2 = ahead >> (first >> 8);
    const uint32_t second = table.At(ahead2);
    to[0] = static_cast<uint8_t>(first);
    const uint32_t third = table.At(ahead2 >> (second >> 8));
    to[1] = static_cast<uint8_t>(second);
    to[2] = static_cast<uint8_t>(third);
    d.Skip((first >> 8) + (second >> 8) + (third >> 8));
  };
  for (; end - out >= 6; out += 6) {
    three(out);
    three(out + 3);
  }
  for (; out != end; ++out) *out = d.Symbol(table);
  *this = d;
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
        const uint32_t low = d.Peek() >> 1;
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
