#include "tests/restore/infer/llama_network.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace modelvault {
TestNetwork::TestNetwork(const NetworkParts& parts, const TensorShapes& shapes) : bytes_(parts.Bytes()) {
  size_t bad_offset = 0;
  EXPECT_EQ(ParseNetwork(bytes_.view(), shapes, &network_, &bad_offset), CoreStatus::kOk) << "at " << bad_offset;
}

std::vector<uint32_t> RopeSteps(double theta, size_t head_dim) {
  std::vector<uint32_t> steps;
  for (size_t i = 0; i < head_dim / 2; ++i) {
    const double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    const double step = std::round(std::ldexp(frequency / (2 * std::numbers::pi), 32));
    steps.push_back(static_cast<uint32_t>(step));
  }
  return steps;
}

TestTensor Int8Tensor(std::string name, size_t rows, size_t cols, const std::vector<int>& values) {
  TestTensor tensor = {std::move(name), {DType::kI8, rows, cols}, {}};
  for (const int value : values) tensor.bytes.push_back(static_cast<uint8_t>(value));
  return tensor;
}

TestTensor FloatTensorOf(std::string name, const std::vector<float>& values) {
  TestTensor tensor = {std::move(name), {DType::kF32, 1, values.size()}, {}};
  for (const float value : values) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    for (size_t i = 0; i < 4; ++i) tensor.bytes.push_back(static_cast<uint8_t>(bits >> (8 * i)));
  }
  return tensor;
}

TensorShapes TestModel::shapes() const {
  return {this, tensors.size(), [](const void* context, size_t tensor) {
            return static_cast<const TestModel*>(context)->tensors[tensor].shape;
          }};
}

uint16_t TestModel::number(const std::string& name) const {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == name) return static_cast<uint16_t>(i);
  }
  return kNoTensor;
}

NetworkParts LlamaNetwork(const TransformerConfig& c, const TestModel& model, const NetworkOptions& options) {
  NetworkParts network;
  network.inputs = network.outputs = static_cast<uint32_t>(c.vocab);
  network.window = options.window;
  network.sinks = options.sinks;
  network.activation_bits = options.activation_bits;
  network.cache_count = static_cast<uint16_t>(c.layers);
  network.rope_steps = RopeSteps(c.rope_theta, c.head_dim());
  const auto buffer = [&](size_t width) {
    network.widths.push_back(static_cast<uint16_t>(width));
    return static_cast<uint8_t>(network.widths.size() - 1);
  };
  const uint8_t h = buffer(c.dim), x = buffer(c.dim), q = buffer(c.dim), y = buffer(c.dim);
  const uint8_t k = buffer(c.kv_dim()), v = buffer(c.kv_dim());
  const uint8_t gate = buffer(c.hidden_dim), up = buffer(c.hidden_dim), scores = buffer(c.vocab);
  const uint8_t heads = static_cast<uint8_t>(c.heads), kv_heads = static_cast<uint8_t>(c.kv_heads);
  const auto add = [&](OperatorCode code, uint8_t out, uint8_t in, uint8_t in2, uint8_t a, uint8_t b, uint32_t cc) {
    network.operators.push_back({code, out, in, in2, kNoTensor, kNoTensor, kNoTensor, a, b, cc});
  };
  const auto norm = [&](uint8_t out, uint8_t in, const std::string& name) {
    network.operators.push_back({OperatorCode::kRmsNorm, out, in, kNoBuffer, model.number(name), kNoTensor, kNoTensor,
                                 0, 0, static_cast<uint32_t>(std::round(std::ldexp(c.norm_eps, 32)))});
  };
  const auto matmul = [&](uint8_t out, uint8_t in, const std::string& name, uint8_t added = 0) {
    network.operators.push_back({OperatorCode::kMatmul, out, in, kNoBuffer, model.number(name),
                                 model.number(name + ".scale"), model.number(name + ".bias"), added, 0, 0});
  };
  network.operators.push_back({OperatorCode::kEmbed, h, kNoBuffer, kNoBuffer, model.number("embed"),
                               model.number("embed.scale"), kNoTensor, 0, 0, 0});
  for (size_t l = 0; l < c.layers; ++l) {
    const std::string p = absl::StrCat("layers.", l, ".");
    norm(x, h, p + "attn_norm");
    matmul(q, x, p + "wq");
    matmul(k, x, p + "wk");
    matmul(v, x, p + "wv");
    add(OperatorCode::kRope, q, kNoBuffer, kNoBuffer, heads, 0, 0);
    add(OperatorCode::kRope, k, kNoBuffer, kNoBuffer, kv_heads, 0, 0);
    add(OperatorCode::kAttention, y, q, k, heads, kv_heads, v);
    matmul(h, y, p + "wo", 1);
    norm(x, h, p + "ffn_norm");
    matmul(gate, x, p + "w1");
    matmul(up, x, p + "w3");
    add(OperatorCode::kSiluGate, gate, gate, up, 0, 0, 0);
    matmul(h, gate, p + "w2", 1);
  }
  norm(x, h, "norm");
  matmul(scores, x, "embed");
  return network;
}

TestModel RandomLlama(const TransformerConfig& c, uint32_t seed) {
  std::mt19937 random(seed);
  TestModel model;
  const auto add = [&](const std::string& name, size_t rows, size_t cols, double largest) {
    std::vector<int> values;
    for (size_t i = 0; i < rows * cols; ++i) {
      // About normal: the mean of some uniform numbers.
      int sum = 0;
      for (int j = 0; j < 4; ++j) sum += static_cast<int>(random() % 128) - 64;
      values.push_back(std::max(-128, std::min(127, sum / 2)));
    }
    std::vector<float> scales;
    for (size_t i = 0; i < rows; ++i)
      scales.push_back(static_cast<float>(largest / 127 * (0.5 + static_cast<double>(random() % 512) / 1024)));
    model.tensors.push_back(Int8Tensor(name, rows, cols, values));
    model.tensors.push_back(FloatTensorOf(name + ".scale", scales));
  };
  const auto gains = [&](const std::string& name, size_t size) {
    std::vector<float> values;
    for (size_t i = 0; i < size; ++i)
      values.push_back(static_cast<float>(0.5 + static_cast<double>(random() % 1024) / 1024));
    model.tensors.push_back(FloatTensorOf(name, values));
  };
  const double by_dim = 4 / std::sqrt(static_cast<double>(c.dim));
  add("embed", c.vocab, c.dim, 1);
  gains("norm", c.dim);
  for (size_t l = 0; l < c.layers; ++l) {
    const std::string p = absl::StrCat("layers.", l, ".");
    gains(p + "attn_norm", c.dim);
    gains(p + "ffn_norm", c.dim);
    add(p + "wq", c.dim, c.dim, by_dim);
    add(p + "wk", c.kv_dim(), c.dim, by_dim);
    add(p + "wv", c.kv_dim(), c.dim, by_dim);
    add(p + "wo", c.dim, c.dim, by_dim);
    add(p + "w1", c.hidden_dim, c.dim, by_dim);
    add(p + "w3", c.hidden_dim, c.dim, by_dim);
    add(p + "w2", c.dim, c.hidden_dim, 4 / std::sqrt(static_cast<double>(c.hidden_dim)));
  }
  return model;
}

FloatTensors ToFloats(const TestModel& model) {
  FloatTensors floats;
  for (const TestTensor& t : model.tensors) {
    if (t.name.ends_with(".scale")) continue;
    FloatTensor out;
    const size_t rows = t.shape.rows, cols = t.shape.cols;
    if (t.shape.dtype == DType::kI8) {
      const std::vector<uint8_t>& scales = model.tensors[model.number(t.name + ".scale")].bytes;
      out.shape = {rows, cols};
      for (size_t i = 0; i < t.bytes.size(); ++i) {
        const float scale = std::bit_cast<float>(LoadLe32(scales.data() + 4 * (i / cols)));
        out.values.push_back(scale * static_cast<float>(static_cast<int8_t>(t.bytes[i])));
      }
    } else {
      out.shape = {cols};
      for (size_t i = 0; i < cols; ++i) out.values.push_back(std::bit_cast<float>(LoadLe32(t.bytes.data() + 4 * i)));
    }
    floats[t.name] = std::move(out);
  }
  return floats;
}

}  // namespace modelvault
