#include "restore/infer/matmul.h"

#include "restore/infer/delta_list.h"

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

// A row's sum with some of its deltas may not fit; with all of them it does.
int32_t Add(int32_t a, int32_t b) { return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b)); }

uint8_t ShiftBy(int difference) { return static_cast<uint8_t>(difference > 31 ? 31 : difference); }

class Product {
 public:
  Product(const Matrix& matrix, const QuantizedTokens& x, bool add, const Vector* out, DeltaCursor deltas)
      : matrix_(matrix), x_(x), out_(out), deltas_(deltas), add_(add) {
    // No sum of products of INT8 is larger, so shifted left by this much it still fits.
    up_ = 31 - BitCount(static_cast<uint32_t>(128 * 127 * matrix.cols));
    for (size_t t = 0; t < x.count; ++t) PrepareToken(t);
    ClearSums();
  }

  void Consume(ByteView piece);
  void Finish();

 private:
  void PrepareToken(size_t t);
  void ClearSums() {
    for (int32_t& sum : sums_) sum = 0;
  }
  void FinishRow(int32_t* sums);
  void AddDeltas(size_t row_end, int32_t* sums);

  const Matrix& matrix_;
  const QuantizedTokens& x_;
  const Vector* out_;
  DeltaCursor deltas_;
  size_t row_ = 0;
  size_t col_ = 0;  // Of the row in progress, whose sums are the first of sums_.
  int up_;
  bool add_;
  Scaling scaling_[kMaxBatch];
  int32_t sums_[kDotRows * kMaxBatch];
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

void Product::Consume(ByteView piece) {
  const int8_t* weights = reinterpret_cast<const int8_t*>(piece.data);
  const int8_t* const end = weights + piece.size;
  const size_t cols = matrix_.cols;
  const size_t stride = x_.count == 1 ? 1 : kMaxBatch;
  while (weights != end) {
    const size_t left = static_cast<size_t>(end - weights);
    if (col_ == 0 && left >= kDotRows * cols) {
      if (x_.count == 1) {
        DotRows(weights, cols, x_.values, sums_);
      } else {
        for (size_t t = 0; t < x_.count; t += kDotTokens) {
          DotRowsOfTokens(weights, cols, x_.values + t * cols, stride, sums_ + t);
        }
      }
      for (size_t r = 0; r < kDotRows; ++r) FinishRow(sums_ + r * stride);
      weights += kDotRows * cols;
      ClearSums();
      continue;
    }
    const size_t count = left < cols - col_ ? left : cols - col_;
    if (x_.count == 1) {
      sums_[0] = DotPart(weights, count, x_.values + col_, sums_[0]);
    } else {
      for (size_t t = 0; t < x_.count; t += kDotTokens) {
        DotPartOfTokens(weights, count, x_.values + t * cols + col_ * kDotTokens, sums_ + t);
      }
    }
    weights += count;
    col_ += count;
    if (col_ < cols) return;
    FinishRow(sums_);
    col_ = 0;
    ClearSums();
  }
}

// What the variant's weights of this row, which ends at byte `row_end`, differ by.
void Product::AddDeltas(size_t row_end, int32_t* sums) {
  for (; deltas_.place() < row_end; deltas_.Step()) {
    const size_t col = deltas_.place() + matrix_.cols - row_end;
    const int difference = deltas_.difference();
    if (x_.count == 1) {
      sums[0] = Add(sums[0], difference * x_.values[col]);
      continue;
    }
    for (size_t t = 0; t < x_.count; ++t) {
      const int8_t* const group = x_.values + t / kDotTokens * kDotTokens * matrix_.cols;
      sums[t] = Add(sums[t], difference * group[col * kDotTokens + t % kDotTokens]);
    }
  }
}

void Product::FinishRow(int32_t* sums) {
  AddDeltas((row_ + 1) * matrix_.cols, sums);
  const int32_t scale = DecodeParameter(matrix_.scales->codes[row_]) << kScaleShift;
  const int32_t bias = matrix_.bias == nullptr ? 0 : DecodeParameter(matrix_.bias->codes[row_]) << kBiasShift;
  for (size_t t = 0; t < x_.count; ++t) {
    const Scaling& scaling = scaling_[t];
    int32_t value = MulHigh(MulHigh(sums[t] << up_, scale), scaling.mantissa) >> scaling.sum_shift;
    int32_t* const out = out_[t].values + row_;
    if (add_) value += *out >> scaling.value_shift;
    *out = value + (bias >> scaling.bias_shift);
  }
  ++row_;
}

void Product::Finish() {
  for (size_t t = 0; t < x_.count; ++t) Normalise(out_[t]);
}

}  // namespace

CoreStatus Multiply(const WeightSource& source, const Matrix& matrix, const QuantizedTokens& x, bool add,
                    const Vector* out) {
  Product product(matrix, x, add, out, source.deltas == nullptr ? DeltaCursor() : source.deltas->tensor(matrix.tensor));
  size_t left = matrix.rows * matrix.cols;
  CoreStatus status = source.start(source.context, matrix.tensor, 0, left);
  while (status == CoreStatus::kOk && left > 0) {
    ByteView piece;
    status = source.next(source.context, &piece);
    if (status != CoreStatus::kOk) break;
    if (piece.size == 0 || piece.size > left) return CoreStatus::kReadFailed;
    product.Consume(piece);
    left -= piece.size;
  }
  if (status == CoreStatus::kOk) product.Finish();
  return status;
}

}  // namespace modelvault
