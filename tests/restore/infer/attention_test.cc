#include "restore/infer/attention.h"

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "tests/restore/infer/test_vector.h"

namespace modelvault {
namespace {

// What an entry says.
double Stored(const AttentionShape& shape, const uint8_t* entry, bool value, size_t i) {
  const uint8_t code = entry[2 * shape.kv_dim() + (value ? shape.kv_heads : 0) + i / shape.head_dim];
  const int q = static_cast<int8_t>(entry[(value ? shape.kv_dim() : 0) + i]);
  return q * std::ldexp(8 + code % 8, code / 8 - 26);
}

class Cache {
 public:
  // Keys and values of up to `magnitude`; entries lie apart.
  Cache(const AttentionShape& shape, size_t positions, double magnitude, uint32_t seed)
      : shape_(shape), random_(seed), stride_(shape.entry_size() + 3) {
    entries_.resize(positions * stride_ + kCacheOverread);
    for (size_t p = 0; p < positions; ++p) {
      const double size = magnitude * (p % 5 == 0 ? 1 : 0.3);
      TestVector keys(Random(shape.kv_dim(), size)), values(Random(shape.kv_dim(), size * 2));
      StoreEntry(shape, keys.vector(), values.vector(), entries_.data() + p * stride_);
    }
  }

  std::vector<double> Random(size_t count, double magnitude) {
    std::vector<double> values;
    for (size_t i = 0; i < count; ++i) {
      values.push_back((static_cast<double>(random_() % 20001) / 10000 - 1) * magnitude);
    }
    return values;
  }

  AttentionCache view(size_t used, size_t sinks) { return {entries_.data(), stride_, used, sinks}; }

  // In doubles, over what is stored.
  std::vector<double> Expected(size_t used, size_t sinks, const std::vector<double>& queries,
                               const std::vector<double>& sink_queries) const {
    std::vector<double> out;
    for (size_t h = 0; h < shape_.heads; ++h) {
      const size_t kv = h / (shape_.heads / shape_.kv_heads) * shape_.head_dim;
      std::vector<double> weights;
      double most = -1e300, sum = 0;
      for (size_t p = 0; p < used; ++p) {
        const uint8_t* const entry = entries_.data() + p * stride_;
        double score = 0;
        for (size_t i = 0; i < shape_.head_dim; ++i) {
          score += (p < sinks ? sink_queries : queries)[h * shape_.head_dim + i] * Stored(shape_, entry, false, kv + i);
        }
        weights.push_back(score / std::sqrt(static_cast<double>(shape_.head_dim)));
        most = std::max(most, weights.back());
      }
      for (double& weight : weights) {
        weight = std::exp(weight - most);
        sum += weight;
      }
      for (size_t i = 0; i < shape_.head_dim; ++i) {
        double value = 0;
        for (size_t p = 0; p < used; ++p) {
          value += weights[p] / sum * Stored(shape_, entries_.data() + p * stride_, true, kv + i);
        }
        out.push_back(value);
      }
    }
    return out;
  }

 private:
  AttentionShape shape_;
  std::mt19937 random_;
  size_t stride_;
  std::vector<uint8_t> entries_;
};

// The largest difference from the doubles, over the largest value stored.
double Error(const AttentionShape& shape, size_t positions, size_t sinks, double magnitude) {
  Cache cache(shape, positions, magnitude, 31);
  TestVector queries(cache.Random(shape.heads * shape.head_dim, 3));
  // Half as large, of the same exponent.
  TestVector sink_queries = queries;
  for (size_t i = 0; i < queries.doubles().size(); ++i) sink_queries.vector().values[i] /= 2;
  std::vector<uint32_t> scratch(AttentionScratchSize(shape, positions) / 4 + 1);
  TestVector out(shape.heads * shape.head_dim);
  Attend(shape, cache.view(positions, sinks), queries.vector(), sink_queries.vector().values,
         FindScoreScale(shape.head_dim), scratch.data(), out.vector());
  EXPECT_TRUE(out.is_normalised());
  const std::vector<double> expected = cache.Expected(positions, sinks, queries.doubles(), sink_queries.doubles());
  double error = 0;
  for (size_t i = 0; i < expected.size(); ++i) error = std::max(error, std::abs(expected[i] - out.at(i)));
  return error / (2 * magnitude);
}

TEST(AttentionTest, AgreesWithDoubles) {
  const AttentionShape shapes[] = {{1, 1, 2}, {2, 1, 8}, {8, 4, 8}, {3, 3, 5}, {6, 2, 12}, {4, 1, 16}, {2, 2, 256}};
  for (const AttentionShape& shape : shapes) {
    for (const size_t positions : {1u, 2u, 17u, 132u, 1000u}) {
      for (const double magnitude : {0.001, 1.0, 4.0}) {
        SCOPED_TRACE(testing::Message() << shape.heads << " heads of " << shape.head_dim << ", " << positions
                                        << " positions, up to " << magnitude);
        EXPECT_LT(Error(shape, positions, 0, magnitude), 1e-3);
        EXPECT_LT(Error(shape, positions, positions / 4, magnitude), 1e-3);
      }
    }
  }
}

// Scores far apart: one position has all the weight.
TEST(AttentionTest, LargeScoresPickOnePosition) { EXPECT_LT(Error({2, 1, 8}, 40, 0, 3000), 1e-3); }

TEST(AttentionTest, StoredValuesAreWithinHalfAStep) {
  const AttentionShape shape = {4, 2, 6};
  std::mt19937 random(32);
  for (int e = -22; e <= 14; ++e) {
    std::vector<double> values;
    for (size_t i = 0; i < shape.kv_dim(); ++i) {
      // The second head is much smaller.
      const double size = std::ldexp(i < shape.head_dim ? 1.0 : 0.01, e);
      values.push_back((static_cast<double>(random() % 2001) / 1000 - 1) * size);
    }
    TestVector vector(values);
    std::vector<uint8_t> entry(shape.entry_size());
    StoreEntry(shape, vector.vector(), vector.vector(), entry.data());
    for (size_t h = 0; h < shape.kv_heads; ++h) {
      double most = 0;
      for (size_t i = 0; i < shape.head_dim; ++i) most = std::max(most, std::abs(vector.at(h * shape.head_dim + i)));
      // A step is at most an eighth above the least that does not clip, or the least there is.
      const double step = std::max(most / 127 * 1.13, std::ldexp(8, -26));
      for (size_t i = h * shape.head_dim; i < (h + 1) * shape.head_dim; ++i) {
        EXPECT_NEAR(Stored(shape, entry.data(), false, i), vector.at(i), 0.501 * step);
        EXPECT_EQ(Stored(shape, entry.data(), true, i), Stored(shape, entry.data(), false, i));
      }
    }
  }
}

TEST(AttentionTest, TooLargeValuesAreClipped) {
  const AttentionShape shape = {1, 1, 4};
  TestVector vector(std::vector<double>{1e9, -1e9, 30000, 1});
  std::vector<uint8_t> entry(shape.entry_size());
  StoreEntry(shape, vector.vector(), vector.vector(), entry.data());
  const double most = 127 * 15 * 32;
  EXPECT_EQ(Stored(shape, entry.data(), false, 0), most);
  EXPECT_EQ(Stored(shape, entry.data(), true, 1), -most);
  EXPECT_NEAR(Stored(shape, entry.data(), false, 2), 30000, 300);
}

TEST(AttentionTest, ScoreScale) {
  for (size_t head_dim = 1; head_dim <= 256; ++head_dim) {
    const ScoreScale scale = FindScoreScale(head_dim);
    const double expected = 1.4426950408889634 / std::sqrt(static_cast<double>(head_dim));
    EXPECT_NEAR(std::ldexp(scale.mantissa, scale.exponent) / expected, 1, 1e-7) << head_dim;
  }
}

}  // namespace
}  // namespace modelvault
