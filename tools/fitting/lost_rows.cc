#include "tools/fitting/lost_rows.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr double kLost = 0.75;    // Relative error.
constexpr double kMuchWorse = 3;  // Than the tensor's median row.
constexpr size_t kFewRows = 4;    // Say nothing of each other.

template <typename T>
T MedianOf(std::vector<T>* values) {
  const auto middle = values->begin() + static_cast<std::ptrdiff_t>(values->size() / 2);
  std::nth_element(values->begin(), middle, values->end());
  return *middle;
}

// The relative error of a row whose weights are all 0 is 0.
double RelativeError(const FitTensor& tensor, size_t row, const std::vector<float>& weights, const FittedTensor& base,
                     const std::vector<int16_t>& changes) {
  const size_t cols = static_cast<size_t>(tensor.cols());
  std::vector<float> sizes, errors;
  float largest = 0, largest_error = 0;
  for (size_t i = row * cols; i < (row + 1) * cols; ++i) {
    const int value = base.values[i] + (changes.empty() ? 0 : changes[i]);
    const float error = std::abs(weights[i] - base.steps[row] * static_cast<float>(value));
    const float size = std::abs(weights[i]);
    largest = std::max(largest, size);
    largest_error = std::max(largest_error, error);
    if (size == 0) continue;
    sizes.push_back(size);
    errors.push_back(error);
  }
  if (sizes.empty()) return 0;
  return std::max(static_cast<double>(MedianOf(&errors)) / static_cast<double>(MedianOf(&sizes)),
                  static_cast<double>(largest_error) / static_cast<double>(largest));
}

std::vector<LostRow> LostRowsOf(const std::string& file, const FitTensor& tensor, const std::vector<float>& weights,
                                const FittedTensor& base, const std::vector<int16_t>& changes) {
  std::vector<double> errors;
  for (size_t row = 0; row < tensor.rows(); ++row) {
    errors.push_back(RelativeError(tensor, row, weights, base, changes));
  }
  std::vector<double> sorted = errors;
  const double usual = tensor.rows() < kFewRows ? 0 : MedianOf(&sorted);
  std::vector<LostRow> lost;
  for (size_t row = 0; row < tensor.rows(); ++row) {
    if (errors[row] > kLost && errors[row] > kMuchWorse * usual) lost.push_back({file, tensor.name, row, errors[row]});
  }
  return lost;
}

}  // namespace

absl::StatusOr<std::vector<LostRow>> FindLostRows(const FitInput& input, const FittedModels& models, int threads) {
  const std::vector<FitTensor>& tensors = input.tensors();
  std::vector<LostRow> lost;
  std::vector<std::vector<bool>> of_base;  // Rows that are in `lost`.
  for (size_t t = 0; t < tensors.size(); ++t) {
    of_base.emplace_back(static_cast<size_t>(tensors[t].rows()));
    if (!tensors[t].linear) continue;
    const std::string file = input.has_base() ? input.base_path() : "the mean of the variants";
    for (LostRow& row : LostRowsOf(file, tensors[t], tensors[t].base, models.base[t], {})) {
      of_base[t][row.row] = true;
      lost.push_back(std::move(row));
    }
  }
  const absl::Status status = OrderedParallel<std::vector<LostRow>>(
      models.variants.size(), ThreadCount(threads),
      [&](uint64_t v) -> absl::StatusOr<std::vector<LostRow>> {
        const absl::StatusOr<Weights> weights = input.ReadVariant(v);
        if (!weights.ok()) return weights.status();
        std::vector<LostRow> own;
        for (size_t t = 0; t < tensors.size(); ++t) {
          if (!tensors[t].linear) continue;
          const std::vector<int16_t>& changes = models.variants[v].tensors[t].changes;
          for (LostRow& row : LostRowsOf(input.variant_path(v), tensors[t], (*weights)[t], models.base[t], changes)) {
            if (!of_base[t][row.row]) own.push_back(std::move(row));
          }
        }
        return own;
      },
      [&](uint64_t, std::vector<LostRow> own) {
        for (LostRow& row : own) lost.push_back(std::move(row));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return lost;
}

}  // namespace modelvault
