// A model that the integer engine runs (restore/infer/engine.h), on the host, from its tensors in memory.
#ifndef MODELVAULT_TOOLS_EVAL_INTEGER_MODEL_H_
#define MODELVAULT_TOOLS_EVAL_INTEGER_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/data_source.h"
#include "codec/model_tensor.h"
#include "restore/infer/engine.h"
#include "tools/eval/transformer.h"

namespace modelvault {

// Thread-compatible.
class IntegerModel {
 public:
  // `network` is a NETWORK section. Reads all of `data`. kInvalidArgument, with `model_name`, for a network that is not
  // of these tensors or cannot be run, and for parameters that are no numbers; else the data's.
  static absl::StatusOr<std::unique_ptr<IntegerModel>> Create(absl::string_view network,
                                                              absl::Span<const ModelTensor> tensors, DataSource* data,
                                                              absl::string_view model_name);
  IntegerModel(const IntegerModel&) = delete;
  IntegerModel& operator=(const IntegerModel&) = delete;

  // As Transformer::Score(): whole records of `context` + 1 ids below the vocabulary; each begins at position 0.
  absl::StatusOr<TokenScores> Score(absl::Span<const uint16_t> tokens, size_t context);

  Engine& engine() { return engine_; }
  // The weights, for engine().
  WeightSource source();

 private:
  IntegerModel(absl::string_view model_name, absl::Span<const ModelTensor> tensors)
      : name_(model_name), tensors_(tensors.begin(), tensors.end()) {}
  absl::Status Init(absl::string_view network);
  absl::Status Error(CoreStatus status) const;
  static CoreStatus Start(void* context, size_t tensor, size_t begin, size_t end);
  static CoreStatus Next(void* context, ByteView* piece);

  std::string name_;
  std::vector<ModelTensor> tensors_;
  std::vector<uint32_t> network_;  // The section, at a multiple of 4.
  std::vector<uint8_t> data_;
  std::vector<uint64_t> memory_;  // The engine's.
  Engine engine_;
  ByteView rest_;  // What the source has yet to hand out.
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_EVAL_INTEGER_MODEL_H_
