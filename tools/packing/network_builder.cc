#include "tools/packing/network_builder.h"

#include <cmath>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "codec/core/bytes.h"
#include "restore/infer/network.h"
#include "restore/infer/network_view.h"
#include "restore/model_shapes.h"
#include "tools/formats/vocabulary.h"
#include "tools/packing/tokenizer_builder.h"
#include "vault/near_name.h"

namespace modelvault {
namespace {

constexpr double kTwoTo32 = 4294967296.0;

std::string Shape(absl::string_view type, absl::Span<const uint64_t> shape) {
  return absl::StrCat(type, " [", absl::StrJoin(shape, ", "), "]");
}

// Finds tensors by name and checks what they are; remembers the first thing that is wrong.
class TensorFinder {
 public:
  TensorFinder(absl::Span<const ModelTensor> tensors, absl::string_view what) : tensors_(tensors), what_(what) {
    for (size_t i = 0; i < tensors.size(); ++i) numbers_[tensors[i].name] = i;
  }

  const ModelTensor* Find(const std::string& name) const {
    const auto found = numbers_.find(name);
    return found == numbers_.end() ? nullptr : &tensors_[found->second];
  }

  uint16_t Matrix(const std::string& name, uint64_t rows, uint64_t cols) {
    return Take(name, {rows, cols}, "I8", [](DType dtype) { return dtype == DType::kI8; });
  }
  // F32, F16 or BF16.
  uint16_t Vector(const std::string& name, uint64_t size) {
    return Take(name, {size}, "F32",
                [](DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBf16; });
  }
  uint16_t VectorIfThere(const std::string& name, uint64_t size) {
    return Find(name) == nullptr ? kNoTensor : Vector(name, size);
  }

  const absl::Status& status() const { return status_; }

 private:
  uint16_t Take(const std::string& name, std::vector<uint64_t> shape, absl::string_view type, bool (*fits)(DType)) {
    const ModelTensor* const tensor = Find(name);
    if (tensor == nullptr) {
      std::vector<std::string> names;
      for (const ModelTensor& t : tensors_) names.push_back(t.name);
      Fail(
          absl::StrCat("there is no tensor '", name, "', expected ", Shape(type, shape), NearestNameHint(name, names)));
      return kNoTensor;
    }
    if (!fits(tensor->dtype) || tensor->shape != shape) {
      Fail(absl::StrCat("tensor '", name, "' is ", Shape(tensor->type_name(), tensor->shape), ", expected ",
                        Shape(type, shape)));
    }
    const size_t number = static_cast<size_t>(tensor - tensors_.data());
    if (number >= kNoTensor) Fail(absl::StrCat("tensor '", name, "' is number ", number, ", too far behind"));
    return static_cast<uint16_t>(number);
  }
  void Fail(const std::string& problem) { status_.Update(absl::InvalidArgumentError(absl::StrCat(what_, problem))); }

  absl::Span<const ModelTensor> tensors_;
  const std::string what_;
  std::map<std::string, size_t> numbers_;
  absl::Status status_;
};

// A section in the making.
class NetworkWriter {
 public:
  NetworkWriter(const NetworkInput& input, absl::Span<const ModelTensor> tensors, absl::string_view base_name)
      : input_(input),
        config_(input.config),
        what_(absl::StrCat(input.path, " does not describe ", base_name, ": ")),
        finder_(tensors, what_) {}

  absl::Status AddLlama();
  absl::Status AddMlp();
  std::string Encode() const;

 private:
  uint8_t AddBuffer(size_t width) {
    widths_.push_back(static_cast<uint16_t>(width));
    return static_cast<uint8_t>(widths_.size() - 1);
  }
  void Add(const NetworkOperator& op) { operators_.push_back(op); }
  NetworkOperator Operator(OperatorCode code, uint8_t out, uint8_t in = kNoBuffer, uint8_t in2 = kNoBuffer) const {
    return {code, out, in, in2, kNoTensor, kNoTensor, kNoTensor, 0, 0, 0};
  }
  // out = (or +=) the tensor `name`, its scales and its bias, if there is one, applied to in.
  void AddMatmul(const std::string& name, uint8_t out, uint8_t in, bool accumulates = false) {
    NetworkOperator op = Operator(OperatorCode::kMatmul, out, in);
    op.weights = finder_.Matrix(name, widths_[out], widths_[in]);
    op.scales = finder_.Vector(absl::StrCat(name, ".scale"), widths_[out]);
    op.bias = finder_.VectorIfThere(absl::StrCat(name, ".bias"), widths_[out]);
    op.a = accumulates ? 1 : 0;
    Add(op);
  }
  void AddNorm(const std::string& name, uint8_t out, uint8_t in) {
    NetworkOperator op = Operator(OperatorCode::kRmsNorm, out, in);
    op.weights = finder_.Vector(name, widths_[out]);
    op.c = static_cast<uint32_t>(std::llround(config_.norm_eps * kTwoTo32));
    Add(op);
  }
  void AddRope(uint8_t buffer, size_t heads) {
    NetworkOperator op = Operator(OperatorCode::kRope, buffer);
    op.a = static_cast<uint8_t>(heads);
    op.b = static_cast<uint8_t>(config_.rope_halves ? RopePairs::kHalves : RopePairs::kInterleaved);
    Add(op);
  }
  void AddLlamaLayer(size_t layer, uint8_t x, uint8_t h);
  absl::Status CheckLlama() const;
  absl::Status Refuse(absl::string_view problem) const {
    return absl::InvalidArgumentError(absl::StrCat(input_.path, ": config: ", problem));
  }

  const NetworkInput& input_;
  const ModelConfig& config_;
  const std::string what_;
  TensorFinder finder_;
  std::vector<uint16_t> widths_;
  std::vector<uint32_t> rope_steps_;
  std::vector<NetworkOperator> operators_;
  uint8_t q_ = 0, k_ = 0, v_ = 0, gate_ = 0, up_ = 0;
};

absl::Status NetworkWriter::CheckLlama() const {
  const ModelConfig& c = config_;
  if (c.dim % c.heads != 0 || c.dim / c.heads % 2 != 0 || c.heads % c.kv_heads != 0) {
    return Refuse(absl::StrCat("dim ", c.dim, ", heads ", c.heads, ", kv_heads ", c.kv_heads,
                               " do not go together: dim must be an even multiple of heads, heads one of kv_heads"));
  }
  if (c.dim > UINT16_MAX || c.hidden_dim > UINT16_MAX || c.vocab > UINT16_MAX) {
    return Refuse(absl::StrCat("dim ", c.dim, ", hidden_dim ", c.hidden_dim, ", vocab ", c.vocab, ": expected at most ",
                               UINT16_MAX, " each"));
  }
  if (c.heads > UINT8_MAX || c.dim / c.heads > kMaxHeadWidth) {
    return Refuse(
        absl::StrCat(c.heads, " heads of ", c.dim / c.heads, ": expected at most ", UINT8_MAX, " of ", kMaxHeadWidth));
  }
  // 14 operators a layer and 3 around them.
  if (14 * c.layers + 3 > kMaxNetworkOperators) {
    return Refuse(absl::StrCat(c.layers, " layers: expected at most ", (kMaxNetworkOperators - 3) / 14));
  }
  const double eps = c.norm_eps * kTwoTo32;
  if (eps < 0.5 || eps >= kTwoTo32 - 1) {
    return Refuse(absl::StrCat("norm_eps ", c.norm_eps, ": expected a number from 2^-33 to 1"));
  }
  return absl::OkStatus();
}

void NetworkWriter::AddLlamaLayer(size_t layer, uint8_t x, uint8_t h) {
  const auto name = [&](absl::string_view tensor) { return config_.TensorName(tensor, layer); };
  AddNorm(name("attn_norm"), h, x);
  AddMatmul(name("wq"), q_, h);
  AddMatmul(name("wk"), k_, h);
  AddMatmul(name("wv"), v_, h);
  AddRope(q_, config_.heads);
  AddRope(k_, config_.kv_heads);
  NetworkOperator attention = Operator(OperatorCode::kAttention, h, q_, k_);
  attention.a = static_cast<uint8_t>(config_.heads);
  attention.b = static_cast<uint8_t>(config_.kv_heads);
  attention.c = v_;
  Add(attention);
  AddMatmul(name("wo"), x, h, /*accumulates=*/true);
  AddNorm(name("ffn_norm"), h, x);
  AddMatmul(name("w1"), gate_, h);
  AddMatmul(name("w3"), up_, h);
  Add(Operator(OperatorCode::kSiluGate, gate_, gate_, up_));
  AddMatmul(name("w2"), x, gate_, /*accumulates=*/true);
}

absl::Status NetworkWriter::AddLlama() {
  if (absl::Status status = CheckLlama(); !status.ok()) return status;
  const size_t head = config_.dim / config_.heads;
  for (size_t i = 0; i < head / 2; ++i) {
    const double radians = std::pow(config_.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(head));
    rope_steps_.push_back(static_cast<uint32_t>(std::llround(kTwoTo32 * radians / (2 * M_PI))));
  }
  const uint8_t x = AddBuffer(config_.dim);
  const uint8_t h = AddBuffer(config_.dim);
  q_ = AddBuffer(config_.dim);
  k_ = AddBuffer(head * config_.kv_heads);
  v_ = AddBuffer(head * config_.kv_heads);
  gate_ = AddBuffer(config_.hidden_dim);
  up_ = AddBuffer(config_.hidden_dim);
  const uint8_t scores = AddBuffer(config_.vocab);
  const std::string embed = config_.TensorName("embed");
  NetworkOperator first = Operator(OperatorCode::kEmbed, x);
  first.weights = finder_.Matrix(embed, config_.vocab, config_.dim);
  first.scales = finder_.Vector(absl::StrCat(embed, ".scale"), config_.vocab);
  Add(first);
  for (size_t layer = 0; layer < config_.layers; ++layer) AddLlamaLayer(layer, x, h);
  AddNorm(config_.TensorName("norm"), h, x);
  AddMatmul(config_.tied_embeddings ? embed : config_.TensorName("output"), scores, h);
  return finder_.status();
}

absl::Status NetworkWriter::AddMlp() {
  if (config_.mlp.size() >= kMaxNetworkBuffers) {
    return Refuse(absl::StrCat(config_.mlp.size(), " layers: expected at most ", kMaxNetworkBuffers - 1));
  }
  for (size_t i = 0; i < config_.mlp.size(); ++i) {
    const std::string name = config_.TensorName(config_.mlp[i]);
    const ModelTensor* const weights = finder_.Find(name);
    // Without two dimensions of 1 to 65,535 it is not what AddMatmul expects, which says so.
    const bool matrix = weights != nullptr && weights->shape.size() == 2 && weights->rows() > 0 &&
                        weights->rows() <= UINT16_MAX && weights->cols() > 0 && weights->cols() <= UINT16_MAX;
    if (i == 0) AddBuffer(matrix ? static_cast<size_t>(weights->cols()) : 1);
    const uint8_t in = static_cast<uint8_t>(widths_.size() - 1);
    const uint8_t out = AddBuffer(matrix ? static_cast<size_t>(weights->rows()) : 1);
    AddMatmul(name, out, in);
    if (i + 1 < config_.mlp.size()) Add(Operator(OperatorCode::kRelu, out));
  }
  return finder_.status();
}

std::string NetworkWriter::Encode() const {
  const bool tokens = config_.architecture == Architecture::kLlama;
  std::string out(kNetworkHeadSize, '\0');
  uint8_t* const head = reinterpret_cast<uint8_t*>(out.data());
  head[0] = static_cast<uint8_t>(tokens ? NetworkTask::kTokens : NetworkTask::kFeatures);
  head[1] = static_cast<uint8_t>(config_.activation_bits);
  StoreLe16(head + 2, static_cast<uint16_t>(operators_.size()));
  StoreLe32(head + 4, tokens ? static_cast<uint32_t>(config_.vocab) : widths_.front());
  StoreLe32(head + 8, widths_.back());
  if (tokens) {
    StoreLe16(head + 12, static_cast<uint16_t>(config_.window));
    StoreLe16(head + 14, static_cast<uint16_t>(config_.sinks));
    StoreLe16(head + 18, static_cast<uint16_t>(config_.layers));
  }
  head[16] = static_cast<uint8_t>(widths_.size());
  head[17] = static_cast<uint8_t>(rope_steps_.size());
  StoreLe32(head + 20, static_cast<uint32_t>(input_.tokenizer.size()));
  const auto append = [&out](size_t size) {
    out.resize(out.size() + size);
    return reinterpret_cast<uint8_t*>(out.data()) + out.size() - size;
  };
  for (const uint16_t width : widths_) StoreLe16(append(2), width);
  append(widths_.size() % 2 * 2);
  for (const uint32_t step : rope_steps_) StoreLe32(append(4), step);
  for (const NetworkOperator& op : operators_) {
    uint8_t* const p = append(kNetworkOperatorSize);
    p[0] = static_cast<uint8_t>(op.code);
    p[1] = op.out;
    p[2] = op.in;
    p[3] = op.in2;
    StoreLe16(p + 4, op.weights);
    StoreLe16(p + 6, op.scales);
    StoreLe16(p + 8, op.bias);
    p[10] = op.a;
    p[11] = op.b;
    StoreLe32(p + 12, op.c);
  }
  return out + input_.tokenizer;
}

}  // namespace

absl::StatusOr<NetworkInput> ReadNetworkInput(FileSystem& file_system, const std::string& model_path,
                                              const std::string& tokenizer_path) {
  absl::StatusOr<ModelConfig> config = ReadModelConfig(file_system, model_path);
  if (!config.ok()) return config.status();
  NetworkInput input{model_path, *std::move(config), ""};
  const std::string path = tokenizer_path.empty() ? input.config.tokenizer : tokenizer_path;
  if (path.empty()) return input;
  if (input.config.architecture != Architecture::kLlama) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": a tokenizer, but ", model_path, " describes a model that takes no tokens"));
  }
  const absl::StatusOr<std::vector<VocabularyToken>> vocabulary = ReadVocabulary(file_system, path);
  if (!vocabulary.ok()) return vocabulary.status();
  if (vocabulary->size() != input.config.vocab) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", vocabulary->size(), " tokens, expected the ",
                                                   input.config.vocab, " of config.vocab in ", model_path));
  }
  absl::StatusOr<std::string> tokenizer = BuildTokenizer(*vocabulary, input.config.leading_space);
  if (!tokenizer.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", tokenizer.status().message()));
  input.tokenizer = *std::move(tokenizer);
  return input;
}

absl::StatusOr<std::string> BuildNetwork(const NetworkInput& input, absl::Span<const ModelTensor> tensors,
                                         absl::string_view base_name) {
  NetworkWriter writer(input, tensors, base_name);
  const bool llama = input.config.architecture == Architecture::kLlama;
  if (absl::Status status = llama ? writer.AddLlama() : writer.AddMlp(); !status.ok()) return status;
  std::string section = writer.Encode();

  // What readers will say of it.
  Network network;
  size_t bad_offset;
  const ByteView bytes = {reinterpret_cast<const uint8_t*>(section.data()), section.size()};
  if (ParseNetwork(bytes, ShapesOf(tensors), &network, &bad_offset) != CoreStatus::kOk) {
    return absl::InternalError(absl::StrCat(input.path, ": a network that is no network at byte ", bad_offset));
  }
  return section;
}

}  // namespace modelvault
