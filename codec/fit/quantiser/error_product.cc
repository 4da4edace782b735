#include "codec/fit/quantiser/error_product.h"

#include <algorithm>
#include <utility>

namespace modelvault {

ErrorProduct::ErrorProduct(const Curvature& curvature, std::vector<float> error)
    : curvature_(curvature), cols_(curvature.cols()), error_(std::move(error)), product_(curvature.Product(error_)) {}

void ErrorProduct::EnterColumns(size_t begin, size_t end) {
  begin_ = begin;
  end_ = end;
  if (curvature_.kind() != CurvatureKind::kKronecker) return;
  in_columns_ = true;
  const size_t width = end - begin;
  block_.resize(curvature_.rows() * kBlock);
  for (size_t row = 0; row < curvature_.rows(); ++row) {
    std::copy_n(product_.data() + row * cols_ + begin, width, block_.data() + row * kBlock);
  }
  block_h_.assign(kBlock * kBlock, 0);
  for (size_t k = 0; k < width; ++k) std::copy_n(curvature_.h(begin + k) + begin, width, block_h_.data() + k * kBlock);
}

void ErrorProduct::EnterRows(size_t begin, size_t end) {
  begin_ = begin;
  end_ = end;
  row_changes_.assign((end - begin) * cols_, 0);
  row_changed_.assign(end - begin, false);
}

void ErrorProduct::Grow(size_t row, size_t column, double by) {
  const float grown = static_cast<float>(by);
  const size_t i = row * cols_ + column;
  error_[i] += grown;
  if (!in_columns_) {
    product_[i] = curvature_.own(i) * error_[i];
    return;
  }
  AddOuterProduct(grown, curvature_.g(row), curvature_.rows(), block_h_.data() + (column - begin_) * kBlock,
                  block_.data());
  pending_.push_back({row, column, grown});
}

void ErrorProduct::Grow(absl::Span<const size_t> at, absl::Span<const double> by) {
  const bool coupled = curvature_.kind() == CurvatureKind::kKronecker;
  std::vector<float> change;  // (changes of a row) * H
  for (size_t k = 0; k < at.size();) {
    const size_t row = at[k] / cols_;
    change.assign(cols_, 0);
    for (; k < at.size() && at[k] / cols_ == row; ++k) {
      const float grown = static_cast<float>(by[k]);
      error_[at[k]] += grown;
      if (coupled) {
        AddScaled(grown, curvature_.h(at[k] % cols_), cols_, change.data());
      } else {
        product_[at[k]] = curvature_.own(at[k]) * error_[at[k]];
      }
    }
    if (!coupled) continue;
    const float* const g = curvature_.g(row);
    for (size_t i = begin_; i < end_; ++i) AddScaled(g[i], change.data(), cols_, product_.data() + i * cols_);
    AddScaled(1, change.data(), cols_, row_changes_.data() + (row - begin_) * cols_);
    row_changed_[row - begin_] = true;
  }
}

void ErrorProduct::Leave() {
  in_columns_ ? LeaveColumns() : LeaveRows();
  in_columns_ = false;
}

void ErrorProduct::LeaveColumns() {
  const size_t rows = curvature_.rows();
  std::vector<const float*> changed;  // Rows of H.
  std::vector<size_t> place(end_ - begin_, SIZE_MAX);
  for (const Change& c : pending_) {
    size_t& at = place[c.column - begin_];
    if (at != SIZE_MAX) continue;
    at = changed.size();
    changed.push_back(curvature_.h(c.column));
  }
  if (!changed.empty()) {
    std::vector<float> left(changed.size() * rows);  // (G * changes)ᵀ
    for (const Change& c : pending_) {
      AddScaled(c.by, curvature_.g(c.row), rows, left.data() + place[c.column - begin_] * rows);
    }
    panel_.Pack(changed, cols_);
    std::vector<float> factors(changed.size());
    for (size_t i = 0; i < rows; ++i) {
      for (size_t k = 0; k < factors.size(); ++k) factors[k] = left[k * rows + i];
      panel_.AddCombination(factors.data(), product_.data() + i * cols_);
    }
  }
  for (size_t row = 0; row < rows; ++row) {
    std::copy_n(block_.data() + row * kBlock, end_ - begin_, product_.data() + row * cols_ + begin_);
  }
  pending_.clear();
}

void ErrorProduct::LeaveRows() {
  for (size_t first = 0; first < row_changed_.size(); first += Panel::kRows) {
    std::vector<const float*> changed;
    std::vector<size_t> rows;
    for (size_t k = first; k < std::min(row_changed_.size(), first + Panel::kRows); ++k) {
      if (!row_changed_[k]) continue;
      changed.push_back(row_changes_.data() + k * cols_);
      rows.push_back(begin_ + k);
    }
    if (changed.empty()) continue;
    panel_.Pack(changed, cols_);
    std::vector<float> factors(changed.size());
    for (size_t i = 0; i < curvature_.rows(); ++i) {
      if (i == begin_) i = end_;  // There, R is exact.
      if (i == curvature_.rows()) break;
      for (size_t k = 0; k < rows.size(); ++k) factors[k] = curvature_.g(i)[rows[k]];
      panel_.AddCombination(factors.data(), product_.data() + i * cols_);
    }
  }
  row_changed_.clear();
}

double ErrorProduct::Form() const {
  double sum = 0;
  for (size_t i = 0; i < error_.size(); ++i) sum += static_cast<double>(error_[i]) * static_cast<double>(product_[i]);
  return sum / 2;
}

}  // namespace modelvault
