// codec/rans_encoder.cc and codec/core/rans_decoder.h: whatever is written is read, and nothing else passes for it.
#include "codec/rans_encoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "codec/core/gap_tables.h"
#include "tests/codec/model_fixture.h"

namespace modelvault {
namespace {

// One thing in a stream, and what it says.
struct Item {
  enum Kind { kSymbol, kRaw, kBit, kGamma8, kGamma64, kGap, kLastGap } kind;
  unsigned parameter;  // kRaw: bits; kBit and gammas: context; gaps: level.
  uint64_t value;
  bool negative = false;
};

struct Contexts {
  AdaptiveBit bits[8];
  AdaptiveGamma<8> narrow[2];
  AdaptiveGamma<64> wide[2];
};

// Three symbols, so that frequencies of every size occur.
struct Alphabet {
  uint32_t start[4];
  explicit Alphabet(Random* random) {
    const uint32_t a = 1 + static_cast<uint32_t>(random->Below(kProbabilityScale - 2));
    const uint32_t b = a + 1 + static_cast<uint32_t>(random->Below(kProbabilityScale - 1 - a));
    start[0] = 0;
    start[1] = a;
    start[2] = b;
    start[3] = kProbabilityScale;
  }
};

std::vector<Item> RandomItems(Random* random, size_t count) {
  std::vector<Item> items;
  for (size_t i = 0; i < count; ++i) {
    Item item{static_cast<Item::Kind>(random->Below(6)), 0, 0};
    switch (item.kind) {
      case Item::kSymbol:
        item.value = random->Below(3);
        break;
      case Item::kRaw:
        item.parameter = static_cast<unsigned>(random->Below(17));
        item.value = random->Next() & ((1u << item.parameter) - 1);
        break;
      case Item::kBit:
        item.parameter = static_cast<unsigned>(random->Below(8));
        item.value = random->Chance(item.parameter / 7.0) ? 1 : 0;  // Contexts 0 and 7 never change.
        break;
      case Item::kGamma8:
        item.parameter = static_cast<unsigned>(random->Below(2));
        item.value = random->Next() >> 56 >> random->Below(9);
        break;
      case Item::kGamma64:
        item.parameter = static_cast<unsigned>(random->Below(2));
        item.value = random->Below(10) == 0 ? 0 : random->Next() >> random->Below(64);
        break;
      default:
        item.parameter = static_cast<unsigned>(random->Below(kLevelCount));
        // Dense levels need a symbol for each 31 weights.
        item.value = random->Next() >> (item.parameter < 20 ? 54 : 44) >> random->Below(21);
        item.negative = random->Below(2) != 0;
        break;
    }
    items.push_back(item);
  }
  return items;
}

std::string Encode(const std::vector<Item>& items, const Alphabet& alphabet) {
  RansEncoder encoder;
  auto contexts = std::make_unique<Contexts>();
  for (const Item& item : items) {
    const uint32_t value = static_cast<uint32_t>(item.value);
    switch (item.kind) {
      case Item::kSymbol:
        encoder.Symbol(alphabet.start[value], alphabet.start[value + 1] - alphabet.start[value]);
        break;
      case Item::kRaw:
        encoder.Raw(value, item.parameter);
        break;
      case Item::kBit:
        EncodeBit(&encoder, &contexts->bits[item.parameter], item.value != 0);
        break;
      case Item::kGamma8:
        EncodeGamma(&encoder, &contexts->narrow[item.parameter], item.value);
        break;
      case Item::kGamma64:
        EncodeGamma(&encoder, &contexts->wide[item.parameter], item.value);
        break;
      case Item::kGap:
        encoder.SetGap(encoder.Gap(item.parameter), value, item.negative);
        break;
      case Item::kLastGap:
        encoder.SetLastGap(encoder.Gap(item.parameter), value);
        break;
    }
  }
  EXPECT_GE(encoder.size(), items.size());
  std::string stream = encoder.Finish();
  EXPECT_EQ(encoder.size(), 0u);
  return stream;
}

// docs/format.md §6, by a plain search; false where a gap does not end.
bool DecodeGap(RansDecoder* rans, unsigned level, uint64_t* gap, bool* negative) {
  const unsigned s = level <= 20 ? 0 : (level - 20 + 3) / 4;
  const uint16_t* starts = kGapStarts[level - 4 * s];
  *gap = 0;
  for (;;) {
    const uint32_t slot = rans->Slot();
    unsigned q = 31;
    while (starts[q] > slot) --q;
    rans->Advance((q == 31 ? 4096u : starts[q + 1]) - starts[q], starts[q], slot);
    *gap += uint64_t{q} << s;
    if (q < 31) break;
    if (rans->overrun()) return false;
  }
  const uint32_t raw = rans->Raw(s + 1);
  *negative = (raw & 1) != 0;
  *gap += raw >> 1;
  return true;
}

// Whether the stream decodes, ends where it must, and says the same as `items`.
bool Says(ByteView stream, const std::vector<Item>& items, const Alphabet& alphabet) {
  RansDecoder rans;
  if (!rans.Start(stream)) return false;
  auto contexts = std::make_unique<Contexts>();
  for (const Item& item : items) {
    uint64_t value = 0;
    bool negative = false;
    switch (item.kind) {
      case Item::kSymbol: {
        const uint32_t slot = rans.Slot();
        while (alphabet.start[value + 1] <= slot) ++value;
        rans.Advance(alphabet.start[value + 1] - alphabet.start[value], alphabet.start[value], slot);
        break;
      }
      case Item::kRaw:
        value = rans.Raw(item.parameter);
        break;
      case Item::kBit:
        value = rans.Bit(&contexts->bits[item.parameter]) ? 1 : 0;
        break;
      case Item::kGamma8:
        value = rans.Gamma(&contexts->narrow[item.parameter]);
        break;
      case Item::kGamma64:
        value = rans.Gamma(&contexts->wide[item.parameter]);
        break;
      default:
        if (!DecodeGap(&rans, item.parameter, &value, &negative)) return false;
        break;
    }
    const bool same = item.kind == Item::kLastGap ? value >= item.value : value == item.value;
    if (!same || negative != item.negative) return false;
  }
  return rans.AtEnd();
}

TEST(RansTest, AnEmptyStreamIsTheInitialState) {
  EXPECT_EQ(RansEncoder().Finish(), std::string("\0\0\1\0", 4));
  RansDecoder decoder;
  ASSERT_TRUE(decoder.Start(View(std::string("\0\0\1\0", 4))));
  EXPECT_TRUE(decoder.AtEnd());
}

TEST(RansTest, RefusesWhatCannotBeAStream) {
  RansDecoder decoder;
  EXPECT_FALSE(decoder.AtEnd());
  EXPECT_TRUE(decoder.overrun());
  for (size_t size : {0u, 1u, 2u, 3u, 5u, 7u}) {
    EXPECT_FALSE(decoder.Start(View(Bytes(size, 0xFF)))) << size;
    EXPECT_TRUE(decoder.overrun());
    EXPECT_FALSE(decoder.AtEnd());
  }
  EXPECT_FALSE(decoder.Start(View(Bytes{0xFF, 0xFF, 0, 0})));  // A state below 2^16.
  EXPECT_FALSE(decoder.AtEnd());
  EXPECT_TRUE(decoder.Start(View(Bytes{0xFF, 0xFF, 1, 0})));
  EXPECT_FALSE(decoder.AtEnd());
}

TEST(RansTest, MixturesComeBack) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Alphabet alphabet(&random);
    const std::vector<Item> items = RandomItems(&random, 1 + random.Below(400));
    const std::string stream = Encode(items, alphabet);
    ASSERT_TRUE(Says(View(stream), items, alphabet));
  }
}

TEST(RansTest, EveryTruncationIsDetected) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Alphabet alphabet(&random);
    const std::vector<Item> items = RandomItems(&random, 150);
    const std::string stream = Encode(items, alphabet);
    for (size_t size = 0; size < stream.size(); ++size) {
      const Bytes cut(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
      ASSERT_FALSE(Says(View(cut), items, alphabet)) << "cut to " << size;
    }
    for (size_t more : {1u, 2u, 4u}) {
      ASSERT_FALSE(Says(View(stream + std::string(more, '\0')), items, alphabet)) << more << " bytes more";
    }
  }
}

TEST(RansTest, EveryBitFlipIsDetectedOrSaysSomethingElse) {
  for (uint64_t seed = 0; seed < 3; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Alphabet alphabet(&random);
    const std::vector<Item> items = RandomItems(&random, 100);
    const std::string stream = Encode(items, alphabet);
    for (size_t bit = 0; bit < 8 * stream.size(); ++bit) {
      Bytes flipped(stream.begin(), stream.end());
      flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (1u << bit % 8));
      ASSERT_FALSE(Says(View(flipped), items, alphabet)) << bit;
    }
  }
}

TEST(RansTest, AStreamThatRanOutStaysOut) {
  const std::string stream =
      Encode({{Item::kRaw, 16, 1}, {Item::kRaw, 16, 2}}, Alphabet(std::make_unique<Random>(1).get()));
  RansDecoder decoder;
  ASSERT_TRUE(decoder.Start({View(stream).data, 4}));
  for (int i = 0; i < 100; ++i) decoder.Raw(16);
  EXPECT_TRUE(decoder.overrun());
  EXPECT_FALSE(decoder.AtEnd());
  EXPECT_EQ(decoder.unread(), 0u);
}

TEST(RansTest, RawBitsOfEveryWidthComeBack) {
  std::vector<Item> items;
  for (unsigned bits = 0; bits <= 16; ++bits) {
    for (uint32_t value : {0u, 1u, 0x5555u, (1u << bits) - 1}) {
      items.push_back({Item::kRaw, bits, value & ((1u << bits) - 1)});
    }
  }
  Random random(1);
  const Alphabet alphabet(&random);
  EXPECT_TRUE(Says(View(Encode(items, alphabet)), items, alphabet));
}

TEST(RansTest, GammasOfEveryMagnitudeComeBack) {
  std::vector<Item> items;
  for (int round = 0; round < 3; ++round) {
    for (unsigned value = 0; value < 256; ++value) items.push_back({Item::kGamma8, 0, value});
    for (unsigned bits = 0; bits < 64; ++bits) {
      for (uint64_t step : {~uint64_t{0}, uint64_t{0}, uint64_t{1}}) {
        items.push_back({Item::kGamma64, 0, (uint64_t{1} << bits) + step});
      }
    }
    items.push_back({Item::kGamma64, 0, ~uint64_t{0}});
  }
  Random random(1);
  const Alphabet alphabet(&random);
  EXPECT_TRUE(Says(View(Encode(items, alphabet)), items, alphabet));
}

TEST(RansTest, GapsOfEveryLevelComeBack) {
  Random random(2);
  const Alphabet alphabet(&random);
  for (unsigned level = 0; level < kLevelCount; ++level) {
    std::vector<Item> items;
    for (uint64_t gap = 0; gap < 70; ++gap) items.push_back({Item::kGap, level, gap, gap % 3 == 0});
    for (unsigned bits = 7; bits <= 20; ++bits) {
      items.push_back({Item::kGap, level, (uint64_t{1} << bits) - 1, true});
      items.push_back({Item::kGap, level, uint64_t{1} << bits, false});
      items.push_back({Item::kLastGap, level, (uint64_t{1} << bits) - random.Below(99)});
    }
    EXPECT_TRUE(Says(View(Encode(items, alphabet)), items, alphabet)) << level;
  }
}

TEST(RansTest, TheLastGapIsTheSmallestStepThatReaches) {
  for (unsigned level = 0; level < kLevelCount; ++level) {
    const uint64_t step = uint64_t{1} << GapShift(level);
    for (uint32_t count : {0u, 1u, 30u, 31u, 32u, 1000u, 70000u}) {
      RansEncoder encoder;
      encoder.SetLastGap(encoder.Gap(level), count);
      const std::string stream = encoder.Finish();
      RansDecoder decoder;
      ASSERT_TRUE(decoder.Start(View(stream)));
      uint64_t gap;
      bool negative;
      ASSERT_TRUE(DecodeGap(&decoder, level, &gap, &negative));
      EXPECT_EQ(gap, (count + step - 1) / step * step) << level << " " << count;
      EXPECT_FALSE(negative);
      EXPECT_TRUE(decoder.AtEnd());
    }
  }
}

TEST(RansTest, AStreamIsAsLongAsTheCostsSay) {
  Random random(3);
  // Cuts into symbols of all frequencies, most of them small.
  std::set<uint32_t> cuts = {0, kProbabilityScale};
  for (int i = 0; i < 200; ++i) cuts.insert(static_cast<uint32_t>(random.Below(uint64_t{1} << (2 + i % 11))));
  const std::vector<uint32_t> starts(cuts.begin(), cuts.end());
  RansEncoder encoder;
  CostCounter counter;
  Contexts coded, counted;
  const auto both = [&](auto put) {
    put(&encoder, &coded);
    put(&counter, &counted);
  };
  for (int i = 0; i < 20000; ++i) {
    const uint64_t value = random.Next() >> random.Below(64);
    const bool bit = random.Chance(0.1);
    const size_t s = random.Below(starts.size() - 1);
    both([&](auto* sink, Contexts* contexts) {
      sink->Symbol(starts[s], starts[s + 1] - starts[s]);
      EncodeBit(sink, &contexts->bits[0], bit);
      EncodeGamma(sink, &contexts->wide[0], value);
      sink->Raw(static_cast<uint32_t>(value & 31), 5);
    });
  }
  const double bits = static_cast<double>(counter.cost()) / kBitCost;
  EXPECT_NEAR(8.0 * static_cast<double>(encoder.Finish().size()), bits, 0.001 * bits + 32);
}

TEST(RansTest, GapsCostWhatTheirHazardSays) {
  // Geometric gaps at their own level: the entropy of hits and misses, and a bit of sign each.
  for (unsigned level : {0u, 4u, 8u, 12u, 16u, 20u, 21u, 24u, 31u, 40u, 50u, 63u}) {
    Random random(level);
    const double chance = -std::expm1(-4 * std::exp2(level / -4.0));
    RansEncoder encoder;
    double bits = 0;
    for (int i = 0; i < 5000; ++i) {
      const double gap = std::floor(std::log1p(-random.Unit()) / std::log1p(-chance));
      encoder.SetGap(encoder.Gap(level), static_cast<uint32_t>(gap), random.Below(2) != 0);
      bits += (HitCost(level) + gap * MissCost(level)) / kBitCost + 1;
    }
    EXPECT_NEAR(8.0 * static_cast<double>(encoder.Finish().size()), bits, 0.015 * bits + 32) << level;
  }
}

TEST(AdaptiveBitTest, FollowsTheDocumentedRule) {
  constexpr unsigned kRates[] = {1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    AdaptiveBit bit;
    uint32_t p = 32768;
    const double chance = random.Unit();
    for (unsigned n = 0; n < 200; ++n) {
      ASSERT_EQ(bit.one(), p);
      ASSERT_EQ(bit.Frequency(), std::clamp(p >> 4, 1u, 4095u));
      const bool one = random.Chance(chance);
      const unsigned rate = n < 15 ? kRates[n] : n < 31 ? 5 : 6;
      p = one ? p + ((65535 - p) >> rate) : p - (p >> rate);
      bit.Update(one);
    }
  }
}

TEST(AdaptiveBitTest, IsNeverCertain) {
  AdaptiveBit zero, one;
  for (int i = 0; i < 10000; ++i) {
    zero.Update(false);
    one.Update(true);
  }
  EXPECT_GE(zero.Frequency(), 1u);
  EXPECT_LE(one.Frequency(), kProbabilityScale - 1);
}

}  // namespace
}  // namespace modelvault
