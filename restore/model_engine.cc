#include "restore/model_engine.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "restore/infer/network_view.h"
#include "vault/format.h"

namespace modelvault {

absl::StatusOr<std::unique_ptr<ModelEngine>> ModelEngine::Open(const Restorer& restorer, absl::string_view name,
                                                               const ModelEngineOptions& options) {
  auto engine = std::unique_ptr<ModelEngine>(new ModelEngine());
  if (absl::Status status = engine->Init(restorer, name, options); !status.ok()) return status;
  return engine;
}

absl::Status ModelEngine::Init(const Restorer& restorer, absl::string_view name, const ModelEngineOptions& options) {
  name_ = absl::StrCat(restorer.vault().path(), ": ",
                       name == kReservedVariantName ? "base" : absl::StrCat("variant '", name, "'"));
  absl::StatusOr<Network> network = restorer.network();
  if (!network.ok()) return network.status();
  network_ = *network;
  if (options.activation_bits != 0) network_.activation_bits = static_cast<uint8_t>(options.activation_bits);
  if (network_.tokenizer.size > 0) {
    tokenizer_.emplace();
    tokenizer_->View(network_.tokenizer);
  }
  const SharedTables& shared = restorer.shared();
  const TensorShapes shapes = ShapesOf(shared);
  memory_.resize(Engine::Measure(network_, shapes).total() / sizeof(uint64_t) + 1);
  const CoreStatus status = engine_.Init(network_, shapes, memory_.data(), memory_.size() * sizeof(uint64_t));
  if (status != CoreStatus::kOk) {
    return absl::InvalidArgumentError(absl::StrCat(name_, ": the engine: ", CoreStatusName(status)));
  }
  const TensorConsumer parameters = {[](void* engine, size_t tensor, size_t offset, ByteView bytes) {
                                       return static_cast<Engine*>(engine)->ConsumeRestored(tensor, offset, bytes);
                                     },
                                     &engine_};
  absl::StatusOr<std::unique_ptr<ModelWeights>> weights =
      ModelWeights::Open(restorer, name, parameters, options.list_room);
  if (!weights.ok()) return weights.status();
  weights_ = *std::move(weights);
  if (engine_.ready()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name_, " lacks gains, scales or biases of its base's types and sizes, which the network needs"));
}

absl::StatusOr<std::vector<uint16_t>> ModelEngine::Encode(absl::string_view text) const {
  if (!tokenizer_.has_value()) return absl::InvalidArgumentError(absl::StrCat(name_, ": there is no tokenizer"));
  std::vector<uint16_t> ids(Tokenizer::MostTokens(text.size())), merges(ids.size());
  size_t count;
  size_t bad_offset;
  const CoreStatus status = tokenizer_->Encode({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, ids.data(),
                                               merges.data(), ids.size(), &count, &bad_offset);
  if (status == CoreStatus::kNotFound) {
    return absl::InvalidArgumentError(absl::StrFormat("byte 0x%02x at offset %d of the text is in no token of %s",
                                                      static_cast<uint8_t>(text[bad_offset]), bad_offset, name_));
  }
  if (status != CoreStatus::kOk) return weights_->Describe(status);
  ids.resize(count);
  return ids;
}

absl::Status ModelEngine::Run(absl::Span<const uint16_t> tokens) {
  return weights_->Describe(engine_.Run(tokens.data(), tokens.size(), weights_->source()));
}

absl::Status ModelEngine::RunFeatures(absl::Span<const int32_t> features) {
  return weights_->Describe(engine_.RunFeatures(features.data(), features.size(), weights_->source()));
}

}  // namespace modelvault
