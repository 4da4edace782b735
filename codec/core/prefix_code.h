// The prefix code of the base's bytes (docs/format.md §3, §5): canonical Huffman codes of at most 10 bits. Next to rANS
// they cost half a percent of the base and take less than two thirds of the time on the board.
// Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_PREFIX_CODE_H_
#define MODELVAULT_CODEC_CORE_PREFIX_CODE_H_

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"
#include "codec/core/core_status.h"

namespace modelvault {

// Reads one stored table into `lengths` (all 256 set; 0 = the symbol does not occur). Their code is complete, or there
// is a single symbol, of length 0 too: then *only is that symbol, else -1. *longest is the length of the longest.
[[nodiscard]] CoreStatus ReadCodeLengths(ByteReader* reader, uint8_t lengths[256], int* only, unsigned* longest);

// The next code word of `length` bits after `code`, both with their first bit lowest: what decoder and coder count with.
inline uint32_t NextReversed(uint32_t code, unsigned length) {
  uint32_t bit = (1u << length) >> 1;
  while ((code & bit) != 0) {
    code ^= bit;
    bit >>= 1;
  }
  return code | bit;
}

// A table ready to decode with, in the memory of whoever makes it. By the next `bits` bits of the stream, which are
// kShortCodeLength or kMaxCodeLength: 2^bits symbols, then the 2^bits lengths of their code words.
struct PrefixTable {
  uint8_t* entries = nullptr;
  unsigned bits = 0;

  // Of `entries`, in bytes.
  static constexpr size_t Size(unsigned bits) { return size_t{2} << bits; }

  // `lengths` and `only` as from ReadCodeLengths, no length above `bits`.
  void Build(const uint8_t lengths[256], int only);

  size_t Index(uint32_t ahead) const { return ahead & ((1u << bits) - 1); }
  uint8_t symbol(size_t index) const { return entries[index]; }
  uint8_t length(size_t index) const { return entries[(size_t{1} << bits) + index]; }
};

// Reads one stream: bits from the lowest of each byte up, a one after the last code word, zeros to the byte's end.
// Running out of bits does not read past the end: zeros are supplied, and AtEnd() will say false. Callers check AtEnd()
// where the stream must end; symbols before that are unverified.
class PrefixDecoder {
 public:
  // False if the stream is empty. `stream` must outlive the decoding.
  [[nodiscard]] bool Start(ByteView stream);

  // All code words have been read, and nothing follows.
  bool AtEnd() const { return unread_bits() >= 1 && unread_bits() <= 8 && Peek() == 1; }

  // Bits not yet decoded; negative where some were made up.
  int64_t unread_bits() const {
    return 64 - static_cast<int64_t>(position_) + 8 * (end_ - next_) - static_cast<int64_t>(made_up_);
  }

  uint8_t Symbol(const PrefixTable& table) {
    const size_t index = table.Index(Peek());
    Skip(table.length(index));
    return table.symbol(index);
  }

  // 0 to 8 bits as they are.
  uint32_t Raw(unsigned width) {
    const uint32_t value = Peek() & ((1u << width) - 1);
    Skip(width);
    return value;
  }

  // `size` symbols of one table.
  void Run(const PrefixTable& table, uint8_t* out, size_t size);

  // `size` bytes as they are.
  void RunRaw(uint8_t* out, size_t size);

  // Bytes of elements of `planes` bytes, the first of them of plane `plane`: a symbol each of the plane's table, or,
  // where that is null, 8 bits.
  void RunPlanes(const PrefixTable* const* tables, unsigned planes, unsigned plane, uint8_t* out, size_t size);

 private:
  struct Window;
  template <unsigned kBits>
  uint8_t* RunOf(const uint8_t* table, uint8_t* out, size_t size);
  uint8_t* RawWords(uint8_t* out, size_t count);
  uint8_t* RunFloats(const PrefixTable* third, const PrefixTable& top, uint8_t* out, size_t count);

  // The next 32 bits of the stream.
  uint32_t Peek() const { return (low_ >> position_) | ((high_ << 1) << (31 - position_)); }
  void Skip(unsigned bits) {
    position_ += bits;
    if (position_ > 31) NextWord();
  }
  // Flash gives aligned words best.
  void NextWord() {
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

  // Two words of the stream in a row; the next bit is bit position_ of them.
  uint32_t low_ = 0;
  uint32_t high_ = 0;
  uint32_t position_ = 0;          // 0 … 31
  const uint8_t* next_ = nullptr;  // A multiple of 4, as an address, while there are 4 bytes.
  const uint8_t* end_ = nullptr;
  size_t made_up_ = 0;  // Bits supplied from beyond the end.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_PREFIX_CODE_H_
