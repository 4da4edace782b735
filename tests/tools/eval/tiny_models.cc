#include "tests/tools/eval/tiny_models.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/tools/packing/model_files.h"

namespace modelvault {
namespace {

// From -1 to 1.
float Uniform(TestRandom* random) { return static_cast<float>(random->Below(2001)) / 1000 - 1; }

void AppendFloat(float value, std::string* bytes) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) bytes->push_back(static_cast<char>(bits >> shift));
}

FileTensor FloatTensorOf(const std::string& name, const std::vector<uint64_t>& shape,
                         const std::vector<float>& values) {
  FileTensor tensor{name, "F32", shape, ""};
  for (const float value : values) AppendFloat(value, &tensor.data);
  return tensor;
}

}  // namespace

TransformerConfig TinyConfig() {
  TransformerConfig c;
  c.dim = 24;
  c.hidden_dim = 37;
  c.layers = 2;
  c.heads = 4;
  c.kv_heads = 2;
  c.vocab = 29;
  c.context = 7;
  return c;
}

FloatTensors RandomModel(const TransformerConfig& c, uint64_t seed) {
  TestRandom random(seed);
  FloatTensors tensors;
  const auto matrix = [&](const std::string& name, uint64_t rows, uint64_t cols) {
    FloatTensor& t = tensors[name] = {{rows, cols}, std::vector<float>(rows * cols)};
    for (float& value : t.values) value = Uniform(&random) * 0.5f;
  };
  const auto norm = [&](const std::string& name) {
    FloatTensor& t = tensors[name] = {{c.dim}, std::vector<float>(c.dim)};
    for (float& value : t.values) value = 1 + Uniform(&random) * 0.3f;
  };
  matrix("embed", c.vocab, c.dim);
  norm("norm");
  for (size_t l = 0; l < c.layers; ++l) {
    const std::string prefix = absl::StrCat("layers.", l, ".");
    norm(prefix + "attn_norm");
    norm(prefix + "ffn_norm");
    matrix(prefix + "wq", c.dim, c.dim);
    matrix(prefix + "wk", c.kv_dim(), c.dim);
    matrix(prefix + "wv", c.kv_dim(), c.dim);
    matrix(prefix + "wo", c.dim, c.dim);
    matrix(prefix + "w1", c.hidden_dim, c.dim);
    matrix(prefix + "w3", c.hidden_dim, c.dim);
    matrix(prefix + "w2", c.dim, c.hidden_dim);
  }
  return tensors;
}

FloatTensors Neighbour(FloatTensors base, uint64_t seed) {
  TestRandom random(seed);
  for (auto& [name, tensor] : base) {
    for (float& value : tensor.values) value += Uniform(&random) * 0.1f;
  }
  return base;
}

std::vector<uint16_t> RandomTokens(const TransformerConfig& c, size_t records, uint64_t seed) {
  TestRandom random(seed);
  std::vector<uint16_t> tokens(records * (c.context + 1));
  for (uint16_t& token : tokens) token = static_cast<uint16_t>(random.Below(c.vocab));
  return tokens;
}

std::string TokenBytes(const std::vector<uint16_t>& tokens) {
  std::string bytes;
  for (const uint16_t token : tokens) {
    bytes.push_back(static_cast<char>(token & 0xFF));
    bytes.push_back(static_cast<char>(token >> 8));
  }
  return bytes;
}

std::string FloatFile(const FloatTensors& tensors) {
  FileModel model;
  for (const auto& [name, t] : tensors) model.tensors.push_back(FloatTensorOf(name, t.shape, t.values));
  return Serialize(model);
}

std::string Int8File(const FloatTensors& tensors) {
  FileModel model;
  for (const auto& [name, t] : tensors) {
    if (t.shape.size() != 2) {
      model.tensors.push_back(FloatTensorOf(name, t.shape, t.values));
      continue;
    }
    FileTensor weights{name, "I8", t.shape, ""};
    std::vector<float> scales;
    for (size_t row = 0; row < t.shape[0]; ++row) {
      const float* const values = t.values.data() + row * t.shape[1];
      float most = 0;
      for (size_t i = 0; i < t.shape[1]; ++i) most = std::max(most, std::abs(values[i]));
      scales.push_back(most / 127);
      for (size_t i = 0; i < t.shape[1]; ++i) {
        weights.data.push_back(static_cast<char>(std::lround(values[i] / scales.back())));
      }
    }
    model.tensors.push_back(weights);
    model.tensors.push_back(FloatTensorOf(name + ".scale", {t.shape[0]}, scales));
  }
  return Serialize(model);
}

EvalFiles::EvalFiles() {
  const TransformerConfig c = TinyConfig();
  for (const char* name : {"variants", "heldout", "int8", "int8/variants"}) {
    std::filesystem::create_directory(File(name));
  }
  folder_.Write("corpus.json",
                absl::StrCat(R"({"config": {"architecture": "llama", "dim": )", c.dim, R"(, "hidden_dim": )",
                             c.hidden_dim, R"(, "layers": )", c.layers, R"(, "heads": )", c.heads, R"(, "kv_heads": )",
                             c.kv_heads, R"(, "vocab": )", c.vocab, R"(, "eval_context": )", c.context,
                             R"(}, "variants": [{"name": "alpha"}, {"name": "beta"}, {"name": "gamma"}]})"));
  const FloatTensors base = RandomModel(c, 1);
  folder_.Write("base.safetensors", FloatFile(base));
  folder_.Write("int8/base.safetensors", Int8File(base));
  uint64_t seed = 10;
  for (const char* name : {"alpha", "beta", "gamma"}) {
    const FloatTensors variant = Neighbour(base, ++seed);
    folder_.Write(absl::StrCat("variants/", name, ".safetensors"), FloatFile(variant));
    folder_.Write(absl::StrCat("int8/variants/", name, ".safetensors"), Int8File(variant));
    folder_.Write(absl::StrCat("heldout/", name, ".tok"), TokenBytes(RandomTokens(c, seed - 8, seed)));
  }
}

}  // namespace modelvault
