#include "tools/eval/integer_model.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "restore/infer/sampler.h"

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

std::vector<TensorRecord> RecordsOf(absl::Span<const ModelTensor> tensors) {
  std::vector<TensorRecord> records;
  for (const ModelTensor& tensor : tensors) {
    TensorRecord record = {};
    record.offset = static_cast<size_t>(tensor.begin);
    record.size = static_cast<size_t>(tensor.size());
    record.rows = static_cast<size_t>(tensor.rows());
    record.cols = static_cast<size_t>(tensor.cols());
    record.dtype = tensor.dtype;
    record.element_size = ElementSize(static_cast<uint8_t>(tensor.dtype));
    records.push_back(record);
  }
  return records;
}

absl::StatusOr<std::unique_ptr<IntegerModel>> IntegerModel::Create(const Network& network,
                                                                   absl::Span<const ModelTensor> tensors,
                                                                   DataSource* data, absl::string_view model_name) {
  std::unique_ptr<IntegerModel> model(new IntegerModel(model_name));
  model->records_ = RecordsOf(tensors);
  model->data_.resize(static_cast<size_t>(data->size()));
  if (absl::Status status = data->Read(0, absl::MakeSpan(model->data_)); !status.ok()) return status;
  const TensorList list = {model->records_.data(), model->records_.size()};
  EngineMemory memory;
  CoreStatus status = Engine::Measure(network, list, &memory);
  if (status != CoreStatus::kOk) return model->Error(status);
  model->memory_.resize(memory.total() / sizeof(uint64_t) + 1);
  status = model->engine_.Init(network, list, model->memory_.data(), model->memory_.size() * sizeof(uint64_t));
  if (status != CoreStatus::kOk) return model->Error(status);
  if (absl::Status loaded = model->Load(); !loaded.ok()) return loaded;
  return model;
}

absl::Status IntegerModel::Load() {
  for (size_t i = 0; i < records_.size(); ++i) {
    const CoreStatus status = engine_.ConsumeRestored(i, 0, {data_.data() + records_[i].offset, records_[i].size});
    if (status != CoreStatus::kOk) {
      return absl::InvalidArgumentError(absl::StrCat(name_, ": tensor ", i, ": ", CoreStatusName(status)));
    }
  }
  return absl::OkStatus();
}

absl::Status IntegerModel::Error(CoreStatus status) const {
  return absl::InvalidArgumentError(absl::StrCat(name_, ": ", CoreStatusName(status)));
}

CoreStatus IntegerModel::Start(void* context, size_t tensor, size_t begin, size_t end) {
  IntegerModel* const model = static_cast<IntegerModel*>(context);
  model->rest_ = {model->data_.data() + model->records_[tensor].offset + begin, end - begin};
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
