#include "tools/eval/integer_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "restore/infer/sampler.h"
#include "restore/model_shapes.h"

namespace modelvault {
namespace {

// Nats of `target`, and whether it has the highest score.
void AddScore(const NetworkScores& scores, size_t target, TokenScores* out) {
  const int32_t most = *std::max_element(scores.values, scores.values + scores.count);
  const double unit = std::ldexp(1.0, scores.exponent);
  double sum = 0;
  for (size_t i = 0; i < scores.count; ++i) {
    sum += std::exp((static_cast<double>(scores.values[i]) - static_cast<double>(most)) * unit);
  }
  const double behind = (static_cast<double>(most) - static_cast<double>(scores.values[target])) * unit;
  out->nll.push_back(static_cast<float>(std::log(sum) + behind));
  out->hit.push_back(BestToken(scores) == target ? 1 : 0);
}

}  // namespace

absl::StatusOr<std::unique_ptr<IntegerModel>> IntegerModel::Create(absl::string_view network,
                                                                   absl::Span<const ModelTensor> tensors,
                                                                   DataSource* data, absl::string_view model_name) {
  std::unique_ptr<IntegerModel> model(new IntegerModel(model_name, tensors));
  model->data_.resize(static_cast<size_t>(data->size()));
  if (absl::Status status = data->Read(0, absl::MakeSpan(model->data_)); !status.ok()) return status;
  if (absl::Status status = model->Init(network); !status.ok()) return status;
  return model;
}

absl::Status IntegerModel::Init(absl::string_view section) {
  const TensorShapes shapes = ShapesOf(tensors_);
  network_.resize(section.size() / sizeof(uint32_t) + 1);
  std::memcpy(network_.data(), section.data(), section.size());
  Network network;
  CoreStatus status =
      ParseNetwork({reinterpret_cast<const uint8_t*>(network_.data()), section.size()}, shapes, &network);
  if (status != CoreStatus::kOk) return Error(status);
  memory_.resize(Engine::Measure(network, shapes).total() / sizeof(uint64_t) + 1);
  status = engine_.Init(network, shapes, memory_.data(), memory_.size() * sizeof(uint64_t));
  if (status != CoreStatus::kOk) return Error(status);
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const ModelTensor& t = tensors_[i];
    status = engine_.ConsumeRestored(i, 0, {data_.data() + t.begin, static_cast<size_t>(t.size())});
    if (status == CoreStatus::kOk) continue;
    return absl::InvalidArgumentError(absl::StrCat(name_, ": tensor ", t.name, ": ", CoreStatusName(status)));
  }
  return absl::OkStatus();
}

absl::Status IntegerModel::Error(CoreStatus status) const {
  return absl::InvalidArgumentError(absl::StrCat(name_, ": ", CoreStatusName(status)));
}

CoreStatus IntegerModel::Start(void* context, size_t tensor, size_t begin, size_t end) {
  IntegerModel* const model = static_cast<IntegerModel*>(context);
  model->rest_ = {model->data_.data() + model->tensors_[tensor].begin + begin, end - begin};
  return CoreStatus::kOk;
}

CoreStatus IntegerModel::Next(void* context, ByteView* piece) {
  IntegerModel* const model = static_cast<IntegerModel*>(context);
  *piece = model->rest_;
  model->rest_ = {};
  return CoreStatus::kOk;
}

WeightSource IntegerModel::source() { return {this, &Start, &Next, nullptr}; }

absl::StatusOr<TokenScores> IntegerModel::Score(absl::Span<const uint16_t> tokens, size_t context) {
  TokenScores scores;
  const size_t record = context + 1;
  for (size_t begin = 0; begin + record <= tokens.size(); begin += record) {
    engine_.Reset();
    for (size_t t = 0; t < context; ++t) {
      const CoreStatus status = engine_.Run(&tokens[begin + t], 1, source());
      if (status != CoreStatus::kOk) return Error(status);
      AddScore(engine_.scores(), tokens[begin + t + 1], &scores);
    }
  }
  return scores;
}

}  // namespace modelvault
