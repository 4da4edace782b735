#include <algorithm>
#include <array>
#include <utility>

#include "codec/host/prefix_streams.h"
#include "codec/host/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/host/prefix_decoder.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

// Built for several targets not for their vectors but for their shifts by a register.
HWY_BEFORE_NAMESPACE();
namespace modelvault {
namespace HWY_NAMESPACE {

constexpr size_t kLooks = 5;        // 5 · 11 bits of the 56 that are there after a load at any bit.
constexpr size_t kMostSymbols = 6;  // Of a look.
constexpr size_t kMostBytes = 7;    // Of a stream that kLooks looks read.

// Where a stream is: `bit` (0 … 7) bits of the byte at `next` have been read.
struct StreamAt {
  const uint8_t* next;
  uint64_t bit;
  uint8_t* out;
  uint8_t* out_end;
};

HWY_INLINE uint64_t LoadBe64(const uint8_t* p) {
  uint64_t word;
  __builtin_memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

HWY_INLINE void StoreLe64(uint8_t* p, uint64_t word) {
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  __builtin_memcpy(p, &word, sizeof(word));
}

// How often all of `streams` can be read without looking at ends: a round reads kLooks looks of each.
template <size_t kStreams>
HWY_INLINE size_t SafeRounds(const StreamAt* streams, const uint8_t* end) {
  size_t rounds = SIZE_MAX;
  for (size_t s = 0; s < kStreams; ++s) {
    // A store writes eight bytes, whatever the number of symbols.
    const size_t space = static_cast<size_t>(streams[s].out_end - streams[s].out);
    const size_t left = streams[s].next < end ? static_cast<size_t>(end - streams[s].next) : 0;
    const size_t by_space = space < 8 ? 0 : (space - 8) / (kLooks * kMostSymbols);
    const size_t by_input = left < 8 ? 0 : (left - 8) / kMostBytes;
    rounds = HWY_MIN(rounds, HWY_MIN(by_space, by_input));
  }
  return rounds;
}

// The next bits of a stream from the top, and a one below all that was loaded, by whose place the bits read since can
// be told.
HWY_INLINE uint64_t LoadBits(const uint8_t* next, uint64_t bit) { return (LoadBe64(next) | 1) << bit; }
HWY_INLINE uint64_t BitsRead(uint64_t bits) { return static_cast<uint64_t>(__builtin_ctzll(bits)); }

// Decodes from all of the streams until one of them is near its end. kBits: 0, or what `look_bits` is.
template <unsigned kBits, size_t... s>
HWY_NOINLINE void RunTogether(const uint64_t* several, unsigned look_bits, const uint8_t* end, StreamAt* streams,
                              std::index_sequence<s...>) {
  constexpr size_t kStreams = sizeof...(s);
  const unsigned unused = 64 - (kBits != 0 ? kBits : look_bits);
  for (;;) {
    const size_t rounds = SafeRounds<kStreams>(streams, end);
    if (rounds == 0) return;
    const uint8_t* next[kStreams] = {streams[s].next...};
    uint8_t* out[kStreams] = {streams[s].out...};
    uint64_t bits[kStreams] = {LoadBits(streams[s].next, streams[s].bit)...};
    const auto look = [&](uint64_t& ahead, uint8_t*& to) HWY_ATTR {
      const uint64_t entry = several[ahead >> unused];
      ahead <<= entry & 63;
      StoreLe64(to, entry >> 16);
      to += entry >> 8 & 0xFF;
    };
    const auto load = [&](uint64_t& ahead, const uint8_t*& from) HWY_ATTR {
      const uint64_t read = BitsRead(ahead);
      from += read >> 3;
      ahead = LoadBits(from, read & 7);
    };
    for (size_t round = 0; round < rounds; ++round) {
      static_assert(kLooks == 5);
      (look(bits[s], out[s]), ...);
      (look(bits[s], out[s]), ...);
      (look(bits[s], out[s]), ...);
      (look(bits[s], out[s]), ...);
      (look(bits[s], out[s]), ...);
      (load(bits[s], next[s]), ...);
    }
    ((streams[s] = {next[s], BitsRead(bits[s]), out[s], streams[s].out_end}), ...);
  }
}

template <size_t kStreams>
void Run(const PrefixLook& look, const uint8_t* end, StreamAt* streams) {
  constexpr auto kAll = std::make_index_sequence<kStreams>();
  const uint64_t* const several = look.several + (size_t{1} << look.bits);
  if (look.bits == kHostCodeLength) {
    RunTogether<kHostCodeLength>(several, look.bits, end, streams, kAll);
  } else {
    RunTogether<0>(several, look.bits, end, streams, kAll);
  }
}

// The last symbols of one stream, which ends at `end`. False if it does not end with them.
bool FinishStream(const PrefixLook& look, const uint8_t* end, StreamAt at) {
  if (at.next > end) return false;
  uint64_t bits = 0;   // From the top.
  unsigned count = 0;  // Of `bits` that are from the stream.
  const uint8_t* next = at.next;
  const auto fill = [&] {
    for (; count <= 56 && next < end; count += 8) bits |= static_cast<uint64_t>(*next++) << (56 - count);
  };
  const uint64_t* const several = look.several + (size_t{1} << look.bits);
  fill();
  if (at.bit > count) return false;
  bits <<= at.bit;
  count -= static_cast<unsigned>(at.bit);
  while (at.out < at.out_end) {
    fill();
    const uint8_t symbol = static_cast<uint8_t>(several[bits >> (64 - look.bits)] >> 16);
    const unsigned length = look.lengths[symbol];
    if (length > count) return false;
    *at.out++ = symbol;
    bits <<= length;
    count -= length;
  }
  return next == end && count < 8 && bits == 0;
}

bool DecodeStreams(const PrefixLook& look, const std::array<ByteView, kPrefixStreams>& stored, const uint8_t* end,
                   absl::Span<uint8_t> out) {
  const size_t share = (out.size() + kPrefixStreams - 1) / kPrefixStreams;
  StreamAt streams[kPrefixStreams];
  const uint8_t* ends[kPrefixStreams];
  for (size_t s = 0; s < kPrefixStreams; ++s) {
    uint8_t* const first = out.data() + HWY_MIN(s * share, out.size());
    streams[s] = {stored[s].data, 0, first, out.data() + HWY_MIN((s + 1) * share, out.size())};
    ends[s] = stored[s].data + stored[s].size;
  }
  const auto finish_one = [&](size_t active) {
    size_t least = 0;
    for (size_t s = 1; s < active; ++s) {
      if (SafeRounds<1>(&streams[s], end) < SafeRounds<1>(&streams[least], end)) least = s;
    }
    const bool ok = FinishStream(look, ends[least], streams[least]);
    streams[least] = streams[active - 1];
    ends[least] = ends[active - 1];
    return ok;
  };
  Run<4>(look, end, streams);
  if (!finish_one(4)) return false;
  Run<3>(look, end, streams);
  if (!finish_one(3)) return false;
  Run<2>(look, end, streams);
  if (!finish_one(2)) return false;
  Run<1>(look, end, streams);
  return finish_one(1);
}

// What `symbol`, a word of `length` bits, and then `rest`'s symbols are together.
HWY_INLINE uint64_t Joined(uint64_t symbol, uint64_t length, uint64_t rest, const ByteLengths& lengths) {
  // Of seven symbols the last is left to the next look.
  if ((rest >> 8 & 0xFF) == kMostSymbols) rest -= 0x100 + lengths[static_cast<size_t>(rest >> 56)];
  return (rest & ~uint64_t{0xFFFF}) << 8 | symbol << 16 | ((rest & 0xFFFF) + 0x100 + length);
}

// The same for `count` rests. Returns where the next ones go.
uint64_t* JoinAll(uint64_t symbol, uint64_t length, const uint64_t* rests, size_t count, const ByteLengths& lengths,
                  uint64_t* out) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<uint64_t> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto rest = hn::LoadU(d, rests + i);
    if (!hn::AllFalse(d, hn::Eq(hn::And(rest, hn::Set(d, 0xFF00)), hn::Set(d, kMostSymbols << 8)))) {
      for (size_t j = i; j < i + lanes; ++j) out[j] = Joined(symbol, length, rests[j], lengths);
      continue;
    }
    const auto symbols = hn::Or(hn::ShiftLeft<8>(hn::AndNot(hn::Set(d, 0xFFFF), rest)), hn::Set(d, symbol << 16));
    const auto totals = hn::Add(hn::And(rest, hn::Set(d, 0xFFFF)), hn::Set(d, 0x100 + length));
    hn::StoreU(hn::Or(symbols, totals), d, out + i);
  }
  for (; i < count; ++i) out[i] = Joined(symbol, length, rests[i], lengths);
  return out + count;
}

// Entry 2^v + x is of v known bits x. For all x that begin with one word they are that symbol and what the bits behind
// it give: all entries of 2^(v - length) on, one after the other.
void BuildSeveral(const ByteLengths& lengths, absl::Span<const uint8_t> symbols, unsigned bits, uint64_t* several) {
  several[0] = several[1] = 0;
  for (unsigned v = 1; v <= bits; ++v) {
    uint64_t* out = several + (size_t{1} << v);
    uint64_t* const end = out + (size_t{1} << v);
    for (uint8_t symbol : symbols) {
      const unsigned length = lengths[symbol];
      if (length > v) break;
      const size_t rests = size_t{1} << (v - length);
      out = JoinAll(symbol, length, several + rests, rests, lengths, out);
    }
    // Words of more than v bits.
    std::fill(out, end, 0);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace modelvault
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace modelvault {
namespace {

HWY_EXPORT(DecodeStreams);
HWY_EXPORT(BuildSeveral);

// Making the tables for longer looks costs more than fewer looks save, where there are few symbols.
unsigned LookBits(size_t count) { return count < 4096 ? 8 : count < 16384 ? 9 : count < 65536 ? 10 : kHostCodeLength; }

}  // namespace

void PrefixLook::Build(size_t count) {
  unsigned of_length[kHostCodeLength + 1] = {};
  for (uint8_t length : lengths) ++of_length[length];
  bits = LookBits(count);
  // In the order of their words: by length, then by byte.
  unsigned place[kHostCodeLength + 1] = {};
  for (unsigned l = 1; l <= kHostCodeLength; ++l) {
    if (l > 1) place[l] = place[l - 1] + of_length[l - 1];
    if (of_length[l] != 0) bits = std::max(bits, l);
  }
  uint8_t symbols[256];
  for (size_t s = 0; s < lengths.size(); ++s) {
    if (lengths[s] != 0) symbols[place[lengths[s]]++] = static_cast<uint8_t>(s);
  }
  const size_t used = lengths.size() - of_length[0];
  HWY_DYNAMIC_DISPATCH(BuildSeveral)(lengths, {symbols, used}, bits, several);
}

CoreStatus ReadStreams(ByteReader* reader, const PrefixLook& look, absl::Span<uint8_t> out) {
  std::array<size_t, kPrefixStreams> sizes;
  for (size_t& size : sizes) {
    if (!reader->ReadSize(&size)) return CoreStatus::kTruncated;
  }
  std::array<ByteView, kPrefixStreams> streams;
  for (size_t s = 0; s < kPrefixStreams; ++s) {
    if (!reader->ReadBytes(sizes[s], &streams[s])) return CoreStatus::kTruncated;
  }
  const uint8_t* const end = streams.back().data + streams.back().size;
  return HWY_DYNAMIC_DISPATCH(DecodeStreams)(look, streams, end, out) ? CoreStatus::kOk : CoreStatus::kBadStream;
}

}  // namespace modelvault
#endif  // HWY_ONCE
