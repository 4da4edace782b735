#include "codec/core/prefix_code.h"

namespace modelvault {

CoreStatus ReadCodeLengths(ByteReader* reader, uint8_t lengths[256], int* only, unsigned* longest) {
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

void PrefixTable::Build(const uint8_t lengths[256], int only) {
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

bool PrefixDecoder::Start(ByteView stream) {
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
uint32_t PrefixDecoder::Tail() {
  uint32_t word = 0;
  unsigned bits = 0;
  for (; next_ != end_; bits += 8) word |= static_cast<uint32_t>(*next_++) << bits;
  made_up_ += 32 - bits;
  return word;
}

}  // namespace modelvault
