#include "tools/fitting/lost_rows.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr double kLost = 0.75;      // Relative error.
constexpr double kMuchCoarser = 8;  // A row's step than the tensor's median one.
constexpr float kMostSteps = 127;   // From 0 to the end of the grid.

template <typename T>
T MedianOf(std::vector<T>* values) {
  const auto middle = values->begin() + static_cast<std::ptrdiff_t>(values->size() / 2);
  std::nth_element(values->begin(), middle, values->end());
  return *middle;
}

// What the grid of a row costs, as LostRow has it; 0 where the grid suits it, and of a row whose weights are all 0.
// What a fit drops because it is not worth its bits is no fault of the grid.
double RelativeError(const FitTensor& tensor, size_t row, bool much_coarser, const std::vector<float>& weights,
                     const FittedTensor& base, const std::vector<int16_t>& changes) {
  const size_t cols = static_cast<size_t>(tensor.cols());
  const float step = base.steps[row];
  std::vector<float> sizes, errors;
  float largest = 0, largest_error = 0;
  for (size_t i = row * cols; i < (row + 1) * cols; ++i) {
    const int value = base.values[i] + (changes.empty() ? 0 : changes[i]);
    const float error = std::abs(weights[i] - step * static_cast<float>(value));
    const float size = std::abs(weights[i]);
    largest = std::max(largest, size);
    largest_error = std::max(largest_error, error);
    if (size == 0) continue;
    sizes.push_back(size);
    errors.push_back(error);
  }
  if (sizes.empty()) return 0;
  double lost = 0;
  if (much_coarser) lost = static_cast<double>(MedianOf(&errors)) / static_cast<double>(MedianOf(&sizes));
  if (largest > kMostSteps * step)
    lost = std::max(lost, static_cast<double>(largest_error) / static_cast<double>(largest));
  return lost;
}

std::vector<LostRow> LostRowsOf(const std::string& file, const FitTensor& tensor, const std::vector<float>& weights,
                                const FittedTensor& base, const std::vector<int16_t>& changes) {
  std::vector<float> steps = base.steps;
  const double coarse = steps.empty() ? 0 : kMuchCoarser * static_cast<double>(MedianOf(&steps));
  std::vector<LostRow> lost;
  for (size_t row = 0; row < tensor.rows(); ++row) {
    const bool much_coarser = static_cast<double>(base.steps[row]) > coarse;
    const double error = RelativeError(tensor, row, much_coarser, weights, base, changes);
    if (error > kLost) lost.push_back({file, tensor.name, row, error});
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
