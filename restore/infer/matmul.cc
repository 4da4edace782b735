#include "restore/infer/matmul.h"

namespace modelvault {
namespace {

// How a token's sums become values of its output, whose exponent is known before the first row: that of the largest
// value there can be, whatever the weights.
struct Scaling {
  int32_t mantissa;     // Of the token's step.
  uint8_t sum_shift;    // What a row's result is shifted right by.
  uint8_t value_shift;  // What is there already.
  uint8_t bias_shift;
};

constexpr int kScaleShift = 31 - kParameterBits;
constexpr int kBiasShift = kValueBits - kParameterBits;

constexpr size_t kSums = kTokenRows * kMaxBatch;

uint8_t ShiftBy(int difference) { return static_cast<uint8_t>(difference > 31 ? 31 : difference); }

class Product {
 public:
  Product(const Matrix& matrix, const QuantizedTokens& x, bool add, const Vector* out, const uint8_t* deltas)
      : matrix_(matrix), x_(x), out_(out), deltas_(deltas, matrix.cols), add_(add) {
    // No sum is larger, so shifted left by this much it still fits.
    up_ = 31 - BitCount(static_cast<uint32_t>((128 * 127 * matrix.cols) << MostActivationShift(matrix.cols)));
    for (size_t t = 0; t < x.count; ++t) PrepareToken(t);
  }

  void ConsumeOfToken(const int8_t* weights, size_t count);
  void ConsumeOfTokens(const int8_t* weights, size_t count);
  void Finish();

 private:
  void PrepareToken(size_t t);
  void FinishRows(size_t count);
  void FinishRowsOfTokens(size_t count);

  const Matrix& matrix_;
  const QuantizedTokens& x_;
  const Vector* out_;
  DeltaRows deltas_;
  size_t row_ = 0;
  size_t col_ = 0;  // Of the row in progress, whose sums are the first of sums_.
  int up_;
  uint32_t bits_[kMaxBatch] = {};  // MagnitudeBits() of each token's results.
  bool add_;
  Scaling scaling_[kMaxBatch];
  int32_t sums_[kSums];
};

// A row's result is sum · 2^up · scale · 2^kScaleShift / 2^32 · mantissa / 2^32: below 2^kValueBits and a bit, and so
// is what is there already, and the bias.
void Product::PrepareToken(size_t t) {
  const Step step = x_.steps[t];
  const int sum = 64 - up_ - kScaleShift + matrix_.scales->exponent + step.exponent;
  int most = sum;
  if (add_ && *out_[t].exponent > most) most = *out_[t].exponent;
  int bias = most;
  if (matrix_.bias != nullptr) {
    bias = matrix_.bias->exponent - kBiasShift;
    if (bias > most) most = bias;
  }
  scaling_[t] = {step.mantissa, ShiftBy(most - sum), add_ ? ShiftBy(most - *out_[t].exponent) : uint8_t{0},
                 ShiftBy(most - bias)};
  *out_[t].exponent = most;
}

void Product::ConsumeOfToken(const int8_t* weights, size_t count) {
  const size_t cols = matrix_.cols;
  while (count > 0) {
    size_t taken = 0, rows = 0;
    for (; col_ == 0 && count - taken >= 8 * cols && rows + 8 <= kSums; rows += 8, taken += 8 * cols) {
      DotEightRows(weights + taken, cols, x_.values, sums_ + rows);
    }
    for (; col_ == 0 && count - taken >= 4 * cols && rows + 4 <= kSums; rows += 4, taken += 4 * cols) {
      DotFourRows(weights + taken, cols, x_.values, sums_ + rows);
    }
    if (rows > 0) {
      FinishRows(rows);
    } else {
      taken = count < cols - col_ ? count : cols - col_;
      sums_[0] = DotPart(weights, taken, x_.values + kDotPair * col_, col_ == 0 ? 0 : sums_[0]);
      col_ += taken;
      if (col_ == cols) {
        FinishRows(1);
        col_ = 0;
      }
    }
    weights += taken;
    count -= taken;
  }
}

void Product::ConsumeOfTokens(const int8_t* weights, size_t count) {
  const size_t cols = matrix_.cols;
  while (count > 0) {
    size_t taken = kTokenRows * cols;
    if (col_ == 0 && count >= taken) {
      for (size_t t = 0; t < x_.count; t += kDotTokens) {
        DotRowsOfTokens(weights, cols, x_.values + t / kDotTokens * kDotPairs * cols, kMaxBatch, sums_ + t);
      }
      FinishRowsOfTokens(kTokenRows);
    } else {
      taken = count < cols - col_ ? count : cols - col_;
      for (size_t t = 0; t < kMaxBatch && col_ == 0; ++t) sums_[t] = 0;
      for (size_t t = 0; t < x_.count; t += kDotTokens) {
        DotPartOfTokens(weights, taken, x_.values + (t / kDotTokens * cols + col_) * kDotPairs, sums_ + t);
      }
      col_ += taken;
      if (col_ == cols) {
        FinishRowsOfTokens(1);
        col_ = 0;
      }
    }
    weights += taken;
    count -= taken;
  }
}

// The next `count` rows, whose sums are in sums_, of one token.
void Product::FinishRows(size_t count) {
  deltas_.AddRows(x_.values, count, sums_);
  const Scaling scaling = scaling_[0];
  const int up = up_;
  const uint16_t* scales = matrix_.scales->codes + row_;
  const uint16_t* bias = matrix_.bias == nullptr ? nullptr : matrix_.bias->codes + row_;
  int32_t* out = out_[0].values + row_;
  const bool add = add_;
  uint32_t bits = bits_[0];
  for (const int32_t *sum = sums_, *const end = sums_ + count; sum != end; ++sum, ++out) {
    const int32_t scale = DecodeParameter(*scales++) << kScaleShift;
    int32_t value = MulHigh(MulHigh(*sum << up, scale), scaling.mantissa) >> scaling.sum_shift;
    if (bias != nullptr) value += DecodeParameter(*bias++) << kBiasShift >> scaling.bias_shift;
    const int32_t result = add ? value + (*out >> scaling.value_shift) : value;
    bits |= MagnitudeBits(result);
    *out = result;
  }
  bits_[0] = bits;
  row_ += count;
}

// The next `count` rows, at most kTokenRows, of several tokens; the sums of row r begin at sums_[r · kMaxBatch].
void Product::FinishRowsOfTokens(size_t count) {
  int32_t scales[kTokenRows], biases[kTokenRows] = {};
  deltas_.AddRowsOfTokens(x_.values, (x_.count + kDotTokens - 1) / kDotTokens, count, kMaxBatch, sums_);
  for (size_t r = 0; r < count; ++r) {
    scales[r] = DecodeParameter(matrix_.scales->codes[row_ + r]) << kScaleShift;
    if (matrix_.bias != nullptr) biases[r] = DecodeParameter(matrix_.bias->codes[row_ + r]) << kBiasShift;
  }
  const int up = up_;
  const bool add = add_;
  for (size_t t = 0; t < x_.count; ++t) {
    const Scaling scaling = scaling_[t];
    const int32_t* sum = sums_ + t;
    int32_t* const out = out_[t].values + row_;
    uint32_t bits = bits_[t];
    for (size_t r = 0; r < count; ++r, sum += kMaxBatch) {
      int32_t value = MulHigh(MulHigh(*sum << up, scales[r]), scaling.mantissa) >> scaling.sum_shift;
      if (add) value += out[r] >> scaling.value_shift;
      value += biases[r] >> scaling.bias_shift;
      bits |= MagnitudeBits(value);
      out[r] = value;
    }
    bits_[t] = bits;
  }
  row_ += count;
}

void Product::Finish() {
  for (size_t t = 0; t < x_.count; ++t) NormaliseOf(out_[t], bits_[t]);
}

}  // namespace

CoreStatus Multiply(const WeightSource& source, const Matrix& matrix, const QuantizedTokens& x, bool add,
                    const Vector* out) {
  Product product(matrix, x, add, out, source.deltas == nullptr ? nullptr : source.deltas->string(matrix.tensor));
  size_t left = matrix.rows * matrix.cols;
  CoreStatus status = source.start(source.context, matrix.tensor, 0, left);
  while (status == CoreStatus::kOk && left > 0) {
    ByteView piece;
    status = source.next(source.context, &piece);
    if (status != CoreStatus::kOk) break;
    if (piece.size == 0 || piece.size > left) return CoreStatus::kReadFailed;
    const int8_t* const weights = reinterpret_cast<const int8_t*>(piece.data);
    if (x.count == 1) {
      product.ConsumeOfToken(weights, piece.size);
    } else {
      product.ConsumeOfTokens(weights, piece.size);
    }
    left -= piece.size;
  }
  if (status == CoreStatus::kOk) product.Finish();
  return status;
}

}  // namespace modelvault
