#include "restore/infer/matmul.h"

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "restore/infer/delta_list.h"
#include "tests/restore/infer/engine_fixture.h"
#include "tests/restore/infer/test_vector.h"

namespace modelvault {
namespace {

// A matrix, and what it is to be multiplied with.
struct Problem {
  Problem(size_t row_count, size_t col_count, size_t token_count, uint32_t seed)
      : rows(row_count), cols(col_count), tokens(token_count), random(seed) {
    for (size_t i = 0; i < rows * cols; ++i) weights.push_back(static_cast<int>(random() % 256) - 128);
    for (size_t i = 0; i < rows; ++i) scales.push_back(static_cast<float>(random() % 1000 + 1) / 1000);
    activations.resize(tokens);
    for (std::vector<int>& token : activations) {
      // Of all sizes that the quantiser gives.
      for (size_t i = 0; i < cols; ++i) {
        token.push_back((static_cast<int>(random() % 255) - 127) * (1 << MostActivationShift(cols)));
      }
    }
  }

  // The layout that dot.h describes.
  std::vector<int16_t> Interleaved() const {
    std::vector<int16_t> x(QuantizedSize(cols, tokens));
    for (size_t t = 0; t < tokens; ++t) {
      for (size_t i = 0; i < cols; ++i) {
        const int16_t value = static_cast<int16_t>(activations[t][i]);
        if (tokens == 1) {
          x[kDotPair * i] = value;
          x[kDotPair * i + 1] = static_cast<int16_t>(-value);
        } else {
          int16_t* const at = &x[(t / kDotTokens * cols + i) * kDotPairs + t % kDotTokens];
          at[0] = value;
          at[kDotTokens] = static_cast<int16_t>(-value);
        }
      }
    }
    return x;
  }

  size_t rows, cols, tokens;
  std::mt19937 random;
  std::vector<int> weights;
  std::vector<float> scales;
  std::vector<float> bias;
  std::vector<std::vector<int>> activations;
  std::vector<size_t> pieces;
  const DeltaList* deltas = nullptr;
};

// Multiplies; token t's step is 2^-t / 100. `start` is what is added to.
std::vector<TestVector> Product(const Problem& p, const std::vector<double>* start = nullptr) {
  TestModel model;
  model.tensors.push_back(Int8Tensor("w", p.rows, p.cols, p.weights));
  TestSource source(&model);
  source.piece_sizes = p.pieces;
  source.deltas = p.deltas;
  const TestParameters scales(p.scales);
  const TestParameters bias(p.bias.empty() ? std::vector<float>{0} : p.bias);
  const std::vector<int16_t> x = p.Interleaved();
  std::vector<int16_t> memory(x.size() + 8);
  // At a multiple of 16.
  int16_t* const aligned = memory.data() + (16 - reinterpret_cast<uintptr_t>(memory.data()) % 16) % 16 / 2;
  std::copy(x.begin(), x.end(), aligned);
  QuantizedTokens quantized;
  quantized.values = aligned;
  quantized.cols = p.cols;
  quantized.count = p.tokens;
  std::vector<TestVector> out;
  std::vector<Vector> views;
  for (size_t t = 0; t < p.tokens; ++t) {
    quantized.steps[t] = {static_cast<int32_t>(std::lround(std::ldexp(0.64, 30))), -36 - static_cast<int32_t>(t)};
    out.push_back(start == nullptr ? TestVector(p.rows) : TestVector(*start));
  }
  for (TestVector& v : out) views.push_back(v.vector());
  const Matrix matrix = {0, p.rows, p.cols, &scales.tensor(), p.bias.empty() ? nullptr : &bias.tensor()};
  EXPECT_EQ(Multiply(source.source(), matrix, quantized, start != nullptr, views.data()), CoreStatus::kOk);
  return out;
}

std::vector<double> Expected(const Problem& p, size_t token, const std::vector<double>* start = nullptr) {
  const TestParameters scales(p.scales);
  std::vector<double> expected;
  for (size_t r = 0; r < p.rows; ++r) {
    int64_t sum = 0;
    for (size_t i = 0; i < p.cols; ++i) sum += int64_t{p.weights[r * p.cols + i]} * p.activations[token][i];
    double value = static_cast<double>(sum) * scales.at(r) * std::ldexp(0.01, -static_cast<int>(token));
    if (!p.bias.empty()) value += static_cast<double>(p.bias[r]);
    if (start != nullptr) value += (*start)[r];
    expected.push_back(value);
  }
  return expected;
}

TEST(MatmulTest, IsExactToTheScales) {
  for (const size_t cols : {1u, 3u, 8u, 17u, 64u, 172u}) {
    for (const size_t tokens : {1u, 2u, 4u, 5u, 16u}) {
      SCOPED_TRACE(testing::Message() << cols << " columns, " << tokens << " tokens");
      Problem problem(11, cols, tokens, 21);
      for (const std::vector<size_t>& pieces : {std::vector<size_t>{}, {1}, {5, 64, 700}}) {
        problem.pieces = pieces;
        const std::vector<TestVector> out = Product(problem);
        for (size_t t = 0; t < tokens; ++t) ExpectNear(out[t], Expected(problem, t), 1e-6);
      }
    }
  }
}

TEST(MatmulTest, AddsAndHasBiases) {
  for (const size_t tokens : {1u, 3u}) {
    for (const double magnitude : {1e-12, 1.0, 1e12}) {
      SCOPED_TRACE(testing::Message() << tokens << " tokens, " << magnitude);
      Problem problem(9, 40, tokens, 22);
      std::vector<double> start;
      for (size_t r = 0; r < problem.rows; ++r) start.push_back(magnitude * (static_cast<double>(r) - 3.5));
      start = TestVector(start).doubles();
      for (size_t t = 0; t < tokens; ++t) {
        problem.bias.clear();
        ExpectNear(Product(problem, &start)[t], Expected(problem, t, &start), 1e-6);
        for (size_t r = 0; r < problem.rows; ++r) {
          problem.bias.push_back(static_cast<float>(magnitude) * static_cast<float>(r + 1));
        }
        // Biases have 11 bits.
        ExpectNear(Product(problem)[t], Expected(problem, t), 5e-4);
        ExpectNear(Product(problem, &start)[t], Expected(problem, t, &start), 5e-4);
      }
    }
  }
}

TEST(MatmulTest, NothingOverflows) {
  // The widest matrices there can be with as many bits, of the largest weights and activations.
  for (const int sign : {-1, 1}) {
    for (const size_t cols : {8191u, 8192u, 65535u}) {
      Problem problem(5, cols, 1, 23);
      problem.weights.assign(problem.weights.size(), -128);
      problem.activations[0].assign(problem.cols, sign * (127 << MostActivationShift(problem.cols)));
      problem.scales.assign(problem.rows, 3e38f);
      ExpectNear(Product(problem)[0], Expected(problem, 0), 1e-6);
    }
  }
}

TEST(MatmulTest, ZerosGiveZeros) {
  Problem problem(4, 6, 2, 24);
  problem.scales.assign(4, 0);
  for (TestVector& v : Product(problem)) ExpectNear(v, {0, 0, 0, 0}, 0);
}

TEST(MatmulTest, DeltasAreThoseOfTheVariant) {
  for (const size_t cols : {7u, 64u, 300u}) {
    for (const size_t tokens : {1u, 6u}) {
      for (const uint32_t sparsity : {1u, 4u, 40u, 3000u}) {
        SCOPED_TRACE(testing::Message() << cols << " columns, " << tokens << " tokens, 1 in " << sparsity);
        Problem base(23, cols, tokens, 25);
        Problem variant = base;
        for (int& weight : variant.weights) {
          if (base.random() % sparsity != 0) continue;
          const int by = base.random() % 8 == 0 ? static_cast<int>(base.random() % 511) - 255 : 5;
          weight = std::max(-128, std::min(127, weight + (base.random() % 2 != 0 ? by : -by)));
        }
        TestModel models[2];
        models[0].tensors.push_back(Int8Tensor("w", base.rows, cols, base.weights));
        models[1].tensors.push_back(Int8Tensor("w", base.rows, cols, variant.weights));
        const TestDeltas deltas(models[0], models[1], 5);
        base.deltas = deltas.list();
        const std::vector<TestVector> sparse = Product(base), dense = Product(variant);
        for (size_t t = 0; t < tokens; ++t) EXPECT_EQ(sparse[t].doubles(), dense[t].doubles());
      }
    }
  }
}

TEST(MatmulTest, ASourceThatFailsIsReported) {
  TestModel model;
  model.tensors.push_back(Int8Tensor("w", 8, 8, std::vector<int>(64, 1)));
  const TestParameters scales(std::vector<float>(8, 1));
  const std::vector<int16_t> x(16, 1);
  QuantizedTokens quantized;
  quantized.values = x.data();
  quantized.cols = 8;
  quantized.count = 1;
  quantized.steps[0] = {1 << 30, -30};
  TestVector out(8);
  const Vector view = out.vector();
  const Matrix matrix = {0, 8, 8, &scales.tensor(), nullptr};
  for (int at = 0; at < 5; ++at) {
    for (const bool ends_early : {false, true}) {
      TestSource source(&model);
      source.piece_sizes = {13};
      source.fail_at = at;
      source.ends_early = ends_early;
      EXPECT_EQ(Multiply(source.source(), matrix, quantized, false, &view),
                ends_early ? CoreStatus::kReadFailed : CoreStatus::kChecksumMismatch)
          << "piece " << at;
    }
  }
}

}  // namespace
}  // namespace modelvault
