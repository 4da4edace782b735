#include "codec/prefix_coding.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "codec/core/prefix_code.h"

namespace modelvault {

CodeLengths OptimalCodeLengths(const Histogram& histogram, unsigned limit) {
  std::vector<uint8_t> symbols;  // That occur, rarest first; equals in order of place.
  for (unsigned place = 0; place < 256; ++place) {
    if (histogram[place ^ 0x80u] != 0) symbols.push_back(static_cast<uint8_t>(place ^ 0x80u));
  }
  CodeLengths result;
  if (symbols.size() == 1) {
    result.only = symbols[0];
    return result;
  }
  std::stable_sort(symbols.begin(), symbols.end(), [&](uint8_t a, uint8_t b) { return histogram[a] < histogram[b]; });
  // Level by level symbols are merged with pairs of the level before.
  struct Item {
    uint64_t weight;
    bool is_package;
  };
  std::vector<std::vector<Item>> levels(limit);
  for (size_t n = 0; n < levels.size(); ++n) {
    std::vector<Item>& level = levels[n];
    size_t symbol = 0, pair = 0;
    const std::vector<Item> none;
    const std::vector<Item>& before = n == 0 ? none : levels[n - 1];
    while (symbol < symbols.size() || pair + 1 < before.size()) {
      const bool package = symbol == symbols.size() ||
                           (pair + 1 < before.size() &&
                            before[pair].weight + before[pair + 1].weight < histogram[symbols[symbol]]);
      if (package) {
        level.push_back({before[pair].weight + before[pair + 1].weight, true});
        pair += 2;
      } else {
        level.push_back({histogram[symbols[symbol++]], false});
      }
    }
  }
  // Of the last level the 2n - 2 lightest are taken, of each before it the members of the packages taken. A symbol's
  // length is how often it is among them.
  size_t taken = 2 * symbols.size() - 2;
  for (size_t n = levels.size(); n-- > 0;) {
    size_t packages = 0;
    for (size_t i = 0; i < taken; ++i) packages += levels[n][i].is_package ? 1 : 0;
    for (size_t i = 0; i < taken - packages; ++i) ++result.length[symbols[i]];
    taken = 2 * packages;
  }
  return result;
}

std::string SerializeCodeLengths(const CodeLengths& lengths) {
  unsigned first = 256, last = 0;  // Places in signed order.
  for (unsigned place = 0; place < 256; ++place) {
    if (!lengths.Has(static_cast<uint8_t>(place ^ 0x80u))) continue;
    first = std::min(first, place);
    last = place;
  }
  std::string out;
  out.push_back(static_cast<char>(first ^ 0x80u));
  out.push_back(static_cast<char>(last ^ 0x80u));
  if (first == last) return out;
  for (unsigned place = first; place <= last; place += 2) {
    const unsigned low = lengths.length[place ^ 0x80u];
    const unsigned high = place < last ? lengths.length[(place + 1) ^ 0x80u] : 0;
    out.push_back(static_cast<char>(low | (high << 4)));
  }
  return out;
}

uint64_t CodedBits(const Histogram& histogram, const CodeLengths& lengths) {
  uint64_t bits = 0;
  for (size_t s = 0; s < 256; ++s) bits += histogram[s] * lengths.length[s];
  return bits;
}

PrefixCode::PrefixCode(const CodeLengths& lengths) : lengths_(lengths) {
  uint32_t code = 0;
  for (unsigned length = 1; length <= kMaxCodeLength; ++length) {
    for (unsigned place = 0; place < 256; ++place) {
      const size_t symbol = place ^ 0x80u;
      if (lengths.length[symbol] != length) continue;
      words_[symbol] = static_cast<uint16_t>(code);
      code = NextReversed(code, length);
    }
  }
}

void PrefixEncoder::Raw(uint32_t value, unsigned width) {
  bits_ |= static_cast<uint64_t>(value) << count_;
  for (count_ += width; count_ >= 8; count_ -= 8, bits_ >>= 8) out_.push_back(static_cast<char>(bits_));
}

std::string PrefixEncoder::Finish() {
  Raw(1, 1);
  if (count_ > 0) out_.push_back(static_cast<char>(bits_));
  bits_ = 0;
  count_ = 0;
  return std::exchange(out_, {});
}

}  // namespace modelvault
