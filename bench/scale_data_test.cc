#include "bench/scale_data.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bench/peer_sizes.h"
#include "codec/core/bytes.h"

namespace modelvault::bench {
namespace {

constexpr uint64_t kRows = 64;

struct Pair {
  std::vector<uint8_t> base;
  std::vector<uint8_t> variant;

  double share(uint64_t bytes) const { return static_cast<double>(bytes) / static_cast<double>(variant.size()); }
  // Of elements of `size` bytes.
  double equal(size_t size) const {
    size_t count = 0;
    for (size_t at = 0; at < base.size(); at += size) {
      count += std::equal(&base[at], &base[at] + size, &variant[at]) ? 1 : 0;
    }
    return static_cast<double>(count * size) / static_cast<double>(base.size());
  }
};

template <class MakeRow>
Pair Rows(size_t row_size, MakeRow make_row) {
  Pair pair{std::vector<uint8_t>(kRows * row_size), std::vector<uint8_t>(kRows * row_size)};
  for (uint64_t row = 0; row < kRows; ++row) {
    // One of each tensor.
    make_row(1024 * row, absl::MakeSpan(pair.base).subspan(row * row_size, row_size),
             absl::MakeSpan(pair.variant).subspan(row * row_size, row_size));
  }
  return pair;
}

Pair FineTuned(double strength) {
  return Rows(2 * kScaleRow, [&](uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant) {
    MakeFineTunedRow({strength, 1}, row, base, variant);
  });
}

TEST(ScaleDataTest, BasesHaveTheBitsOfRealOnes) {
  const Pair pair = FineTuned(0.01);
  const double split = pair.share(SplitHuffmanSize(pair.base, 2, true));
  EXPECT_GT(split, 0.655);
  EXPECT_LT(split, 0.68);
}

TEST(ScaleDataTest, FineTunesKeepTheShareOfElementsThatRealOnesKeep) {
  const Pair light = FineTuned(0.002);
  EXPECT_GT(light.equal(2), 0.33);
  EXPECT_LT(light.equal(2), 0.67);
  const Pair heavy = FineTuned(0.03);
  EXPECT_LT(heavy.equal(2), 0.1);
  EXPECT_LT(heavy.share(XorZstdSize(heavy.variant, heavy.base, 3)), 0.6);
}

TEST(ScaleDataTest, NearlyEqualOnesAreNearlyEqual) {
  const Pair pair = Rows(2 * kScaleRow, [](uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant) {
    MakeNearlyEqualRow(1, 200, row, base, variant);
  });
  EXPECT_NEAR(pair.equal(2), 0.995, 0.001);
}

TEST(ScaleDataTest, TernaryOnesMoveByTheirGroupsScale) {
  const Pair pair = Rows(kScaleRow, [](uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant) {
    MakeTernaryRow(1, 0.03, row, base, variant);
  });
  EXPECT_NEAR(pair.equal(1), 0.97, 0.002);
  EXPECT_NEAR(pair.share(SplitHuffmanSize(pair.base, 1, false)), 6.1 / 8, 0.01);
  for (size_t group = 0; group < pair.base.size(); group += 128) {
    int scale = 0;
    for (size_t i = group; i < group + 128; ++i) {
      const int step = std::abs(static_cast<int8_t>(pair.variant[i]) - static_cast<int8_t>(pair.base[i]));
      if (step == 0) continue;
      EXPECT_TRUE(scale == 0 || scale == step);
      EXPECT_LE(step, 6);
      scale = step;
    }
  }
}

TEST(ScaleDataTest, ARowIsTheSameEachTime) { EXPECT_TRUE(FineTuned(0.01).variant == FineTuned(0.01).variant); }

}  // namespace
}  // namespace modelvault::bench
