// How much an error in one tensor's weights costs: a quadratic form.
#ifndef MODELVAULT_CODEC_FIT_QUANTISER_CURVATURE_H_
#define MODELVAULT_CODEC_FIT_QUANTISER_CURVATURE_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace modelvault {

enum class CurvatureKind {
  kIdentity,   // Every weight counts the same.
  kDiagonal,   // Weights count by their own, errors do not add up.
  kKronecker,  // tr(G E H Eᵀ): G couples rows, H columns.
};

// Curvature of a tensor of rows x cols weights, damped and found positive definite. Immutable.
class Curvature {
 public:
  static Curvature Identity(size_t rows, size_t cols);

  // `diagonal` has a value for each weight, none negative, not all 0; `damping` times their mean is added to each.
  // kInvalidArgument, naming `tensor`, for anything else and for values that stay 0.
  static absl::StatusOr<Curvature> Diagonal(absl::string_view tensor, size_t rows, size_t cols,
                                            std::vector<float> diagonal, double damping);

  // `g` is rows x rows, `h` cols x cols, both symmetric; to the diagonal of each, `damping` times its mean is added.
  // kInvalidArgument, naming `tensor`, for wrong sizes, values that are not finite, and what is then not positive
  // definite. J. Martens and R. Grosse, "Optimizing Neural Networks with Kronecker-factored Approximate Curvature"
  // (arXiv:1503.05671).
  static absl::StatusOr<Curvature> Kronecker(absl::string_view tensor, size_t rows, size_t cols, std::vector<float> g,
                                             std::vector<float> h, double damping);

  CurvatureKind kind() const { return kind_; }
  size_t rows() const { return rows_; }
  size_t cols() const { return cols_; }

  // The form's coefficient of the error of weight a times that of weight b; weights are row-major.
  double Between(size_t a, size_t b) const { return Between(a / cols_, a % cols_, b / cols_, b % cols_); }
  double Between(size_t row, size_t column, size_t other_row, size_t other_column) const {
    if (kind_ == CurvatureKind::kKronecker) {
      return static_cast<double>(g_[row * rows_ + other_row]) * static_cast<double>(h_[column * cols_ + other_column]);
    }
    return row == other_row && column == other_column ? static_cast<double>(own(row, column)) : 0;
  }

  // Of weight a with itself.
  float own(size_t row, size_t column) const {
    if (kind_ == CurvatureKind::kKronecker) return g_[row * rows_ + row] * h_[column * cols_ + column];
    return kind_ == CurvatureKind::kIdentity ? 1.0f : diagonal_[row * cols_ + column];
  }
  float own(size_t a) const { return own(a / cols_, a % cols_); }

  // Row i of G, row j of H. kKronecker only.
  const float* g(size_t i) const { return g_.data() + i * rows_; }
  const float* h(size_t j) const { return h_.data() + j * cols_; }

  // Half the form's gradient at `error`: G E H. One value a weight.
  std::vector<float> Product(const std::vector<float>& error) const;

 private:
  Curvature(CurvatureKind kind, size_t rows, size_t cols) : kind_(kind), rows_(rows), cols_(cols) {}

  CurvatureKind kind_;
  size_t rows_;
  size_t cols_;
  std::vector<float> diagonal_;  // kDiagonal only.
  std::vector<float> g_, h_;     // kKronecker only.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_QUANTISER_CURVATURE_H_
