// A tensor to be fitted, and what is held against its errors.
#ifndef MODELVAULT_CODEC_FIT_SEARCH_FIT_TENSOR_H_
#define MODELVAULT_CODEC_FIT_SEARCH_FIT_TENSOR_H_

#include <vector>

#include "codec/fit/quantiser/curvature.h"
#include "codec/model_tensor.h"

namespace modelvault {

// What is held against a tensor's errors.
enum class CurvatureUse {
  kKronecker,  // Second moments of both sides.
  kDiagonal,   // An importance of its own for each weight.
  kIdentity,   // Neither: every weight counts as much as the weights that have a curvature do on average.
  kMagnitude,  // On request: every weight counts 1 / the mean square of the base's tensor.
};

struct FitTensor : ModelTensor {
  bool linear = false;  // Rank 2 and more: on an INT8 grid, with ternary deltas. Others stay F32.
  CurvatureUse use = CurvatureUse::kIdentity;
  Curvature curvature = Curvature::Identity(1, 1);
  double weight = 1;               // Of its errors; a factor of `curvature`.
  std::vector<float> base;         // Row-major.
  std::vector<float> row_changes;  // A row each: the largest root mean square of a variant's differences.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_SEARCH_FIT_TENSOR_H_
