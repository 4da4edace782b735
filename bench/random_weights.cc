#include "bench/random_weights.h"

#include <array>
#include <bit>
#include <cstring>

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"
#include "codec/core/prediction.h"

namespace modelvault::bench {
namespace {

using BellTable = std::array<uint8_t, 65536>;

// Sums of uniform fields of 16 bits, moved to have their middle at zero: close to a bell, and exact.
BellTable MakeBell(Bell bell) {
  BellTable table;
  for (uint32_t i = 0; i < table.size(); ++i) {
    const int nibbles = static_cast<int>((i & 15) + ((i >> 4) & 15) + ((i >> 8) & 15) + (i >> 12)) - 30;
    const int uneven = static_cast<int>((i & 63) + ((i >> 6) & 31) + (i >> 11)) - 62;
    table[i] = static_cast<uint8_t>(bell == Bell::kNarrow ? nibbles : uneven);
  }
  return table;
}

}  // namespace

void FillBell(Bell bell, Random* random, absl::Span<uint8_t> out) {
  static const BellTable kNarrow = MakeBell(Bell::kNarrow);
  static const BellTable kWide = MakeBell(Bell::kWide);
  const BellTable& table = bell == Bell::kNarrow ? kNarrow : kWide;
  size_t at = 0;
  for (; out.size() - at >= 4; at += 4) {
    const uint64_t bits = random->Next();
    out[at] = table[bits & 0xFFFF];
    out[at + 1] = table[(bits >> 16) & 0xFFFF];
    out[at + 2] = table[(bits >> 32) & 0xFFFF];
    out[at + 3] = table[bits >> 48];
  }
  for (; at < out.size(); ++at) out[at] = table[random->Bits16()];
}

GapSampler::GapSampler(uint32_t one_in) : quantiles_(65536) {
  uint64_t survives = uint64_t{1} << 48;  // The chance that the gap is longer than `gap`, times 2^48.
  uint32_t gap = 0;
  survives -= survives / one_in;
  for (uint32_t i = 0; i < quantiles_.size(); ++i) {
    // The middle of quantile i, counted from the longest.
    const uint64_t chance = (2 * static_cast<uint64_t>(quantiles_.size() - 1 - i) + 1) << 31;
    while (survives > chance) {
      survives -= survives / one_in;
      ++gap;
    }
    quantiles_[i] = gap;
  }
}

void ApplyRandomTrits(const GapSampler& gaps, uint8_t max_scale, Random* random, absl::Span<const uint8_t> base,
                      absl::Span<uint8_t> variant) {
  if (base.empty()) return;
  std::memcpy(variant.data(), base.data(), base.size());
  size_t group = ~size_t{0};
  uint16_t scale = 0;
  for (size_t at = gaps.Next(random); at < base.size(); at += 1 + gaps.Next(random)) {
    if (at >> kGroupShift != group) {
      group = at >> kGroupShift;
      scale = static_cast<uint16_t>((1 + random->Below(max_scale)) << 8);
    }
    const int trit = random->Next() >> 63 != 0 ? 1 : -1;
    variant[at] = static_cast<uint8_t>(ApplyTrit(static_cast<int8_t>(base[at]), scale, trit));
  }
}

void FillFloats(float middle, Random* random, absl::Span<uint8_t> out) {
  const uint32_t bits = std::bit_cast<uint32_t>(middle);
  for (size_t at = 0; out.size() - at >= 4; at += 4) {
    StoreLe32(&out[at], bits + (static_cast<uint32_t>(random->Bits16() >> 9) << 16));
  }
}

}  // namespace modelvault::bench
