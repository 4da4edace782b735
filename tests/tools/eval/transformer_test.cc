#include "tools/eval/transformer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/tools/eval/tiny_models.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

// The model as its papers define it, a token at a time, in double precision.
class PlainModel {
 public:
  PlainModel(const TransformerConfig& config, const FloatTensors& tensors) : c_(config), tensors_(tensors) {}

  // The probability of every id after `ids`.
  std::vector<double> Next(const std::vector<uint16_t>& ids) const {
    std::vector<std::vector<double>> h;
    for (const uint16_t id : ids) {
      h.emplace_back();
      for (size_t i = 0; i < c_.dim; ++i) h.back().push_back(At("embed", id * c_.dim + i));
    }
    for (size_t l = 0; l < c_.layers; ++l) {
      const std::string p = absl::StrCat("layers.", l, ".");
      std::vector<std::vector<double>> q, k, v;
      for (size_t t = 0; t < h.size(); ++t) {
        const std::vector<double> x = Norm(h[t], p + "attn_norm");
        q.push_back(Rotated(Linear(x, p + "wq"), t));
        k.push_back(Rotated(Linear(x, p + "wk"), t));
        v.push_back(Linear(x, p + "wv"));
      }
      for (size_t t = 0; t < h.size(); ++t) {
        Add(Linear(Attention(q[t], k, v, t), p + "wo"), &h[t]);
        const std::vector<double> x = Norm(h[t], p + "ffn_norm");
        std::vector<double> gate = Linear(x, p + "w1");
        const std::vector<double> up = Linear(x, p + "w3");
        for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
        Add(Linear(gate, p + "w2"), &h[t]);
      }
    }
    std::vector<double> out = Linear(Norm(h.back(), "norm"), "embed");
    Softmax(&out);
    return out;
  }

 private:
  double At(const std::string& name, size_t i) const { return static_cast<double>(tensors_.at(name).values[i]); }

  std::vector<double> Linear(const std::vector<double>& x, const std::string& name) const {
    std::vector<double> y(tensors_.at(name).shape[0]);
    for (size_t o = 0; o < y.size(); ++o) {
      for (size_t i = 0; i < x.size(); ++i) y[o] += At(name, o * x.size() + i) * x[i];
    }
    return y;
  }

  std::vector<double> Norm(std::vector<double> x, const std::string& name) const {
    double square = 0;
    for (const double value : x) square += value * value / static_cast<double>(x.size());
    for (size_t i = 0; i < x.size(); ++i) x[i] *= At(name, i) / std::sqrt(square + c_.norm_eps);
    return x;
  }

  std::vector<double> Rotated(std::vector<double> x, size_t position) const {
    for (size_t i = 0; i < x.size(); i += 2) {
      const size_t in_head = i % c_.head_dim();
      const double angle = static_cast<double>(position) /
                           std::pow(c_.rope_theta, static_cast<double>(in_head) / static_cast<double>(c_.head_dim()));
      const double a = x[i], b = x[i + 1];
      x[i] = a * std::cos(angle) - b * std::sin(angle);
      x[i + 1] = a * std::sin(angle) + b * std::cos(angle);
    }
    return x;
  }

  std::vector<double> Attention(const std::vector<double>& q, const std::vector<std::vector<double>>& k,
                                const std::vector<std::vector<double>>& v, size_t t) const {
    std::vector<double> out(c_.dim);
    const size_t size = c_.head_dim();
    for (size_t head = 0; head < c_.heads; ++head) {
      const size_t kv = head * c_.kv_heads / c_.heads;
      std::vector<double> weights(t + 1);
      for (size_t u = 0; u <= t; ++u) {
        for (size_t i = 0; i < size; ++i) weights[u] += q[head * size + i] * k[u][kv * size + i];
        weights[u] /= std::sqrt(static_cast<double>(size));
      }
      Softmax(&weights);
      for (size_t u = 0; u <= t; ++u) {
        for (size_t i = 0; i < size; ++i) out[head * size + i] += weights[u] * v[u][kv * size + i];
      }
    }
    return out;
  }

  static void Softmax(std::vector<double>* x) {
    double sum = 0;
    const double most = *std::max_element(x->begin(), x->end());
    for (double& value : *x) sum += value = std::exp(value - most);
    for (double& value : *x) value /= sum;
  }

  static void Add(const std::vector<double>& what, std::vector<double>* to) {
    for (size_t i = 0; i < what.size(); ++i) (*to)[i] += what[i];
  }

  const TransformerConfig c_;
  const FloatTensors& tensors_;
};

void ExpectPlainScores(const TransformerConfig& c, uint64_t seed) {
  SCOPED_TRACE(seed);
  const FloatTensors tensors = RandomModel(c, seed);
  const std::vector<uint16_t> tokens = RandomTokens(c, 3, seed + 1);
  ASSERT_OK_AND_ASSIGN(const Transformer model, Transformer::Create(c, tensors, "m"));
  const TokenScores scores = model.Score(tokens);
  ASSERT_EQ(scores.nll.size(), 3 * c.context);
  ASSERT_EQ(scores.hit.size(), 3 * c.context);
  const PlainModel plain(c, tensors);
  for (size_t i = 0; i < scores.nll.size(); ++i) {
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(i / c.context * (c.context + 1));
    const auto end = begin + static_cast<std::ptrdiff_t>(i % c.context + 1);
    const std::vector<double> next = plain.Next({begin, end});
    EXPECT_NEAR(scores.nll[i], -std::log(next[*end]), 2e-5) << i;
    const bool best = std::max_element(next.begin(), next.end()) - next.begin() == *end;
    EXPECT_EQ(scores.hit[i], best ? 1 : 0) << i;
  }
}

TEST(TransformerTest, ScoresLikeThePlainModel) {
  for (uint64_t seed = 100; seed < 110; ++seed) ExpectPlainScores(TinyConfig(), seed);
}

TEST(TransformerTest, ScoresLikeThePlainModelAtOtherDimensions) {
  TransformerConfig c = TinyConfig();
  c.dim = 32;
  c.hidden_dim = 48;
  c.heads = 2;
  c.kv_heads = 2;
  c.vocab = 64;
  c.context = 12;
  c.layers = 1;
  c.rope_theta = 100;
  c.norm_eps = 0.1;
  ExpectPlainScores(c, 7);
  c.kv_heads = 1;
  c.context = 1;
  ExpectPlainScores(c, 8);
}

TEST(TransformerTest, LargeActivationsSaturate) {
  const TransformerConfig c = TinyConfig();
  FloatTensors tensors = RandomModel(c, 5);
  for (float& w : tensors["layers.0.w1"].values) w *= 200;
  for (float& w : tensors["layers.1.wq"].values) w *= 300;
  for (float& w : tensors["layers.1.w2"].values) w *= 10;
  const std::vector<uint16_t> tokens = RandomTokens(c, 1, 6);
  ASSERT_OK_AND_ASSIGN(const Transformer model, Transformer::Create(c, tensors, "m"));
  const TokenScores scores = model.Score(tokens);
  const PlainModel plain(c, tensors);
  for (size_t t = 0; t < c.context; ++t) {
    const std::vector<double> next = plain.Next({tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(t) + 1});
    EXPECT_NEAR(scores.nll[t], -std::log(next[tokens[t + 1]]), 2e-2) << t;
  }
}

TEST(TransformerTest, ModelsThatDoNotFitTheConfigAreRefusedByName) {
  const TransformerConfig c = TinyConfig();
  const auto expect = [&](const FloatTensors& tensors, const std::string& message) {
    EXPECT_THAT(Transformer::Create(c, tensors, "m.safetensors"),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("m.safetensors"), HasSubstr(message))));
  };
  for (const auto& [name, tensor] : RandomModel(c, 1)) {
    FloatTensors without = RandomModel(c, 1);
    without.erase(name);
    expect(without, absl::StrCat("there is no tensor ", name));
    FloatTensors misshapen = RandomModel(c, 1);
    misshapen[name].shape.back() += 1;
    expect(misshapen, absl::StrCat("tensor ", name, " has shape"));
    FloatTensors odd = RandomModel(c, 1);
    odd[name].values.back() = std::numeric_limits<float>::quiet_NaN();
    expect(odd, absl::StrCat("tensor ", name, " holds a value that is not a finite number"));
    odd[name].values.back() = -std::numeric_limits<float>::infinity();
    expect(odd, absl::StrCat("tensor ", name, " holds a value that is not a finite number"));
  }
  FloatTensors surplus = RandomModel(c, 1);
  surplus["layers.2.wq"] = surplus["layers.1.wq"];
  expect(surplus, "tensor layers.2.wq has no place");
}

TEST(TransformerTest, DimensionsThatDoNotGoTogetherAreRefused) {
  const auto refused = [](auto change) {
    TransformerConfig c = TinyConfig();
    change(&c);
    return !CheckConfig(c).ok();
  };
  EXPECT_THAT(CheckConfig(TinyConfig()), IsOk());
  EXPECT_TRUE(refused([](TransformerConfig* c) { c->layers = 0; }));
  EXPECT_TRUE(refused([](TransformerConfig* c) { c->kv_heads = 3; }));
  EXPECT_TRUE(refused([](TransformerConfig* c) { c->heads = 5; }));
  EXPECT_TRUE(refused([](TransformerConfig* c) { c->heads = c->kv_heads = 24; })) << "heads of one value have no pairs";
  EXPECT_TRUE(refused([](TransformerConfig* c) { c->vocab = 65537; }));
}

}  // namespace
}  // namespace modelvault
