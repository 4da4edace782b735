// The prefix code of the base's bytes (docs/format.md §3, §5): canonical Huffman codes of at most 10 bits. Next to rANS
// they cost half a percent of the base and take two thirds of the time and two fifths of the table on the board.
// Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_PREFIX_CODE_H_
#define MODELVAULT_CODEC_CORE_PREFIX_CODE_H_

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"
#include "codec/core/core_status.h"

namespace modelvault {

// Reads one stored table into `lengths` (all 256 set; 0 = the symbol does not occur). Their code is complete, or there
// is a single symbol, of length 0 too: then *only is that symbol, else -1.
[[nodiscard]] CoreStatus ReadCodeLengths(ByteReader* reader, uint8_t lengths[256], int* only);

// The next code word of `length` bits after `code`, both with their first bit lowest: what decoder and coder count with.
inline uint32_t NextReversed(uint32_t code, unsigned length) {
  uint32_t bit = (1u << length) >> 1;
  while ((code & bit) != 0) {
    code ^= bit;
    bit >>= 1;
  }
  return code | bit;
}

// A table ready to decode with: 2 KiB.
struct PrefixTable {
  uint16_t entry[1u << kMaxCodeLength];  // By the next bits of the stream: symbol | length << 8.

  // `lengths` and `only` as from ReadCodeLengths.
  void Build(const uint8_t lengths[256], int only);

  // The entry for the bits of `ahead` from bit 1 on.
  uint32_t At(uint32_t ahead) const { return entry[(ahead >> 1) & ((1u << kMaxCodeLength) - 1)]; }
};

// Reads one stream: bits from the lowest of each byte up, a one after the last code word, zeros to the byte's end.
// Running out of bits does not read past the end: zeros are supplied, and AtEnd() will say false. Callers check AtEnd()
// where the stream must end; symbols before that are unverified.
class PrefixDecoder {
 public:
  // False if the stream is empty. `stream` must outlive the decoding.
  [[nodiscard]] bool Start(ByteView stream);

  // All code words have been read, and nothing follows.
  [[gnu::hot]] bool AtEnd() const { return unread_bits() >= 1 && unread_bits() <= 8 && Peek() >> 1 == 1; }

  // Bits not yet decoded; negative where some were made up.
  [[gnu::hot]] int64_t unread_bits() const {
    return 63 - static_cast<int64_t>(position_) + 8 * (end_ - next_) - static_cast<int64_t>(made_up_);
  }

  [[gnu::hot]] uint8_t Symbol(const PrefixTable& table) {
    const uint32_t entry = table.At(Peek());
    Skip(entry >> 8);
    return static_cast<uint8_t>(entry);
  }

  // 0 to 8 bits as they are.
  [[gnu::hot]] uint32_t Raw(unsigned width) {
    const uint32_t value = (Peek() >> 1) & ((1u << width) - 1);
    Skip(width);
    return value;
  }

  // `size` symbols of one table.
  void Run(const PrefixTable& table, uint8_t* out, size_t size);

  // Bytes of elements of `planes` bytes, the first of them of plane `plane`: a symbol each of the plane's table, or,
  // where that is null, 8 bits.
  void RunPlanes(const PrefixTable* const* tables, unsigned planes, unsigned plane, uint8_t* out, size_t size);

 private:
  // The next 31 bits of the stream, shifted up by one so that an index into a table is an offset in bytes.
  [[gnu::hot]] uint32_t Peek() const { return (low_ >> position_) | ((high_ << 1) << (31 - position_)); }
  [[gnu::hot]] void Skip(unsigned bits) {
    position_ += bits;
    if (position_ > 31) NextWord();
  }
  // Flash gives aligned words best.
  [[gnu::hot]] void NextWord() {
    low_ = high_;
    position_ -= 32;
    if (end_ - next_ >= 4) {
      high_ = LoadAligned32(next_);
      next_ += 4;
    } else {
      high_ = Tail();
    }
  }
  uint32_t Tail();

  // Two words of the stream in a row; the next bit is bit position_ + 1 of them.
  uint32_t low_ = 0;
  uint32_t high_ = 0;
  uint32_t position_ = 0;          // 0 … 31
  const uint8_t* next_ = nullptr;  // A multiple of 4, as an address, while there are 4 bytes.
  const uint8_t* end_ = nullptr;
  size_t made_up_ = 0;  // Bits supplied from beyond the end.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_PREFIX_CODE_H_
