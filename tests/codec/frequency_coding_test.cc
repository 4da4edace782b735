// codec/frequency_coding.cc and codec/core/frequency_table.cc: the two sides of stored tables.
#include "codec/frequency_coding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "codec/core/frequency_table.h"
#include "codec/rans_encoder.h"
#include "tests/codec/model_fixture.h"

namespace modelvault {
namespace {

CoreStatus Read(const std::string& stored, Frequencies* frequencies, size_t* used = nullptr) {
  // An exact copy on the heap: a read past its end is one past the allocation's.
  const Bytes copy(stored.begin(), stored.end());
  ByteReader reader(View(copy));
  const CoreStatus status = ReadFrequencies(&reader, frequencies->data());
  if (used != nullptr) *used = reader.position();
  return status;
}

void ExpectRoundTrip(const Frequencies& frequencies) {
  const std::string stored = SerializeFrequencies(frequencies);
  Frequencies read;
  size_t used;
  ASSERT_EQ(Read(stored + "next", &read, &used), CoreStatus::kOk);
  ASSERT_EQ(used, stored.size());
  ASSERT_EQ(read, frequencies);
  for (size_t cut = 0; cut < stored.size(); ++cut) {
    ASSERT_EQ(Read(stored.substr(0, cut), &read), CoreStatus::kTruncated) << "cut to " << cut;
  }
}

Histogram RandomHistogram(Random* random, int shape) {
  Histogram h{};
  switch (shape) {
    case 0:  // One symbol.
      h[random->Byte()] = 1 + random->Below(1000);
      break;
    case 1:  // All symbols alike.
      h.fill(1 + random->Below(1000));
      break;
    case 2:  // One symbol has nearly everything, all others once.
      h.fill(1);
      h[random->Byte()] = uint64_t{1} << random->Below(50);
      break;
    case 3:  // A bell around zero, as weights have it.
      for (int i = 0; i < 20000; ++i) ++h[static_cast<uint8_t>(static_cast<int>(random->Normal() * 20))];
      break;
    case 4:  // Powers of two.
      for (size_t s = 0; s < 256; ++s) h[s] = uint64_t{1} << random->Below(40);
      break;
    case 5:  // Two symbols, far apart.
      h[0x80] = 1;
      h[0x7F] = uint64_t{1} << random->Below(50);
      break;
    default:  // Some symbols.
      for (uint64_t n = 1 + random->Below(256); n > 0; --n) h[random->Byte()] += 1 + random->Below(100);
      break;
  }
  return h;
}

TEST(FrequencyCodingTest, NormalizedFrequenciesCoverTheHistogramAndComeBackFromTheirStoredForm) {
  for (int shape = 0; shape <= 6; ++shape) {
    for (uint64_t seed = 0; seed < 30; ++seed) {
      SCOPED_TRACE(testing::Message() << "shape " << shape << " seed " << seed);
      Random random(seed);
      const Histogram h = RandomHistogram(&random, shape);
      const Frequencies f = NormalizeFrequencies(h);
      EXPECT_EQ(std::accumulate(f.begin(), f.end(), 0u), kProbabilityScale);
      for (size_t s = 0; s < 256; ++s) ASSERT_EQ(f[s] != 0, h[s] != 0) << s;
      ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(f));
    }
  }
}

TEST(FrequencyCodingTest, NormalizedFrequenciesCostLittleMoreThanTheEntropy) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    for (int shape : {1, 3, 6}) {
      const Histogram h = RandomHistogram(&random, shape);
      const double total = static_cast<double>(std::accumulate(h.begin(), h.end(), uint64_t{0}));
      double entropy = 0;
      for (uint64_t count : h) {
        if (count != 0) entropy -= static_cast<double>(count) * std::log2(static_cast<double>(count) / total);
      }
      const double cost = static_cast<double>(CodedCost(h, NormalizeFrequencies(h))) / kBitCost;
      EXPECT_GE(cost, entropy - 0.01);
      EXPECT_LE(cost, entropy * 1.01 + 8) << "shape " << shape;
    }
  }
}

TEST(FrequencyCodingTest, OfTwoSymbolsNoFrequenciesAreNoticeablyCheaper) {
  // Every pair of frequencies is tried.
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    Histogram h{};
    h[3] = 1 + random.Below(100000);
    h[200] = 1 + random.Below(uint64_t{1} << random.Below(30));
    const uint64_t cost = CodedCost(h, NormalizeFrequencies(h));
    for (uint16_t f = 1; f < kProbabilityScale; ++f) {
      Frequencies other{};
      other[3] = f;
      other[200] = static_cast<uint16_t>(kProbabilityScale - f);
      ASSERT_LE(cost, CodedCost(h, other) + CodedCost(h, other) / 500) << seed << " " << f;
    }
  }
}

TEST(FrequencyCodingTest, TheStoredFormIsTheDocumentedOne) {
  // 05: frequency 4,096, order 11: v = 6,144 has 13 bits; a one, a zero, then 12 bits, the highest of them set.
  Frequencies one{};
  one[5] = 4096;
  EXPECT_EQ(SerializeFrequencies(one), std::string("\x05\x05\x0B\x01\x20", 5));
  // FF, 00, 01 in signed order with 2,048, 1,536 and 512, order 9: v = 2,560 (12 bits: 110, 1000000000|01),
  // 2,048 (12 bits: 110, 00000000000), 1,024 (11 bits: 10, 0000000000).
  Frequencies three{};
  three[0xFF] = 2048;
  three[0] = 1536;
  three[1] = 512;
  std::string bits;
  const auto put = [&](uint32_t value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) bits.push_back(static_cast<char>((value >> i) & 1));
  };
  const std::string stored = SerializeFrequencies(three);
  const unsigned order = static_cast<uint8_t>(stored[2]);
  for (uint32_t f : {2048u, 1536u, 512u}) {
    const uint32_t v = f + (1u << order);
    unsigned n = 0;
    while (v >> n) ++n;
    for (unsigned i = 0; i < n - 1 - order; ++i) put(1, 1);
    put(0, 1);
    put(v, n - 1);
  }
  std::string expected = {'\xFF', '\x01', static_cast<char>(order)};
  for (size_t i = 0; i < bits.size(); ++i) {
    if (i % 8 == 0) expected.push_back(0);
    expected.back() = static_cast<char>(expected.back() | (bits[i] << (i % 8)));
  }
  EXPECT_EQ(stored, expected);
}

TEST(FrequencyTableTest, RefusesMalformedTables) {
  struct Case {
    const char* what;
    std::string stored;
    CoreStatus status;
  };
  const std::string good("\x05\x05\x0B\x01\x20", 5);
  const Case cases[] = {
      {"good", good, CoreStatus::kOk},
      {"order 13", std::string("\x05\x05\x0D\x01\x20\x00\x00", 7), CoreStatus::kBadTable},
      {"order 255", std::string("\x05\x05\xFF\x01\x20\x00\x00", 7), CoreStatus::kBadTable},
      {"ends before it begins, in signed order", std::string("\x05\x80\x0B\x01\x20", 5), CoreStatus::kBadTable},
      {"nonzero padding", std::string("\x05\x05\x0B\x01\x60", 5), CoreStatus::kBadTable},
      {"sum 4,095", std::string("\x05\x05\x0B\xFD\x1F", 5), CoreStatus::kBadTable},
      {"sum 4,097", std::string("\x05\x05\x0B\x05\x20", 5), CoreStatus::kBadTable},
      {"sum 0", std::string("\x05\x05\x00\x00", 4), CoreStatus::kBadTable},
      {"endless unary", std::string("\x05\x05\x00", 3) + std::string(64, '\xFF'), CoreStatus::kBadTable},
      {"unary one too long", std::string("\x05\x05\x0C\x03\x00\x00\x00", 7), CoreStatus::kBadTable},
      {"sum passes 4,096 on the way", std::string("\x05\x06\x0B\x01\x60\x00\x08", 7), CoreStatus::kBadTable},
      {"empty", "", CoreStatus::kTruncated},
  };
  for (const Case& c : cases) {
    Frequencies f;
    EXPECT_EQ(Read(c.stored, &f), c.status) << c.what;
  }
}

TEST(FrequencyTableTest, AnyBytesAreATableThatSumsUpOrAnError) {
  Random random(7);
  int good = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string stored = SerializeFrequencies(NormalizeFrequencies(RandomHistogram(&random, 6)));
    for (uint64_t n = random.Below(3); n > 0; --n) {
      char& c = stored[random.Below(stored.size())];
      c = static_cast<char>(c ^ (1 << random.Below(8)));
    }
    Frequencies f;
    if (Read(stored, &f) != CoreStatus::kOk) continue;
    ++good;
    ASSERT_EQ(std::accumulate(f.begin(), f.end(), 0u), kProbabilityScale);
  }
  EXPECT_GT(good, 1000);
}

TEST(DecodeTableTest, GivesEachSymbolItsSlotsInOrderOfBytes) {
  Random random(8);
  const Frequencies f = NormalizeFrequencies(RandomHistogram(&random, 6));
  DecodeTable table;
  table.Build(f.data());
  uint32_t slot = 0;
  for (unsigned s = 0; s < 256; ++s) {
    EXPECT_EQ(table.frequency[s], f[s]);
    EXPECT_EQ(table.start[s], slot);
    for (uint32_t i = 0; i < f[s]; ++i) ASSERT_EQ(table.symbol[slot++], s);
  }
  EXPECT_EQ(slot, kProbabilityScale);
}

TEST(DecodeTableTest, DecodesWhatWasCodedWithTheSameFrequencies) {
  for (int shape : {0, 2, 3, 6}) {
    Random random(9);
    const Histogram h = RandomHistogram(&random, shape);
    const Frequencies f = NormalizeFrequencies(h);
    DecodeTable table;
    table.Build(f.data());
    Bytes symbols(5000);
    RansEncoder encoder;
    for (uint8_t& s : symbols) {
      do s = random.Byte();
      while (f[s] == 0);
      encoder.Symbol(table.start[s], f[s]);
    }
    const std::string stream = encoder.Finish();
    RansDecoder decoder;
    ASSERT_TRUE(decoder.Start(View(stream)));
    for (uint8_t s : symbols) ASSERT_EQ(table.Decode(&decoder), s);
    EXPECT_TRUE(decoder.AtEnd());
  }
}

}  // namespace
}  // namespace modelvault
