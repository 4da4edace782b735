// The error of a fit in progress, and the gradient of what it costs.
#ifndef MODELVAULT_CODEC_FIT_QUANTISER_ERROR_PRODUCT_H_
#define MODELVAULT_CODEC_FIT_QUANTISER_ERROR_PRODUCT_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "codec/fit/quantiser/curvature.h"
#include "codec/fit/quantiser/vectorised.h"

namespace modelvault {

// Keeps R = G E H, half the gradient of tr(G E H Eᵀ), while entries of E change one at a time.
//
// A change touches all of R: rows * cols operations, too many for wide tensors. So whoever changes entries walks the
// tensor by blocks of kBlock columns, or of kBlock rows. Inside the block R is kept exact at once; the rest of R
// follows when the walk leaves it, with one product of matrices for all changes together. A sweep over n x n weights
// then takes O(n³) operations, whatever the number of changes. Not thread-safe.
class ErrorProduct {
 public:
  static constexpr size_t kBlock = Panel::kRows;

  // `error` is row-major, curvature.rows() x curvature.cols(); the curvature must outlive it.
  ErrorProduct(const Curvature& curvature, std::vector<float> error);

  const std::vector<float>& error() const { return error_; }
  // R at a weight; exact inside what the walk has entered.
  double gradient(size_t row, size_t column) const {
    return static_cast<double>(in_columns_ ? block_[row * kBlock + column - begin_] : product_[row * cols_ + column]);
  }

  // R of a row from a column on: in a walk by columns, up to the end of its block.
  const float* gradients(size_t row, size_t column) const {
    return in_columns_ ? block_.data() + row * kBlock + column - begin_ : product_.data() + row * cols_ + column;
  }

  // The walk is in columns, or rows, [begin, end): at most kBlock columns, any number of rows. Whatever was entered
  // before must have been left.
  void EnterColumns(size_t begin, size_t end);
  void EnterRows(size_t begin, size_t end);
  void Leave();

  // In a walk by columns: an entry of its block grew by `by`.
  void Grow(size_t row, size_t column, double by);

  // In a walk by rows: entries at[k], row-major and ascending, all in its block, grew by by[k].
  void Grow(absl::Span<const size_t> at, absl::Span<const double> by);

  // Half the form at the error, by R as it is; no block may be entered.
  double Form() const;
  // Computes R anew: changes have left rounding errors in it. No block may be entered.
  void Renew() { product_ = curvature_.Product(error_); }

 private:
  struct Change {
    size_t row;
    size_t column;
    float by;
  };

  void LeaveColumns();
  void LeaveRows();

  const Curvature& curvature_;
  const size_t cols_;
  std::vector<float> error_;
  std::vector<float> product_;  // R, but for the columns of a block that is entered.
  bool in_columns_ = false;     // Of a walk whose block is kept apart.
  size_t begin_ = 0, end_ = 0;
  std::vector<float> block_;        // By columns: R there, kBlock to a row.
  std::vector<float> block_h_;      // By columns: H there, the same.
  std::vector<Change> pending_;     // By columns: not yet in the rest of R.
  std::vector<float> row_changes_;  // By rows: (changes * H), cols to a row of the block.
  std::vector<bool> row_changed_;
  Panel panel_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_QUANTISER_ERROR_PRODUCT_H_
