// Loops of the fit over floats. Every processor gives the same results: each sum is added up in one order, and nothing
// is fused.
#ifndef MODELVAULT_CODEC_FIT_QUANTISER_VECTORISED_H_
#define MODELVAULT_CODEC_FIT_QUANTISER_VECTORISED_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace modelvault {

// to[i] += factor * from[i].
void AddScaled(float factor, const float* from, size_t count, float* to);

// Adds factor * left * rightᵀ to `to`, of `rows` rows of 16; `right` has 16 values.
void AddOuterProduct(float factor, const float* left, size_t rows, const float* right, float* to);

// to[j] -= factors[k] * rows[k * stride + j], for each k below `depth` in their order, and each j below `count`.
void SubtractCombination(const double* factors, size_t depth, const double* rows, size_t stride, size_t count,
                         double* to);

// A few rows of a matrix, laid out so that combinations of them are summed at the speed of the processor's arithmetic:
// strips of kStrip columns, in each all rows one after the other.
class Panel {
 public:
  static constexpr size_t kRows = 16;  // As many as are worth packing at once: a strip of so many stays in the cache.

  // Takes a copy of `rows`, of `count` values each.
  void Pack(absl::Span<const float* const> rows, size_t count);

  // to[j] += the sum over rows k of factors[k] * row k [j]. One factor a row.
  void AddCombination(const float* factors, float* to) const;

 private:
  static constexpr size_t kStrip = 32;

  size_t rows_ = 0;
  size_t count_ = 0;
  std::vector<float> strips_;  // The last one filled up with zeros.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_QUANTISER_VECTORISED_H_
