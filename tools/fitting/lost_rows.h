// Rows that a fit could not keep.
#ifndef MODELVAULT_TOOLS_FITTING_LOST_ROWS_H_
#define MODELVAULT_TOOLS_FITTING_LOST_ROWS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codec/fit/search/fitted_models.h"
#include "tools/fitting/fit_input.h"

namespace modelvault {

// A row that its grid cannot hold: one value thousands of times the others' makes the steps far too coarse for these,
// or lies beyond the grid's end.
struct LostRow {
  std::string file;
  std::string tensor;
  size_t row = 0;
  // The larger of two: where the row's step is many times the tensor's median one, the median error against the median
  // weight, weights of 0 apart; where its largest weight is beyond the grid, the largest error against that weight.
  double relative_error = 0;
};

// Those of the base, and of variants where the base's row is none, in the order of files, tensors and rows. `models`
// are of all variants. Errors are FitInput::ReadVariant's.
absl::StatusOr<std::vector<LostRow>> FindLostRows(const FitInput& input, const FittedModels& models, int threads);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_LOST_ROWS_H_
