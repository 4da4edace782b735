#include "restore/infer/vector_operators.h"

#include "restore/infer/functions.h"

namespace modelvault {
namespace {

constexpr int kScaleShift = 31 - kParameterBits;

// mantissa · 2^exponent.
struct Wide {
  uint64_t mantissa;
  int exponent;
};

// The mantissa's top bit is bit 62; 0 gets the least exponent.
Wide Normalised(Wide v) {
  const uint32_t high = static_cast<uint32_t>(v.mantissa >> 32);
  const int bits = high != 0 ? 32 + BitCount(high) : BitCount(static_cast<uint32_t>(v.mantissa));
  if (bits == 0) return {0, -4 * kMaxExponent};
  const int up = 63 - bits;
  return {up < 0 ? v.mantissa >> -up : v.mantissa << up, v.exponent - up};
}

Wide Sum(Wide a, Wide b) {
  a = Normalised(a);
  b = Normalised(b);
  if (a.exponent < b.exponent) {
    const Wide c = a;
    a = b;
    b = c;
  }
  const int down = a.exponent - b.exponent;
  return {a.mantissa + (down < 63 ? b.mantissa >> down : 0), a.exponent};
}

}  // namespace

void RmsNorm(const Vector& in, const ParameterTensor& gains, uint32_t epsilon, const Vector& out) {
  // Of 22 bits a value, so that the squares of 2^16 of them can be added up.
  constexpr int kDropped = kValueBits - 22;
  uint64_t squares = 0;
  for (size_t i = 0; i < in.size; ++i) {
    const int32_t v = in.values[i] >> kDropped;
    squares += static_cast<uint64_t>(int64_t{v} * v);
  }
  const uint32_t size = static_cast<uint32_t>(in.size);
  const Wide sum = Normalised(Sum({squares, 2 * (*in.exponent + kDropped)}, {uint64_t{epsilon} * size, -32}));
  // The mean, in two steps of a division: 31 bits by at most 16, then 16 bits more.
  const uint32_t top = static_cast<uint32_t>(sum.mantissa >> 32);
  const uint32_t mean_high = top / size;
  const uint32_t mean_low = ((top - mean_high * size) << 16) / size;
  const Wide mean = Normalised({uint64_t{mean_high} << 16 | mean_low, sum.exponent + 16});
  // As a · 2^(2k), a from 1/4 to 1: 1/√ is 1/√a · 2^-k.
  const int odd = (mean.exponent + 63) & 1;
  const uint32_t a = static_cast<uint32_t>(mean.mantissa >> 31) >> odd;
  const int k = (mean.exponent + 63 + odd) / 2;
  const int32_t factor = static_cast<int32_t>(InverseSquareRoot(a));
  uint32_t bits = 0;
  for (size_t i = 0; i < in.size; ++i) {
    const int32_t gain = DecodeParameter(gains.codes[i]) << kScaleShift;
    const int32_t value = MulHigh(MulHigh(in.values[i] << 2, factor), gain);
    bits |= MagnitudeBits(value);
    out.values[i] = value;
  }
  // The products were divided by 2^64 and multiplied by 2^(30 + 2 + kScaleShift).
  *out.exponent = *in.exponent - k + gains.exponent + 64 - 32 - kScaleShift;
  NormaliseOf(out, bits);
}

void Add(const Vector& a, const Vector& b, const Vector& out) {
  const int most = *a.exponent > *b.exponent ? *a.exponent : *b.exponent;
  const int down_a = most - *a.exponent, down_b = most - *b.exponent;
  for (size_t i = 0; i < out.size; ++i) {
    out.values[i] = RoundingShift(a.values[i], down_a) + RoundingShift(b.values[i], down_b);
  }
  *out.exponent = most;
  Normalise(out);
}

void Relu(const Vector& out) {
  for (size_t i = 0; i < out.size; ++i) {
    if (out.values[i] < 0) out.values[i] = 0;
  }
  Normalise(out);
}

void SiluGate(const Vector& in, const Vector& gate, const Vector& out) {
  constexpr int32_t kMost = 1 << 21;  // Sigmoid() is flat long before.
  // x is `in` times 2^16. Where it is shifted up, most of it is beyond kMost; where it vanishes, sigmoid is a half.
  const int shift = -(*in.exponent + 16);
  const int down = shift < 31 ? shift : 31;
  uint32_t bits = 0;
  for (size_t i = 0; i < out.size; ++i) {
    const int32_t value = in.values[i];
    int32_t x = down >= 0 ? value >> down : SaturatingShift(value, -down);
    if (x > kMost) x = kMost;
    if (x < -kMost) x = -kMost;
    const int32_t silu = MulHigh(value << 2, static_cast<int32_t>(Sigmoid(x) << 14));
    const int32_t product = MulHigh(silu << 2, gate.values[i] << 2);
    bits |= MagnitudeBits(product);
    out.values[i] = product;
  }
  *out.exponent = *in.exponent + *gate.exponent + 28;
  NormaliseOf(out, bits);
}

void RotateHeads(const Network& network, RopePairs pairs, uint32_t position, size_t heads, size_t head_dim,
                 int32_t* values) {
  const size_t half = head_dim / 2;
  const size_t step = pairs == RopePairs::kInterleaved ? 2 : 1;
  const size_t partner = pairs == RopePairs::kInterleaved ? 1 : half;
  for (size_t pair = 0; pair < half; ++pair) {
    const SineCosine turn = FindSineCosine(position * network.rope_step(pair));
    int32_t* p = values + pair * step;
    for (size_t head = 0; head < heads; ++head, p += head_dim) {
      const int32_t a = p[0] << 2, b = p[partner] << 2;
      p[0] = MulHigh(a, turn.cosine) - MulHigh(b, turn.sine);
      p[partner] = MulHigh(a, turn.sine) + MulHigh(b, turn.cosine);
    }
  }
}

}  // namespace modelvault
