// A model of a vault that answers on a host: the board's engine, fed by the board's code from the bytes of the file.
#ifndef MODELVAULT_RESTORE_MODEL_ENGINE_H_
#define MODELVAULT_RESTORE_MODEL_ENGINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "restore/infer/engine.h"
#include "restore/infer/tokenizer.h"
#include "restore/model_weights.h"
#include "restore/restorer.h"

namespace modelvault {

struct ModelEngineOptions {
  int activation_bits = 0;  // 8 or 4; 0: as the vault says.
  // Bytes for the list of differences from the base; a model whose list needs more is restored for each token.
  size_t list_room = ModelWeights::kAnyList;
};

// Not thread-safe. The Restorer must outlive it.
class ModelEngine {
 public:
  // Restores and verifies model `name` ("base": the base). NotFound: no such model, or the vault does not say what its
  // models compute. DataLoss: either is damaged. InvalidArgument: the engine cannot run it.
  static absl::StatusOr<std::unique_ptr<ModelEngine>> Open(const Restorer& restorer, absl::string_view name,
                                                           const ModelEngineOptions& options = {});
  ModelEngine(const ModelEngine&) = delete;
  ModelEngine& operator=(const ModelEngine&) = delete;

  const Network& network() const { return network_; }
  const ModelWeights& weights() const { return *weights_; }
  // Nothing: the vault has none.
  const std::optional<Tokenizer>& tokenizer() const { return tokenizer_; }

  // The ids of a text, that which begins one first. InvalidArgument: there is no tokenizer, or a byte of the text,
  // whose place is told, is in none of its tokens.
  absl::StatusOr<std::vector<uint16_t>> Encode(absl::string_view text) const;

  // As Engine's.
  absl::Status Run(absl::Span<const uint16_t> tokens);
  absl::Status RunFeatures(absl::Span<const int32_t> features);
  NetworkScores scores() const { return engine_.scores(); }
  void Reset() { engine_.Reset(); }

 private:
  ModelEngine() = default;
  absl::Status Init(const Restorer& restorer, absl::string_view name, const ModelEngineOptions& options);

  std::string name_;  // With the vault's, for messages.
  Network network_;
  std::optional<Tokenizer> tokenizer_;
  std::vector<uint64_t> memory_;
  Engine engine_;
  std::unique_ptr<ModelWeights> weights_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_MODEL_ENGINE_H_
