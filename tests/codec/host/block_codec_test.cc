#include "codec/host/block_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/host/block_format.h"
#include "codec/host/vector_targets.h"
#include "hwy/targets.h"
#include "tests/codec/host/made_pieces.h"

namespace modelvault {
namespace {

absl::Span<const uint8_t> BytesOf(const std::string& s) {
  return {reinterpret_cast<const uint8_t*>(s.data()), s.size()};
}

std::string Encoded(DType dtype, absl::Span<const uint8_t> data, absl::Span<const uint8_t> reference) {
  BlockScratch scratch;
  std::string out;
  EncodeBlock(dtype, data, reference, &scratch, &out);
  return out;
}

// What the block decodes to, in memory that ends where it ends; or the error's name.
std::string Decoded(DType dtype, absl::Span<const uint8_t> stored, absl::Span<const uint8_t> reference, size_t size) {
  BlockScratch scratch;
  Bytes exact(stored.begin(), stored.end());
  Bytes out(size, 0xEE);
  const CoreStatus status = DecodeBlock(dtype, exact, reference, &scratch, absl::MakeSpan(out));
  return status == CoreStatus::kOk ? std::string(out.begin(), out.end()) : CoreStatusName(status);
}

BlockCoding CodingOf(const std::string& block) { return static_cast<BlockCoding>(block[0]); }

// Everything below is done by each of the processor's instruction sets that there is code for.
class BlockCodecTest : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { hwy::SetSupportedTargetsForTest(GetParam()); }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }

  // Codes the pair and decodes it again, with and without the reference. The blocks' bytes.
  std::string RoundTrip(const PiecePair& pair) {
    std::string blocks;
    const std::string data(pair.data.begin(), pair.data.end());
    for (const absl::Span<const uint8_t> reference :
         {absl::Span<const uint8_t>(), absl::MakeConstSpan(pair.reference)}) {
      const std::string block = Encoded(pair.dtype, pair.data, reference);
      EXPECT_LE(block.size(), pair.data.size() + kBlockOverhead);
      EXPECT_TRUE(Decoded(pair.dtype, BytesOf(block), reference, data.size()) == data)
          << pair.name << " " << data.size() << " dtype " << static_cast<int>(pair.dtype);
      blocks += block;
    }
    return blocks;
  }
};

std::vector<PiecePair> ManyPairs() {
  std::vector<PiecePair> pairs;
  uint64_t seed = 1;
  for (uint8_t d = 0; d < kDTypeCount; ++d) {
    const DType dtype = static_cast<DType>(d);
    for (const size_t size : {0, 1, 2, 3, 7, 8, 9, 31, 64, 127, 500, 4097, 20'003}) {
      for (const double density : {0.002, 0.1, 1.0}) {
        pairs.push_back(RandomPair(dtype, size, density, ++seed));
        pairs.push_back(ScarcePair(dtype, size, density, ++seed));
      }
    }
  }
  for (const DType dtype : {DType::kF16, DType::kBf16, DType::kF32, DType::kF64}) {
    for (const double strength : {0.0001, 0.003, 0.1}) {
      for (const size_t count : {1, 100, 4096, 35'000}) pairs.push_back(FloatPair(dtype, count, strength, ++seed));
    }
  }
  for (const int max_scale : {1, 6, 255}) {
    for (const double density : {0.001, 0.03, 0.2}) pairs.push_back(TernaryPair(70'000, density, max_scale, ++seed));
  }
  return pairs;
}

TEST_P(BlockCodecTest, GivesBackWhatItWasGiven) {
  for (const PiecePair& pair : ManyPairs()) RoundTrip(pair);
}

TEST_P(BlockCodecTest, SameBytesByEveryInstructionSet) {
  for (const PiecePair& pair : ManyPairs()) {
    if (pair.data.size() > 5000 && pair.data.size() % 2 != 0) continue;
    const std::string own = RoundTrip(pair);
    hwy::SetSupportedTargetsForTest(HWY_STATIC_TARGET);
    EXPECT_TRUE(RoundTrip(pair) == own) << pair.name;
    hwy::SetSupportedTargetsForTest(GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, BlockCodecTest, testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& target) { return std::string(hwy::TargetName(target.param)); });

TEST(BlockCodingTest, IsChosenByWhatThePiecesAre) {
  const PiecePair floats = FloatPair(DType::kBf16, 30'000, 0.01, 1);
  EXPECT_EQ(CodingOf(Encoded(DType::kBf16, floats.data, {})), BlockCoding::kValue);
  EXPECT_EQ(CodingOf(Encoded(DType::kBf16, floats.data, floats.reference)), BlockCoding::kDifference);
  EXPECT_EQ(Encoded(DType::kBf16, floats.data, floats.data), std::string(1, static_cast<char>(BlockCoding::kSame)));
  EXPECT_EQ(Encoded(DType::kBf16, Bytes(1000, 9), {}), std::string({static_cast<char>(BlockCoding::kConstant), 9, 9}));
  const PiecePair light = FloatPair(DType::kBf16, 30'000, 0.00001, 2);
  EXPECT_EQ(CodingOf(Encoded(DType::kBf16, light.data, light.reference)), BlockCoding::kSparse);
  const PiecePair ternary = TernaryPair(30'000, 0.03, 6, 3);
  EXPECT_EQ(CodingOf(Encoded(DType::kI8, ternary.data, ternary.reference)), BlockCoding::kTernary);
  EXPECT_EQ(CodingOf(Encoded(DType::kU8, ternary.data, ternary.reference)), BlockCoding::kSparse);
  const Bytes noise = Random(4).Uniform(10'000);
  EXPECT_EQ(CodingOf(Encoded(DType::kU8, noise, {})), BlockCoding::kRaw);
  // Bits that are set here and there are no difference of numbers.
  Bytes flags = noise, flagged = noise;
  Random random(5);
  for (uint8_t& byte : flagged) byte ^= static_cast<uint8_t>(random.Chance(0.4) ? 64 : 0);
  EXPECT_EQ(CodingOf(Encoded(DType::kU8, flagged, flags)), BlockCoding::kXor);
}

TEST(BlockCodingTest, ADifferenceTakesFewerBytesThanTheValue) {
  const PiecePair pair = FloatPair(DType::kBf16, 100'000, 0.01, 7);
  const size_t base = Encoded(DType::kBf16, pair.reference, {}).size();
  const size_t variant = Encoded(DType::kBf16, pair.data, pair.reference).size();
  EXPECT_LT(base, pair.data.size() * 68 / 100);
  EXPECT_LT(variant, pair.data.size() * 27 / 100);
}

std::vector<PiecePair> SmallPairs() {
  return {FloatPair(DType::kBf16, 5000, 0.01, 1), FloatPair(DType::kF32, 300, 0.01, 2), TernaryPair(2000, 0.03, 6, 3),
          FloatPair(DType::kF16, 5000, 0.0001, 4), ScarcePair(DType::kU8, 900, 0.02, 5)};
}

TEST(BlockDecoderTest, EveryTruncationIsAnError) {
  for (const PiecePair& pair : SmallPairs()) {
    const std::string block = Encoded(pair.dtype, pair.data, pair.reference);
    for (size_t size = 0; size < block.size(); size += 1 + size / 50) {
      const std::string decoded =
          Decoded(pair.dtype, BytesOf(block).subspan(0, size), pair.reference, pair.data.size());
      ASSERT_LT(decoded.size(), 100u) << pair.name << " " << size;
    }
    const std::string longer = block + '\0';
    EXPECT_LT(Decoded(pair.dtype, BytesOf(longer), pair.reference, pair.data.size()).size(), 100u);
  }
}

TEST(BlockDecoderTest, NoChangeOfABitLeavesTheMemory) {
  for (const PiecePair& pair : SmallPairs()) {
    std::string block = Encoded(pair.dtype, pair.data, pair.reference);
    for (size_t bit = 0; bit < 8 * block.size(); bit += 1 + bit / 100) {
      const char before = block[bit / 8];
      block[bit / 8] = static_cast<char>(before ^ (1 << bit % 8));
      Decoded(pair.dtype, BytesOf(block), pair.reference, pair.data.size());
      block[bit / 8] = before;
    }
  }
}

TEST(BlockDecoderTest, RefusesSizesThatDoNotFit) {
  BlockScratch scratch;
  Bytes out(10);
  const Bytes raw(11);
  EXPECT_EQ(DecodeBlock(DType::kU8, raw, Bytes(9), &scratch, absl::MakeSpan(out)), CoreStatus::kBadArgument);
  EXPECT_EQ(DecodeBlock(static_cast<DType>(14), raw, {}, &scratch, absl::MakeSpan(out)), CoreStatus::kBadArgument);
  EXPECT_EQ(DecodeBlock(DType::kU8, raw, {}, &scratch, absl::MakeSpan(out)), CoreStatus::kOk);
  const Bytes same = {static_cast<uint8_t>(BlockCoding::kSame)};
  EXPECT_EQ(DecodeBlock(DType::kU8, same, {}, &scratch, absl::MakeSpan(out)), CoreStatus::kBadMode);
  EXPECT_EQ(DecodeBlock(DType::kU8, Bytes{8}, out, &scratch, absl::MakeSpan(out)), CoreStatus::kBadMode);
}

}  // namespace
}  // namespace modelvault
