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

// By symbol: the length of its code word in bits 0 … 7, the word above: so that nothing need be cut out of it.
using Words = std::array<uint32_t, 256>;

HWY_INLINE void StoreBe64(uint8_t* p, uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  std::memcpy(p, &word, sizeof(word));
}

constexpr size_t kAtOnce = 5;  // 5 · 11 bits, and 7 left from before, fit into 64.

// One stream being written. May write up to 8 bytes beyond its end.
struct StreamWriter {
  const uint32_t* words;
  uint8_t* out;
  uint64_t bits = 0;   // The lowest are still to be written: as many
  uint32_t count = 0;  // as the lowest byte of this says. What is above has no meaning.

  HWY_INLINE void One(uint8_t byte) {
    const uint32_t word = words[byte];
    bits = bits << (word & 63) | word >> 8;
    count += word;
  }
  HWY_INLINE void Flush() {
    count &= 0xFF;
    StoreBe64(out, bits << ((64 - count) % 64));
    out += count / 8;
    count %= 8;
  }
  HWY_INLINE void Five(const uint8_t* bytes) {
    One(bytes[0]);
    One(bytes[1]);
    One(bytes[2]);
    One(bytes[3]);
    One(bytes[4]);
    Flush();
  }
};

// Writes the last bytes of a stream. Returns its end. By value, so that no writer's address keeps it out of registers.
uint8_t* Finish(StreamWriter writer, absl::Span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes) {
    writer.One(byte);
    writer.Flush();
  }
  // What is left of the last byte has been written with the others.
  return writer.out + (writer.count > 0 ? 1 : 0);
}

// Writes stream s, of the bytes parts[s], to starts[s]. Returns their ends.
std::array<uint8_t*, kPrefixStreams> WriteStreams(const std::array<absl::Span<const uint8_t>, kPrefixStreams>& parts,
                                                  const Words& words,
                                                  const std::array<uint8_t*, kPrefixStreams>& starts) {
  static_assert(kPrefixStreams == 4);
  const uint32_t* const table = words.data();
  StreamWriter w0{table, starts[0]}, w1{table, starts[1]}, w2{table, starts[2]}, w3{table, starts[3]};
  const uint8_t* const p0 = parts[0].data();
  const uint8_t* const p1 = parts[1].data();
  const uint8_t* const p2 = parts[2].data();
  const uint8_t* const p3 = parts[3].data();
  const size_t together = parts[3].size();  // The last part is the shortest.
  size_t i = 0;
  for (; i + kAtOnce <= together; i += kAtOnce) {
    w0.Five(p0 + i);
    w1.Five(p1 + i);
    w2.Five(p2 + i);
    w3.Five(p3 + i);
  }
  return {Finish(w0, parts[0].subspan(i)), Finish(w1, parts[1].subspan(i)), Finish(w2, parts[2].subspan(i)),
          Finish(w3, parts[3].subspan(i))};
}

}  // namespace HWY_NAMESPACE
}  // namespace modelvault
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace modelvault {
namespace {

HWY_EXPORT(WriteStreams);

}  // namespace

void AppendStreams(absl::Span<const uint8_t> bytes, const ByteLengths& lengths, Reusable<uint8_t>* memory,
                   std::string* out) {
  const std::array<uint16_t, 256> code = CodeWords(lengths);
  std::array<uint32_t, 256> words;
  for (size_t s = 0; s < words.size(); ++s) words[s] = static_cast<uint32_t>(code[s]) << 8 | lengths[s];
  const size_t share = (bytes.size() + kPrefixStreams - 1) / kPrefixStreams;
  const size_t room = share * kHostCodeLength / 8 + 16;
  std::array<absl::Span<const uint8_t>, kPrefixStreams> parts;
  std::array<uint8_t*, kPrefixStreams> starts;
  uint8_t* const begin = memory->Get(kPrefixStreams * room);
  for (size_t s = 0; s < kPrefixStreams; ++s) {
    parts[s] = bytes.subspan(std::min(s * share, bytes.size()), share);
    starts[s] = begin + s * room;
  }
  const std::array<uint8_t*, kPrefixStreams> ends = HWY_DYNAMIC_DISPATCH(WriteStreams)(parts, words, starts);
  for (size_t s = 0; s < kPrefixStreams; ++s) AppendVarint(out, static_cast<uint64_t>(ends[s] - starts[s]));
  for (size_t s = 0; s < kPrefixStreams; ++s) {
    out->append(reinterpret_cast<const char*>(starts[s]), static_cast<size_t>(ends[s] - starts[s]));
  }
}

}  // namespace modelvault
#endif  // HWY_ONCE
