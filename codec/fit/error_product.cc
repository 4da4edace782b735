#include "codec/fit/error_product.h"

#include <utility>

#include "codec/fit/vectorised.h"

namespace modelvault {

ErrorProduct::ErrorProduct(const Curvature& curvature, std::vector<float> error)
    : curvature_(curvature), error_(std::move(error)), product_(curvature.Product(error_)) {}

void ErrorProduct::EnterColumns(size_t begin, size_t end) {
  in_row_ = false;
  begin_ = begin;
  end_ = end;
}

void ErrorProduct::EnterRow(size_t row) {
  in_row_ = true;
  begin_ = row;
  end_ = row + 1;
}

void ErrorProduct::UpdateColumns(const Change& change, size_t begin, size_t end) {
  const float* const g = curvature_.g(change.row);
  const float* const h = curvature_.h(change.column);
  const size_t cols = curvature_.cols();
  for (size_t i = 0; i < curvature_.rows(); ++i) {
    AddScaled(change.by * g[i], h + begin, end - begin, product_.data() + i * cols + begin);
  }
}

void ErrorProduct::Grow(size_t i, double by) {
  const float grown = static_cast<float>(by);
  error_[i] += grown;
  if (curvature_.kind() != CurvatureKind::kKronecker) {
    product_[i] = curvature_.own(i) * error_[i];
    return;
  }
  const size_t cols = curvature_.cols();
  const Change change{i / cols, i % cols, grown};
  if (!in_row_) {
    UpdateColumns(change, begin_, end_);
    if (end_ - begin_ < cols) pending_.push_back(change);
  } else if (change.row == begin_) {
    AddScaled(grown * curvature_.g(change.row)[change.row], curvature_.h(change.column), cols,
              product_.data() + change.row * cols);
    pending_.push_back(change);
  } else {
    UpdateColumns(change, 0, cols);
  }
}

void ErrorProduct::Leave() {
  if (!pending_.empty()) in_row_ ? LeaveRow() : LeaveColumns();
  pending_.clear();
}

void ErrorProduct::LeaveColumns() {
  const size_t rows = curvature_.rows();
  const size_t cols = curvature_.cols();
  const size_t width = end_ - begin_;
  if (pending_.size() < width) {
    for (const Change& change : pending_) {
      UpdateColumns(change, 0, begin_);
      UpdateColumns(change, end_, cols);
    }
    return;
  }
  std::vector<float> left(width * rows);  // (G * changes)ᵀ
  for (const Change& c : pending_) AddScaled(c.by, curvature_.g(c.row), rows, left.data() + (c.column - begin_) * rows);
  for (size_t i = 0; i < rows; ++i) {
    float* const row = product_.data() + i * cols;
    for (size_t k = 0; k < width; ++k) {
      const float factor = left[k * rows + i];
      const float* const h = curvature_.h(begin_ + k);
      AddScaled(factor, h, begin_, row);
      AddScaled(factor, h + end_, cols - end_, row + end_);
    }
  }
}

void ErrorProduct::LeaveRow() {
  const size_t cols = curvature_.cols();
  const float* const g = curvature_.g(begin_);
  std::vector<float> right(cols);  // changes * H
  for (const Change& c : pending_) AddScaled(c.by, curvature_.h(c.column), cols, right.data());
  for (size_t i = 0; i < curvature_.rows(); ++i) {
    if (i != begin_) AddScaled(g[i], right.data(), cols, product_.data() + i * cols);
  }
}

double ErrorProduct::Form() {
  product_ = curvature_.Product(error_);
  double sum = 0;
  for (size_t i = 0; i < error_.size(); ++i) sum += static_cast<double>(error_[i]) * static_cast<double>(product_[i]);
  return sum / 2;
}

}  // namespace modelvault
