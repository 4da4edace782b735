#include "codec/host/block_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/host/block_format.h"
#include "codec/host/vector_targets.h"
#include "hwy/targets.h"
#include "tests/codec/host/made_pieces.h"
#include "tests/codec/host/reference_block_decoder.h"

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

// Done by each of the processor's instruction sets that there is code for, and compared with the plainest.
class BlockCodecTest : public testing::TestWithParam<int64_t> {
 protected:
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

TEST_P(BlockCodecTest, GivesBackWhatItWasGivenAndTheSameBytesAsTheScalarCode) {
  for (const PiecePair& pair : ManyPairs()) {
    SCOPED_TRACE(absl::StrCat(pair.name, " ", pair.data.size(), " dtype ", static_cast<int>(pair.dtype)));
    const std::string data(pair.data.begin(), pair.data.end());
    for (const absl::Span<const uint8_t> reference :
         {absl::Span<const uint8_t>(), absl::MakeConstSpan(pair.reference)}) {
      hwy::SetSupportedTargetsForTest(HWY_STATIC_TARGET);
      const std::string scalar = Encoded(pair.dtype, pair.data, reference);
      hwy::SetSupportedTargetsForTest(GetParam());
      const std::string block = Encoded(pair.dtype, pair.data, reference);
      EXPECT_TRUE(block == scalar);
      EXPECT_LE(block.size(), data.size() + kBlockOverhead);
      EXPECT_TRUE(Decoded(pair.dtype, BytesOf(block), reference, data.size()) == data);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, BlockCodecTest, testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& target) { return std::string(hwy::TargetName(target.param)); });

// Also with a bit or a byte changed: what has a meaning, and what has none, is the same for both.
TEST(BlockDecoderTest, AgreesWithThePage) {
  Random random(77);
  size_t refused = 0, taken = 0;
  for (const PiecePair& pair : ManyPairs()) {
    if (pair.data.size() > 10'000) continue;
    for (const Bytes& reference : {Bytes(), pair.reference}) {
      const std::string block = Encoded(pair.dtype, pair.data, reference);
      Bytes stored(block.begin(), block.end());
      for (int change = 0; change < 3; ++change) {
        SCOPED_TRACE(absl::StrCat(pair.name, " ", pair.data.size(), " change ", change));
        // Where a block begins, and its planes, there is most to get wrong.
        if (change > 0) {
          uint8_t& byte = stored[random.Below(std::min<size_t>(stored.size(), 1 + random.Below(60)))];
          byte = static_cast<uint8_t>(byte ^ 1 << random.Below(8));
        }
        const std::optional<Bytes> expected = DecodeByThePage(pair.dtype, stored, reference, pair.data.size());
        BlockScratch scratch;
        Bytes out(pair.data.size());
        const CoreStatus status = DecodeBlock(pair.dtype, stored, reference, &scratch, absl::MakeSpan(out));
        ASSERT_EQ(status == CoreStatus::kOk, expected.has_value()) << CoreStatusName(status);
        ASSERT_TRUE(!expected.has_value() || out == *expected);
        ++(expected.has_value() ? taken : refused);
      }
    }
  }
  EXPECT_GT(refused, 300u);
  EXPECT_GT(taken, 1000u);
}

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

TEST(BlockCodingTest, FindsWhereGroupsBeginInAPieceThatBeginsInsideOne) {
  const PiecePair whole = TernaryPair(30'000, 0.03, 6, 3);
  const size_t at_begin = Encoded(DType::kI8, whole.data, whole.reference).size();
  for (const size_t cut : {1, 37, 127, 128, 200}) {
    const absl::Span<const uint8_t> data = absl::MakeConstSpan(whole.data).subspan(cut);
    const absl::Span<const uint8_t> reference = absl::MakeConstSpan(whole.reference).subspan(cut);
    const std::string block = Encoded(DType::kI8, data, reference);
    EXPECT_EQ(CodingOf(block), BlockCoding::kTernary) << cut;
    EXPECT_LE(block.size(), at_begin + 4) << cut;
    EXPECT_EQ(Decoded(DType::kI8, BytesOf(block), reference, data.size()), std::string(data.begin(), data.end()));
  }
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
