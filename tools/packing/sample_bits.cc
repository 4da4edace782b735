#include "tools/packing/sample_bits.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "codec/core/prediction.h"

namespace modelvault {
namespace {

// How often each byte occurs in one place of the elements.
using Counts = std::array<uint32_t, 256>;

double Entropy(const Counts& counts, uint64_t total) {
  double bits = 0;
  int occurring = 0;
  for (const uint32_t count : counts) {
    if (count == 0) continue;
    ++occurring;
    bits += count * std::log2(static_cast<double>(total) / count);
  }
  // A sample shows fewer values than there are, and them less evenly.
  const double correction = (occurring - 1) / (2 * std::numbers::ln2);
  return std::min(8.0, (bits + correction) / static_cast<double>(total));
}

template <size_t kBytes>
struct Planes {
  std::array<Counts, kBytes> counts = {};

  void Add(uint64_t element) {
    for (size_t p = 0; p < kBytes; ++p) ++counts[p][element >> 8 * p & 0xFF];
  }
  double Bits(uint64_t elements) const {
    double bits = 0;
    for (const Counts& plane : counts) bits += Entropy(plane, elements);
    return bits;
  }
};

template <typename T>
constexpr unsigned kBitsOf = 8 * sizeof(T);

template <typename T>
T Load(absl::Span<const uint8_t> elements, uint64_t i) {
  return static_cast<T>(LoadElement(elements.data() + i * sizeof(T), sizeof(T)));
}

// Small for differences that are, whatever their sign.
template <typename T>
T Folded(T difference) {
  const T negative = static_cast<T>(difference >> (kBitsOf<T> - 1));
  return static_cast<T>(static_cast<T>(difference << 1) ^ static_cast<T>(0 - negative));
}

template <typename T, bool kFloat>
T Turned(T value) {
  return kFloat ? std::rotl(value, 1) : value;
}

template <typename T, bool kFloat>
SampleBits Alone(absl::Span<const uint8_t> sample) {
  SampleBits result;
  result.elements = sample.size() / sizeof(T);
  if (result.elements == 0) return result;
  Planes<sizeof(T)> planes;
  for (uint64_t i = 0; i < result.elements; ++i) {
    planes.Add(Turned<T, kFloat>(Load<T>(sample, i)));
  }
  result.bits = planes.Bits(result.elements);
  return result;
}

template <typename T, bool kFloat>
SampleDifference Difference(absl::Span<const uint8_t> a, absl::Span<const uint8_t> b) {
  SampleDifference result;
  result.elements = std::min(a.size(), b.size()) / sizeof(T);
  if (result.elements == 0) return result;
  Planes<sizeof(T)> exclusive, numeric;
  for (uint64_t i = 0; i < result.elements; ++i) {
    const T x = Load<T>(a, i);
    const T y = Load<T>(b, i);
    const T differing = static_cast<T>(x ^ y);
    result.differing_bits += static_cast<uint64_t>(std::popcount(differing));
    exclusive.Add(Turned<T, kFloat>(differing));
    const int64_t from = ElementToOrdered(y, kBitsOf<T>, kFloat, 0);
    const int64_t to = ElementToOrdered(x, kBitsOf<T>, kFloat, 0);
    numeric.Add(Folded(static_cast<T>(static_cast<uint64_t>(to) - static_cast<uint64_t>(from))));
  }
  result.bits = std::min(exclusive.Bits(result.elements), numeric.Bits(result.elements));
  return result;
}

// Calls `function` with the elements' type, and whether they are floats.
template <typename Function>
auto ByType(DType dtype, const Function& function) {
  const size_t size = dtype == DType::kOpaque ? 1 : ElementSize(static_cast<uint8_t>(dtype));
  if (IsFloat(dtype)) {
    if (size == 2) return function.template operator()<uint16_t, true>();
    if (size == 4) return function.template operator()<uint32_t, true>();
    return function.template operator()<uint64_t, true>();
  }
  if (size == 1) return function.template operator()<uint8_t, false>();
  if (size == 2) return function.template operator()<uint16_t, false>();
  if (size == 4) return function.template operator()<uint32_t, false>();
  return function.template operator()<uint64_t, false>();
}

}  // namespace

SampleBits BitsAlone(DType dtype, absl::Span<const uint8_t> sample) {
  return ByType(dtype, [&]<typename T, bool kFloat>() { return Alone<T, kFloat>(sample); });
}

SampleDifference BitsOfDifference(DType dtype, absl::Span<const uint8_t> a, absl::Span<const uint8_t> b) {
  return ByType(dtype, [&]<typename T, bool kFloat>() { return Difference<T, kFloat>(a, b); });
}

}  // namespace modelvault
