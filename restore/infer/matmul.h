// A matrix that streams in, times the activations of one token or of several. Core code: built unchanged for host and
// board.
#ifndef MODELVAULT_RESTORE_INFER_MATMUL_H_
#define MODELVAULT_RESTORE_INFER_MATMUL_H_

#include "restore/infer/delta_rows.h"
#include "restore/infer/parameters.h"
#include "restore/infer/quantizer.h"
#include "restore/infer/weight_source.h"

namespace modelvault {

inline constexpr size_t kMaxBatch = 16;

// Quantised activations and their negatives (dot.h). Of one token: at a multiple of 4. Of more: groups of kDotTokens
// tokens, at a multiple of 16, the last one filled with zeros.
struct QuantizedTokens {
  const int16_t* values = nullptr;
  size_t cols = 0;
  size_t count = 0;  // Tokens, at most kMaxBatch.
  Step steps[kMaxBatch];
};

// In values.
constexpr size_t QuantizedSize(size_t cols, size_t tokens) {
  return tokens == 1 ? kDotPair * cols : (tokens + kDotTokens - 1) / kDotTokens * kDotPairs * cols;
}

struct Matrix {
  size_t tensor;
  size_t rows;
  size_t cols;
  const ParameterTensor* scales;  // A step for each row.
  const ParameterTensor* bias;    // Null: none.
};

// out[t] = matrix · x[t] + bias, or that is added to out[t], for each token of x; out[t] has as many values as the
// matrix has rows. kReadFailed where the source ends early; its own failures. After a failure out is worthless.
[[nodiscard]] CoreStatus Multiply(const WeightSource& source, const Matrix& matrix, const QuantizedTokens& x, bool add,
                                  const Vector* out);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_MATMUL_H_
