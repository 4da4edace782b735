#include <algorithm>
#include <cstring>

#include "codec/host/prefix_streams.h"
#include "codec/varint.h"

namespace modelvault {
namespace {

// A symbol's code word, and its length from bit 16 up.
using Words = std::array<uint32_t, 256>;

void StoreBe64(uint8_t* p, uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  std::memcpy(p, &word, sizeof(word));
}

// Writes the words of `bytes` to `out`, and up to 8 bytes more than it says that there are.
uint8_t* WriteStream(absl::Span<const uint8_t> bytes, const Words& words, uint8_t* out) {
  constexpr size_t kAtOnce = 5;  // 5 · 11 bits, and 7 left from before, fit into 64.
  uint64_t bits = 0;             // The lowest `count` are still to be written.
  unsigned count = 0;
  const auto put = [&](uint8_t byte) {
    const uint32_t word = words[byte];
    bits = bits << (word >> 16) | (word & 0xFFFF);
    count += word >> 16;
  };
  const auto flush = [&] {
    StoreBe64(out, bits << ((64 - count) % 64));
    out += count / 8;
    count %= 8;
  };
  size_t i = 0;
  for (; i + kAtOnce <= bytes.size(); i += kAtOnce) {
    for (size_t j = 0; j < kAtOnce; ++j) put(bytes[i + j]);
    flush();
  }
  for (; i < bytes.size(); ++i) put(bytes[i]);
  flush();
  // What is left of the last byte has been written with the others.
  return out + (count > 0 ? 1 : 0);
}

}  // namespace

void AppendStreams(absl::Span<const uint8_t> bytes, const ByteLengths& lengths, uint64_t coded_bits, std::string* out) {
  const std::array<uint16_t, 256> code = CodeWords(lengths);
  Words words;
  for (size_t s = 0; s < words.size(); ++s) words[s] = static_cast<uint32_t>(lengths[s]) << 16 | code[s];
  // Sizes are known when the streams are: they are moved into place behind them.
  constexpr size_t kSizesRoom = 10 * kPrefixStreams;
  const size_t begin = out->size();
  out->resize(begin + kSizesRoom + static_cast<size_t>(coded_bits / 8) + kPrefixStreams + 16);
  uint8_t* const streams = reinterpret_cast<uint8_t*>(out->data()) + begin + kSizesRoom;
  uint8_t* end = streams;
  const size_t share = (bytes.size() + kPrefixStreams - 1) / kPrefixStreams;
  std::string sizes;
  for (size_t i = 0; i < kPrefixStreams; ++i) {
    const size_t first = std::min(i * share, bytes.size());
    uint8_t* const start = end;
    end = WriteStream(bytes.subspan(first, std::min(share, bytes.size() - first)), words, end);
    AppendVarint(&sizes, static_cast<uint64_t>(end - start));
  }
  const size_t size = static_cast<size_t>(end - streams);
  std::copy(sizes.begin(), sizes.end(), out->begin() + static_cast<std::ptrdiff_t>(begin));
  std::copy(streams, end, reinterpret_cast<uint8_t*>(out->data()) + begin + sizes.size());
  out->resize(begin + sizes.size() + size);
}

}  // namespace modelvault
