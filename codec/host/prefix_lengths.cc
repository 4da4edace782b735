#include "codec/host/prefix_lengths.h"

#include <algorithm>

#include "codec/host/block_format.h"

namespace modelvault {
namespace {

constexpr size_t kSymbols = 256;

// The depth of each leaf of the Huffman tree of `weights`, which ascend. At most kSymbols of them, at least two.
void HuffmanDepths(const uint64_t* weights, size_t count, uint32_t* depths) {
  uint64_t joined[kSymbols];  // Weights of inner nodes, which ascend as well.
  uint32_t parents[2 * kSymbols];
  size_t leaf = 0, inner = 0;
  for (size_t made = 0; made + 1 < count; ++made) {
    joined[made] = 0;
    for (int child = 0; child < 2; ++child) {
      const bool take_leaf = leaf < count && (inner == made || weights[leaf] <= joined[inner]);
      joined[made] += take_leaf ? weights[leaf] : joined[inner];
      parents[take_leaf ? leaf++ : kSymbols + inner++] = static_cast<uint32_t>(made);
    }
  }
  uint32_t inner_depths[kSymbols];
  inner_depths[count - 2] = 0;
  for (size_t i = count - 2; i-- > 0;) inner_depths[i] = inner_depths[parents[kSymbols + i]] + 1;
  for (size_t i = 0; i < count; ++i) depths[i] = inner_depths[parents[i]] + 1;
}

}  // namespace

ByteCounts CountBytes(absl::Span<const uint8_t> bytes) {
  // Several tables, since a byte often repeats and its count would wait for the addition before.
  constexpr size_t kTables = 8;
  uint32_t counts[kTables][kSymbols] = {};
  size_t i = 0;
  for (; i + kTables <= bytes.size(); i += kTables) {
    const uint64_t word = LoadLe64(&bytes[i]);
    for (size_t t = 0; t < kTables; ++t) ++counts[t][word >> (8 * t) & 0xFF];
  }
  for (; i < bytes.size(); ++i) ++counts[0][bytes[i]];
  ByteCounts sum{};
  for (const auto& table : counts) {
    for (size_t s = 0; s < kSymbols; ++s) sum[s] += table[s];
  }
  return sum;
}

ByteLengths LengthsFor(const ByteCounts& counts, unsigned limit) {
  uint64_t order[kSymbols];  // Rarest first; equals by symbol.
  size_t used = 0;
  for (size_t s = 0; s < kSymbols; ++s) {
    if (counts[s] != 0) order[used++] = static_cast<uint64_t>(counts[s]) << 8 | s;
  }
  std::sort(order, order + used);
  uint64_t weights[kSymbols] = {};
  uint64_t total = 0;
  for (size_t i = 0; i < used; ++i) total += weights[i] = order[i] >> 8;
  uint32_t depths[kSymbols];
  HuffmanDepths(weights, used, depths);
  // The rarest are the deepest. As long as they are too deep they are taken for more frequent than they are.
  for (uint64_t least = 1 + (total >> (limit + 1)); depths[0] > limit; least += 1 + least / 8) {
    for (size_t i = 0; i < used && weights[i] < least; ++i) weights[i] = least;
    HuffmanDepths(weights, used, depths);
  }
  ByteLengths lengths{};
  for (size_t i = 0; i < used; ++i) lengths[order[i] & 0xFF] = static_cast<uint8_t>(depths[i]);
  return lengths;
}

uint64_t CodedBits(const ByteCounts& counts, const ByteLengths& lengths) {
  uint64_t bits = 0;
  for (size_t s = 0; s < kSymbols; ++s) bits += static_cast<uint64_t>(counts[s]) * lengths[s];
  return bits;
}

namespace {

struct Range {
  size_t first;
  size_t last;
};

Range UsedRange(const ByteLengths& lengths) {
  Range range = {0, kSymbols - 1};
  while (lengths[range.first] == 0) ++range.first;
  while (lengths[range.last] == 0) --range.last;
  return range;
}

}  // namespace

size_t StoredLengthsSize(const ByteLengths& lengths) {
  const Range range = UsedRange(lengths);
  return 2 + (range.last - range.first + 2) / 2;
}

void AppendLengths(const ByteLengths& lengths, std::string* out) {
  const Range range = UsedRange(lengths);
  out->push_back(static_cast<char>(range.first));
  out->push_back(static_cast<char>(range.last));
  for (size_t s = range.first; s <= range.last; s += 2) {
    const unsigned high = s < range.last ? lengths[s + 1] : 0;
    out->push_back(static_cast<char>(lengths[s] | high << 4));
  }
}

CoreStatus ReadLengths(ByteReader* reader, ByteLengths* lengths) {
  uint8_t first, last;
  if (!reader->ReadU8(&first) || !reader->ReadU8(&last)) return CoreStatus::kTruncated;
  if (first >= last) return CoreStatus::kBadTable;
  const size_t used = size_t{last} - first + 1;
  ByteView nibbles;
  if (!reader->ReadBytes((used + 1) / 2, &nibbles)) return CoreStatus::kTruncated;
  lengths->fill(0);
  uint32_t room = 0;
  for (size_t i = 0; i < used + used % 2; ++i) {
    const uint8_t length = nibbles.data[i / 2] >> (4 * (i % 2)) & 15;
    if (length > kHostCodeLength || (i == used && length != 0)) return CoreStatus::kBadTable;
    if (length == 0) continue;
    (*lengths)[first + i] = length;
    room += (1u << kHostCodeLength) >> length;
  }
  const bool complete = room == 1u << kHostCodeLength;
  return complete && (*lengths)[first] != 0 && (*lengths)[last] != 0 ? CoreStatus::kOk : CoreStatus::kBadTable;
}

std::array<uint16_t, 256> CodeWords(const ByteLengths& lengths) {
  uint32_t of_length[kHostCodeLength + 1] = {};
  for (uint8_t length : lengths) ++of_length[length];
  of_length[0] = 0;
  uint32_t next[kHostCodeLength + 1] = {};
  for (unsigned l = 1; l <= kHostCodeLength; ++l) next[l] = (next[l - 1] + of_length[l - 1]) << 1;
  std::array<uint16_t, 256> words{};
  for (size_t s = 0; s < kSymbols; ++s) {
    if (lengths[s] != 0) words[s] = static_cast<uint16_t>(next[lengths[s]]++);
  }
  return words;
}

}  // namespace modelvault
