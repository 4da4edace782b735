// The error of a fit in progress, and the gradient of what it costs.
#ifndef MODELVAULT_CODEC_FIT_ERROR_PRODUCT_H_
#define MODELVAULT_CODEC_FIT_ERROR_PRODUCT_H_

#include <cstddef>
#include <vector>

#include "codec/fit/curvature.h"

namespace modelvault {

// Keeps R = G E H, half the gradient of tr(G E H Eᵀ), while entries of E change one at a time.
//
// A change touches all of R: rows * cols operations, too many for wide tensors. So whoever changes entries walks the
// tensor column block by column block, or row by row. Inside the block (or the row) R is kept exact at once; the rest
// of R follows when the walk leaves it, with one product of matrices for all changes together. A sweep over n x n
// weights then takes O(n³) operations, whatever the number of changes. Not thread-safe.
class ErrorProduct {
 public:
  static constexpr size_t kBlockColumns = 64;

  // `error` is row-major, curvature.rows() x curvature.cols(); the curvature must outlive it.
  ErrorProduct(const Curvature& curvature, std::vector<float> error);

  const std::vector<float>& error() const { return error_; }
  // Of weight i; exact inside what the walk has entered.
  double gradient(size_t i) const { return static_cast<double>(product_[i]); }

  // The walk is in columns [begin, end), or in row `row`. Whatever was entered before must have been left.
  void EnterColumns(size_t begin, size_t end);
  void EnterRow(size_t row);
  void Leave();

  // Entry i grew by `by`. In a row's walk entries of other rows may change, too; that is slow.
  void Grow(size_t i, double by);

  // Half the form at the error, R computed anew.
  double Form();

 private:
  struct Change {
    size_t row;
    size_t column;
    float by;
  };

  void UpdateColumns(const Change& change, size_t begin, size_t end);
  void LeaveColumns();
  void LeaveRow();

  const Curvature& curvature_;
  std::vector<float> error_;
  std::vector<float> product_;
  std::vector<Change> pending_;  // Not yet in what lies outside the walk.
  bool in_row_ = false;
  size_t begin_ = 0, end_ = 0;  // Columns, or row and row + 1.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_ERROR_PRODUCT_H_
