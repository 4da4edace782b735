// Host side of codec/core/prefix_code.h: histograms to optimal code lengths to stored tables and streams.
#ifndef MODELVAULT_CODEC_PREFIX_CODING_H_
#define MODELVAULT_CODEC_PREFIX_CODING_H_

#include <array>
#include <cstdint>
#include <string>

#include "codec/core/codec_format.h"

namespace modelvault {

using Histogram = std::array<uint64_t, 256>;

// Lengths of 0 … kMaxCodeLength bits for symbols that occur; the only symbol of a table has length 0.
struct CodeLengths {
  std::array<uint8_t, 256> length{};
  int only = -1;  // The table's only symbol, or -1.

  bool Has(uint8_t symbol) const { return only >= 0 ? symbol == only : length[symbol] != 0; }
  bool operator==(const CodeLengths&) const = default;
};

// The complete code of at most `limit` bits (8 … kMaxCodeLength) that codes `histogram` in the fewest bits (package-merge:
// L. Larmore and D. Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", J. ACM 37(3), 1990).
// `histogram` has at least one nonzero entry; counts are below 2^50.
CodeLengths OptimalCodeLengths(const Histogram& histogram, unsigned limit = kMaxCodeLength);

// The table as stored (docs/format.md §3).
std::string SerializeCodeLengths(const CodeLengths& lengths);

// Bits of coding `histogram` with `lengths`, which cover it.
uint64_t CodedBits(const Histogram& histogram, const CodeLengths& lengths);

// The code words of a table, their first bits lowest.
class PrefixCode {
 public:
  explicit PrefixCode(const CodeLengths& lengths);

  const CodeLengths& lengths() const { return lengths_; }
  uint32_t word(uint8_t symbol) const { return words_[symbol]; }

 private:
  CodeLengths lengths_;
  std::array<uint16_t, 256> words_{};
};

// Writes what PrefixDecoder reads.
class PrefixEncoder {
 public:
  void Symbol(const PrefixCode& code, uint8_t symbol) { Raw(code.word(symbol), code.lengths().length[symbol]); }
  // The low `width` bits of value, which has no others.
  void Raw(uint32_t value, unsigned width);

  // The stream; the encoder is empty afterwards.
  std::string Finish();

 private:
  std::string out_;
  uint64_t bits_ = 0;
  unsigned count_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_PREFIX_CODING_H_
