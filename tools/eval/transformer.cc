#include "tools/eval/transformer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace modelvault {
namespace {

// Where the machine has wider vectors than the one compiled for, use them. Every version adds in the same order.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define MODELVAULT_VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define MODELVAULT_VECTORISED
#endif

constexpr size_t kLanes = 8;
constexpr size_t kTileRows = 4;
constexpr size_t kTileColumns = 2 * kLanes;

typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));
typedef float UnalignedLanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

// out[t, :] = sum over i of in[t, i] * weights[i, :], for tiles that stay in registers.
MODELVAULT_VECTORISED
void Multiply(const float* in, const float* weights, size_t tokens, size_t in_dim, size_t out_dim, float* out) {
  const size_t tiled_rows = tokens - tokens % kTileRows;
  const size_t tiled_columns = out_dim - out_dim % kTileColumns;
  for (size_t o = 0; o < tiled_columns; o += kTileColumns) {
    for (size_t t = 0; t < tiled_rows; t += kTileRows) {
      const float* const x = in + t * in_dim;
      Lanes sums[kTileRows][2] = {};
      for (size_t i = 0; i < in_dim; ++i) {
        const UnalignedLanes* const w = reinterpret_cast<const UnalignedLanes*>(weights + i * out_dim + o);
        const Lanes left = w[0];
        const Lanes right = w[1];
        for (size_t row = 0; row < kTileRows; ++row) {
          sums[row][0] += x[row * in_dim + i] * left;
          sums[row][1] += x[row * in_dim + i] * right;
        }
      }
      for (size_t row = 0; row < kTileRows; ++row) {
        UnalignedLanes* const to = reinterpret_cast<UnalignedLanes*>(out + (t + row) * out_dim + o);
        to[0] = sums[row][0];
        to[1] = sums[row][1];
      }
    }
  }
  // What does not fill a tile: columns to the right, rows below.
  for (size_t t = 0; t < tokens; ++t) {
    const size_t first = t < tiled_rows ? tiled_columns : 0;
    float* __restrict row = out + t * out_dim;
    std::fill(row + first, row + out_dim, 0.0f);
    for (size_t i = 0; i < in_dim; ++i) {
      const float x = in[t * in_dim + i];
      for (size_t o = first; o < out_dim; ++o) row[o] += x * weights[i * out_dim + o];
    }
  }
}

// e^x to a few units in the last place, without branches, so that loops over it use vectors; 0 below the least normal
// number. Range reduction and polynomial as in the Cephes library (S. Moshier), expf.
inline float Exp(float x) {
  constexpr float kLeast = -87.0f;
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: what is added to it loses its fraction.
  const float shifted = x * 1.44269504088896341f + kRounder;
  const float n = shifted - kRounder;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const uint32_t power = (std::bit_cast<uint32_t>(shifted) + 127u) << 23;
  return x < kLeast ? 0.0f : p * std::bit_cast<float>(power);
}

// values[i] = e^(values[i] - shift), none of them above 1; their sum.
MODELVAULT_VECTORISED
double Exponentials(float shift, size_t count, float* values) {
  for (size_t i = 0; i < count; ++i) values[i] = Exp(values[i] - shift);
  double sums[4] = {};
  for (size_t i = 0; i < count; ++i) sums[i % 4] += static_cast<double>(values[i]);
  return sums[0] + sums[1] + sums[2] + sums[3];
}

// scores[u] = sum over i of query[i] * keys[i, u], for u < count; a row of `keys` has `stride` of them.
MODELVAULT_VECTORISED
void Scores(const float* query, const float* keys, size_t head_dim, size_t stride, size_t count,
            float* __restrict scores) {
  std::fill(scores, scores + count, 0.0f);
  for (size_t i = 0; i < head_dim; ++i) {
    const float* __restrict row = keys + i * stride;
    for (size_t u = 0; u < count; ++u) scores[u] += query[i] * row[u];
  }
}

// out[:] = sum over u < count of weights[u] * values[u, :]; rows of `values` are `stride` apart.
MODELVAULT_VECTORISED
void Mix(const float* weights, const float* values, size_t head_dim, size_t stride, size_t count,
         float* __restrict out) {
  std::fill(out, out + head_dim, 0.0f);
  for (size_t u = 0; u < count; ++u) {
    const float* __restrict row = values + u * stride;
    for (size_t i = 0; i < head_dim; ++i) out[i] += weights[u] * row[i];
  }
}

// out = silu(gate) * up, for rows of gate and up side by side.
MODELVAULT_VECTORISED
void SwiGlu(const float* gate_up, size_t tokens, size_t hidden, float* __restrict out) {
  for (size_t t = 0; t < tokens; ++t) {
    const float* const gate = gate_up + t * 2 * hidden;
    float* __restrict row = out + t * hidden;
    for (size_t i = 0; i < hidden; ++i) {
      // Beyond, the logistic function is 0 or 1 in single precision, and the exponential would leave its range.
      const float g = gate[i] < -80.0f ? -80.0f : gate[i];
      const float e = Exp(g > 80.0f ? -80.0f : -g);
      row[i] = gate[i] / (1.0f + e) * gate[hidden + i];
    }
  }
}

std::vector<float> Transposed(const std::vector<float>& m, size_t rows, size_t cols) {
  std::vector<float> out(m.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < cols; ++c) out[c * rows + r] = m[r * cols + c];
  }
  return out;
}

// Matrices [out, in] with the same input as one, transposed.
std::vector<float> SideBySide(const std::vector<const FloatTensor*>& matrices) {
  std::vector<float> all;
  size_t rows = 0;
  const size_t cols = static_cast<size_t>(matrices[0]->shape[1]);
  for (const FloatTensor* m : matrices) {
    all.insert(all.end(), m->values.begin(), m->values.end());
    rows += static_cast<size_t>(m->shape[0]);
  }
  return Transposed(all, rows, cols);
}

void Normalize(const float* in, const std::vector<float>& weight, size_t tokens, double eps, float* out) {
  const size_t dim = weight.size();
  for (size_t t = 0; t < tokens; ++t) {
    const float* x = in + t * dim;
    double sum = 0;
    for (size_t i = 0; i < dim; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    const float factor = static_cast<float>(1 / std::sqrt(sum / static_cast<double>(dim) + eps));
    for (size_t i = 0; i < dim; ++i) out[t * dim + i] = x[i] * factor * weight[i];
  }
}

void AddTo(const std::vector<float>& what, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] += what[i];
}

std::string Shape(absl::Span<const uint64_t> shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

}  // namespace

absl::Status CheckConfig(const TransformerConfig& c) {
  if (c.dim == 0 || c.hidden_dim == 0 || c.layers == 0 || c.heads == 0 || c.kv_heads == 0 || c.vocab == 0 ||
      c.context == 0) {
    return absl::InvalidArgumentError("a dimension of the model is zero or missing");
  }
  if (c.dim % c.heads != 0 || c.head_dim() % 2 != 0 || c.heads % c.kv_heads != 0 || c.vocab > 65536) {
    return absl::InvalidArgumentError(absl::StrCat(
        "dim ", c.dim, ", heads ", c.heads, ", kv_heads ", c.kv_heads, ", vocab ", c.vocab,
        " do not go together: dim must be an even multiple of heads, heads one of kv_heads, vocab at most 65536"));
  }
  return absl::OkStatus();
}

struct Transformer::Scratch {
  Scratch(const TransformerConfig& c, size_t token_count)
      : tokens(token_count),
        h(token_count * c.dim),
        x(token_count * c.dim),
        y(token_count * c.dim),
        qkv(token_count * (c.dim + 2 * c.kv_dim())),
        gate_up(token_count * 2 * c.hidden_dim),
        hidden(token_count * c.hidden_dim),
        logits(token_count * c.vocab),
        keys(token_count * c.head_dim()),
        weights(token_count) {}

  size_t tokens;
  std::vector<float> h, x, y, qkv, gate_up, hidden, logits, keys, weights;
};

absl::StatusOr<Transformer> Transformer::Create(const TransformerConfig& config, FloatTensors tensors,
                                                absl::string_view model_name) {
  if (absl::Status status = CheckConfig(config); !status.ok()) return status;
  absl::Status problem;
  std::set<std::string> taken;
  const auto take = [&](const std::string& name, std::vector<uint64_t> shape) -> const FloatTensor* {
    static const FloatTensor* const kNone = new FloatTensor{{0, 0}, {}};
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      problem.Update(absl::InvalidArgumentError(absl::StrCat(model_name, ": there is no tensor ", name)));
      return kNone;
    }
    taken.insert(name);
    if (found->second.shape != shape) {
      problem.Update(absl::InvalidArgumentError(absl::StrCat(model_name, ": tensor ", name, " has shape ",
                                                             Shape(found->second.shape), "; expected ", Shape(shape))));
      return kNone;
    }
    for (const float value : found->second.values) {
      if (std::isfinite(value)) continue;
      problem.Update(absl::InvalidArgumentError(
          absl::StrCat(model_name, ": tensor ", name, " holds a value that is not a finite number")));
      return kNone;
    }
    return &found->second;
  };
  Transformer model(config);
  const uint64_t dim = config.dim, kv = config.kv_dim(), hidden = config.hidden_dim;
  const FloatTensor* const embed = take("embed", {config.vocab, dim});
  const FloatTensor* const norm = take("norm", {dim});
  for (size_t l = 0; l < config.layers && problem.ok(); ++l) {
    const std::string prefix = absl::StrCat("layers.", l, ".");
    Layer layer;
    layer.attn_norm = take(prefix + "attn_norm", {dim})->values;
    layer.ffn_norm = take(prefix + "ffn_norm", {dim})->values;
    layer.wqkv =
        SideBySide({take(prefix + "wq", {dim, dim}), take(prefix + "wk", {kv, dim}), take(prefix + "wv", {kv, dim})});
    layer.wo = SideBySide({take(prefix + "wo", {dim, dim})});
    layer.w13 = SideBySide({take(prefix + "w1", {hidden, dim}), take(prefix + "w3", {hidden, dim})});
    layer.w2 = SideBySide({take(prefix + "w2", {dim, hidden})});
    model.layers_.push_back(std::move(layer));
  }
  if (!problem.ok()) return problem;
  for (const auto& [name, tensor] : tensors) {
    if (taken.count(name) != 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(model_name, ": tensor ", name, " has no place in the model"));
  }
  model.embed_ = embed->values;
  model.embed_transposed_ = Transposed(embed->values, config.vocab, config.dim);
  model.norm_ = norm->values;
  const size_t half = config.head_dim() / 2;
  for (size_t p = 0; p < config.context; ++p) {
    for (size_t i = 0; i < half; ++i) {
      const double frequency = std::pow(config.rope_theta, -static_cast<double>(i) / static_cast<double>(half));
      const double angle = static_cast<double>(p) * frequency;
      model.cos_.push_back(static_cast<float>(std::cos(angle)));
      model.sin_.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  return model;
}

void Transformer::Attend(Scratch* s) const {
  const size_t head_dim = config_.head_dim(), half = head_dim / 2, stride = config_.dim + 2 * config_.kv_dim();
  for (size_t t = 0; t < s->tokens; ++t) {
    float* row = s->qkv.data() + t * stride;
    for (size_t head = 0; head < config_.heads + config_.kv_heads; ++head) {  // Queries, then keys.
      float* pair = row + head * head_dim;
      for (size_t i = 0; i < half; ++i, pair += 2) {
        const float c = cos_[t * half + i], n = sin_[t * half + i];
        const float a = pair[0], b = pair[1];
        pair[0] = a * c - b * n;
        pair[1] = a * n + b * c;
      }
    }
  }
  const float scale = 1 / std::sqrt(static_cast<float>(head_dim));
  const size_t per_kv = config_.heads / config_.kv_heads;
  for (size_t head = 0; head < config_.heads; ++head) {
    const size_t kv = head / per_kv * head_dim;
    if (head % per_kv == 0) {
      for (size_t u = 0; u < s->tokens; ++u) {
        const float* const key = s->qkv.data() + u * stride + config_.dim + kv;
        for (size_t i = 0; i < head_dim; ++i) s->keys[i * s->tokens + u] = key[i];
      }
    }
    const float* const values = s->qkv.data() + config_.dim + config_.kv_dim() + kv;
    float* const weights = s->weights.data();
    for (size_t t = 0; t < s->tokens; ++t) {
      const float* const query = s->qkv.data() + t * stride + head * head_dim;
      Scores(query, s->keys.data(), head_dim, s->tokens, t + 1, weights);
      for (size_t u = 0; u <= t; ++u) weights[u] *= scale;
      const float largest = *std::max_element(weights, weights + t + 1);
      const float sum = static_cast<float>(Exponentials(largest, t + 1, weights));
      for (size_t u = 0; u <= t; ++u) weights[u] /= sum;
      Mix(weights, values, head_dim, stride, t + 1, s->x.data() + t * config_.dim + head * head_dim);
    }
  }
}

void Transformer::Forward(absl::Span<const uint16_t> inputs, Scratch* s) const {
  const size_t n = s->tokens, dim = config_.dim, hidden = config_.hidden_dim;
  for (size_t t = 0; t < n; ++t) std::copy_n(embed_.data() + inputs[t] * dim, dim, s->h.data() + t * dim);
  for (const Layer& layer : layers_) {
    Normalize(s->h.data(), layer.attn_norm, n, config_.norm_eps, s->x.data());
    Multiply(s->x.data(), layer.wqkv.data(), n, dim, dim + 2 * config_.kv_dim(), s->qkv.data());
    Attend(s);
    Multiply(s->x.data(), layer.wo.data(), n, dim, dim, s->y.data());
    AddTo(s->y, n * dim, s->h.data());
    Normalize(s->h.data(), layer.ffn_norm, n, config_.norm_eps, s->x.data());
    Multiply(s->x.data(), layer.w13.data(), n, dim, 2 * hidden, s->gate_up.data());
    SwiGlu(s->gate_up.data(), n, hidden, s->hidden.data());
    Multiply(s->hidden.data(), layer.w2.data(), n, hidden, dim, s->y.data());
    AddTo(s->y, n * dim, s->h.data());
  }
  Normalize(s->h.data(), norm_, n, config_.norm_eps, s->x.data());
  Multiply(s->x.data(), embed_transposed_.data(), n, dim, config_.vocab, s->logits.data());
}

TokenScores Transformer::Score(absl::Span<const uint16_t> tokens) const {
  TokenScores scores;
  Scratch scratch(config_, config_.context);
  const size_t record = config_.context + 1;
  for (size_t begin = 0; begin + record <= tokens.size(); begin += record) {
    Forward(tokens.subspan(begin, config_.context), &scratch);
    for (size_t t = 0; t < config_.context; ++t) {
      float* const logits = scratch.logits.data() + t * config_.vocab;
      const float* const best = std::max_element(logits, logits + config_.vocab);
      const size_t target = tokens[begin + t + 1];
      const bool hit = best == logits + target;
      const double behind = static_cast<double>(*best) - static_cast<double>(logits[target]);
      scores.nll.push_back(static_cast<float>(std::log(Exponentials(*best, config_.vocab, logits)) + behind));
      scores.hit.push_back(hit ? 1 : 0);
    }
  }
  return scores;
}

}  // namespace modelvault
