#include "codec/fit/quantiser/curvature.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/fit/quantiser/vectorised.h"

namespace modelvault {
namespace {

// Rounding of sums in single precision makes the halves of a second moment differ by so much of its largest entry.
constexpr double kAsymmetry = 1e-4;

absl::Status Error(absl::string_view tensor, const char* what, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("curvature ", what, " of ", tensor, ": ", problem));
}

bool AllFinite(const std::vector<float>& values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

// By Cholesky decomposition in double precision: a block of columns at a time, which is then taken off all that are to
// its right. Every difference is made in the order of the columns.
bool IsPositiveDefinite(const std::vector<float>& m, size_t n) {
  constexpr size_t kBlock = 32;
  std::vector<double> l(m.begin(), m.end());  // Of the upper half nothing is used.
  const size_t stride = n + 8;                // Rows must not all be at the same place of the cache.
  std::vector<double> columns(kBlock * stride);
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t end = std::min(n, begin + kBlock);
    for (size_t i = begin; i < n; ++i) {
      double* const row = l.data() + i * n;
      for (size_t j = begin; j < std::min(end, i + 1); ++j) {
        double value = row[j];
        for (size_t k = begin; k < j; ++k) value -= row[k] * l[j * n + k];
        if (i == j && !(value > 0)) return false;
        row[j] = i == j ? std::sqrt(value) : value / l[j * n + j];
        columns[(j - begin) * stride + i] = row[j];
      }
    }
    for (size_t i = end; i < n; ++i) {
      SubtractCombination(l.data() + i * n + begin, end - begin, columns.data() + end, stride, i + 1 - end,
                          l.data() + i * n + end);
    }
  }
  return true;
}

// Checks `m`, n x n, and damps it.
absl::Status Prepare(absl::string_view tensor, const char* what, size_t n, double damping, std::vector<float>* m) {
  if (m->size() != n * n) {
    return Error(tensor, what, absl::StrCat(m->size(), " values; expected ", n, " times ", n));
  }
  if (!AllFinite(*m)) return Error(tensor, what, "a value is not a finite number");
  double largest = 0;
  double trace = 0;
  for (const float value : *m) largest = std::max(largest, std::abs(static_cast<double>(value)));
  for (size_t i = 0; i < n; ++i) {
    trace += static_cast<double>((*m)[i * n + i]);
    if ((*m)[i * n + i] < 0) return Error(tensor, what, absl::StrCat("value ", i, " of the diagonal is negative"));
    for (size_t j = 0; j < i; ++j) {
      float& below = (*m)[i * n + j];
      float& above = (*m)[j * n + i];
      if (std::abs(static_cast<double>(below) - static_cast<double>(above)) > kAsymmetry * largest) {
        return Error(tensor, what, absl::StrCat("is not symmetric in row ", i, ", column ", j));
      }
      below = above = (below + above) / 2;
    }
  }
  if (!(trace > 0)) return Error(tensor, what, "is zero");
  for (size_t i = 0; i < n; ++i) (*m)[i * n + i] += static_cast<float>(damping * trace / static_cast<double>(n));
  if (!IsPositiveDefinite(*m, n)) {
    return Error(tensor, what, absl::StrCat("is not positive definite, with a damping of ", damping));
  }
  return absl::OkStatus();
}

// Adds a * b to `product`, rows x cols; a is rows x depth, b depth x cols.
void AddProduct(const float* a, const float* b, size_t rows, size_t depth, size_t cols, float* product) {
  Panel panel;
  for (size_t begin = 0; begin < depth; begin += Panel::kRows) {
    std::vector<const float*> packed;
    for (size_t k = begin; k < std::min(depth, begin + Panel::kRows); ++k) packed.push_back(b + k * cols);
    panel.Pack(packed, cols);
    for (size_t i = 0; i < rows; ++i) panel.AddCombination(a + i * depth + begin, product + i * cols);
  }
}

}  // namespace

Curvature Curvature::Identity(size_t rows, size_t cols) { return Curvature(CurvatureKind::kIdentity, rows, cols); }

absl::StatusOr<Curvature> Curvature::Diagonal(absl::string_view tensor, size_t rows, size_t cols,
                                              std::vector<float> diagonal, double damping) {
  constexpr char kWhat[] = "diagonal";
  if (diagonal.size() != rows * cols) {
    return Error(tensor, kWhat, absl::StrCat(diagonal.size(), " values; expected ", rows * cols));
  }
  if (!AllFinite(diagonal)) return Error(tensor, kWhat, "a value is not a finite number");
  double sum = 0;
  for (size_t i = 0; i < diagonal.size(); ++i) {
    if (diagonal[i] < 0) return Error(tensor, kWhat, absl::StrCat("value ", i, " is negative"));
    sum += static_cast<double>(diagonal[i]);
  }
  if (!(sum > 0)) return Error(tensor, kWhat, "is zero");
  for (size_t i = 0; i < diagonal.size(); ++i) {
    diagonal[i] += static_cast<float>(damping * sum / static_cast<double>(diagonal.size()));
    if (!(diagonal[i] > 0)) return Error(tensor, kWhat, absl::StrCat("value ", i, " is zero, with no damping"));
  }
  Curvature result(CurvatureKind::kDiagonal, rows, cols);
  result.diagonal_ = std::move(diagonal);
  return result;
}

absl::StatusOr<Curvature> Curvature::Kronecker(absl::string_view tensor, size_t rows, size_t cols, std::vector<float> g,
                                               std::vector<float> h, double damping) {
  if (absl::Status status = Prepare(tensor, "G", rows, damping, &g); !status.ok()) return status;
  if (absl::Status status = Prepare(tensor, "H", cols, damping, &h); !status.ok()) return status;
  Curvature result(CurvatureKind::kKronecker, rows, cols);
  result.g_ = std::move(g);
  result.h_ = std::move(h);
  return result;
}

std::vector<float> Curvature::Product(const std::vector<float>& error) const {
  if (kind_ == CurvatureKind::kIdentity) return error;
  std::vector<float> product(error.size());
  if (kind_ == CurvatureKind::kDiagonal) {
    for (size_t i = 0; i < error.size(); ++i) product[i] = diagonal_[i] * error[i];
    return product;
  }
  std::vector<float> right(error.size());  // E H
  AddProduct(error.data(), h_.data(), rows_, cols_, cols_, right.data());
  AddProduct(g_.data(), right.data(), rows_, rows_, cols_, product.data());
  return product;
}

}  // namespace modelvault
