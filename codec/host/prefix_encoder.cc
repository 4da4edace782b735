#include <algorithm>
#include <array>
#include <cstring>

#include "codec/host/prefix_streams.h"
#include "codec/host/vector_targets.h"
#include "codec/varint.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/host/prefix_encoder.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

// As prefix_decoder.cc, for the sake of shifts by a register.
HWY_BEFORE_NAMESPACE();
namespace modelvault {
namespace HWY_NAMESPACE {

// A symbol's code word, and its length from bit 16 up.
using Words = std::array<uint32_t, 256>;

HWY_INLINE void StoreBe64(uint8_t* p, uint64_t word) {
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
  const auto put = [&](uint64_t some, unsigned length) HWY_ATTR {
    bits = bits << length | some;
    count += length;
  };
  const auto put_one = [&](uint8_t byte) HWY_ATTR { put(words[byte] & 0xFFFF, words[byte] >> 16); };
  // Joined first: so that not every word waits for the one before it.
  const auto put_two = [&](uint8_t first, uint8_t second) HWY_ATTR {
    const uint64_t high = words[first], low = words[second];
    put((high & 0xFFFF) << (low >> 16) | (low & 0xFFFF), static_cast<unsigned>((high >> 16) + (low >> 16)));
  };
  const auto flush = [&]() HWY_ATTR {
    StoreBe64(out, bits << ((64 - count) % 64));
    out += count / 8;
    count %= 8;
  };
  size_t i = 0;
  for (; i + kAtOnce <= bytes.size(); i += kAtOnce) {
    put_two(bytes[i], bytes[i + 1]);
    put_two(bytes[i + 2], bytes[i + 3]);
    put_one(bytes[i + 4]);
    flush();
  }
  for (; i < bytes.size(); ++i) put_one(bytes[i]);
  flush();
  // What is left of the last byte has been written with the others.
  return out + (count > 0 ? 1 : 0);
}

}  // namespace HWY_NAMESPACE
}  // namespace modelvault
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace modelvault {
namespace {

HWY_EXPORT(WriteStream);

}  // namespace

void AppendStreams(absl::Span<const uint8_t> bytes, const ByteLengths& lengths, uint64_t coded_bits, std::string* out) {
  const std::array<uint16_t, 256> code = CodeWords(lengths);
  std::array<uint32_t, 256> words;
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
    end = HWY_DYNAMIC_DISPATCH(WriteStream)(bytes.subspan(first, std::min(share, bytes.size() - first)), words, end);
    AppendVarint(&sizes, static_cast<uint64_t>(end - start));
  }
  const size_t size = static_cast<size_t>(end - streams);
  std::copy(sizes.begin(), sizes.end(), out->begin() + static_cast<std::ptrdiff_t>(begin));
  std::copy(streams, end, reinterpret_cast<uint8_t*>(out->data()) + begin + sizes.size());
  out->resize(begin + sizes.size() + size);
}

}  // namespace modelvault
#endif  // HWY_ONCE
