#include "codec/host/element_classes.h"

#include "codec/core/bytes.h"
#include "codec/host/element_form.h"
#include "codec/host/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/host/element_classes.cc"
// foreach_target.h comes first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "codec/host/vector_low_bytes-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace modelvault {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T, int kKeyBits>
HWY_INLINE uint8_t KeyOf(T bits) {
  return static_cast<uint8_t>(static_cast<T>(bits << 1) >> (8 * sizeof(T) - kKeyBits));
}

template <class T, int kKeyBits>
ClassCounts Classes(const uint8_t* elements, size_t count, absl::Span<const uint8_t> thresholds, uint8_t* classes) {
  ClassCounts below{};  // Elements that are below each threshold.
  size_t i = 0;
  if constexpr (HWY_TARGET != HWY_SCALAR && sizeof(T) <= 4 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
    const hn::ScalableTag<T> d;
    const hn::Repartition<uint8_t, decltype(d)> bytes;
    const hn::Rebind<uint8_t, decltype(d)> d8;
    const size_t lanes = hn::Lanes(d);
    for (; i + lanes <= count; i += lanes) {
      const auto v = hn::BitCast(d, hn::LoadU(bytes, elements + i * sizeof(T)));
      const auto key = LowBytes(d8, hn::ShiftRight<8 * sizeof(T) - kKeyBits>(hn::ShiftLeft<1>(v)));
      auto sum = hn::Zero(d8);
      for (size_t t = 0; t < thresholds.size(); ++t) {
        const auto is_below = hn::Lt(key, hn::Set(d8, thresholds[t]));
        below[t] += hn::CountTrue(d8, is_below);
        sum = hn::Add(sum, hn::IfThenElseZero(is_below, hn::Set(d8, uint8_t{1})));
      }
      hn::StoreU(sum, d8, classes + i);
    }
  }
  for (; i < count; ++i) {
    const uint8_t key = KeyOf<T, kKeyBits>(LoadElement<T>(elements + i * sizeof(T)));
    uint8_t sum = 0;
    for (size_t t = 0; t < thresholds.size(); ++t) {
      const uint8_t is_below = key < thresholds[t] ? 1 : 0;
      below[t] += is_below;
      sum = static_cast<uint8_t>(sum + is_below);
    }
    classes[i] = sum;
  }
  ClassCounts counts{};
  for (size_t c = 0; c <= thresholds.size(); ++c) {
    counts[c] = (c == 0 ? count : below[c - 1]) - (c == thresholds.size() ? 0 : below[c]);
  }
  return counts;
}

ClassCounts ClassesAny(DType dtype, const uint8_t* elements, size_t count, absl::Span<const uint8_t> thresholds,
                       uint8_t* classes) {
  switch (dtype) {
    case DType::kF16:
      return Classes<uint16_t, 5>(elements, count, thresholds, classes);
    case DType::kBf16:
      return Classes<uint16_t, 8>(elements, count, thresholds, classes);
    case DType::kF32:
      return Classes<uint32_t, 8>(elements, count, thresholds, classes);
    default:
      return Classes<uint64_t, 8>(elements, count, thresholds, classes);
  }
}

// Highway has no compression and expansion of bytes yet.
#if HWY_TARGET == HWY_AVX3_DL
constexpr size_t kBytesAtOnce = 64;

HWY_INLINE size_t SortVectors(const uint8_t* bytes, const uint8_t* classes, size_t count, size_t class_count,
                              uint8_t** sorted) {
  size_t i = 0;
  for (; i + kBytesAtOnce <= count; i += kBytesAtOnce) {
    const __m512i v = _mm512_loadu_si512(bytes + i);
    const __m512i of = _mm512_loadu_si512(classes + i);
    for (size_t c = 0; c < class_count; ++c) {
      const __mmask64 is_c = _mm512_cmpeq_epi8_mask(of, _mm512_set1_epi8(static_cast<char>(c)));
      _mm512_storeu_si512(sorted[c], _mm512_maskz_compress_epi8(is_c, v));
      sorted[c] += __builtin_popcountll(is_c);
    }
  }
  return i;
}

HWY_INLINE size_t UnsortVectors(const uint8_t** sorted, const uint8_t* classes, size_t count, size_t class_count,
                                uint8_t* bytes) {
  size_t i = 0;
  for (; i + kBytesAtOnce <= count; i += kBytesAtOnce) {
    const __m512i of = _mm512_loadu_si512(classes + i);
    __m512i v = _mm512_setzero_si512();
    for (size_t c = 0; c < class_count; ++c) {
      const __mmask64 is_c = _mm512_cmpeq_epi8_mask(of, _mm512_set1_epi8(static_cast<char>(c)));
      v = _mm512_mask_expand_epi8(v, is_c, _mm512_loadu_si512(sorted[c]));
      sorted[c] += __builtin_popcountll(is_c);
    }
    _mm512_storeu_si512(bytes + i, v);
  }
  return i;
}
#else
HWY_INLINE size_t SortVectors(const uint8_t*, const uint8_t*, size_t, size_t, uint8_t**) { return 0; }
HWY_INLINE size_t UnsortVectors(const uint8_t**, const uint8_t*, size_t, size_t, uint8_t*) { return 0; }
#endif

void Sort(const uint8_t* bytes, const uint8_t* classes, size_t count, size_t class_count,
          std::array<uint8_t*, kMaxElementClasses> sorted) {
  for (size_t i = SortVectors(bytes, classes, count, class_count, sorted.data()); i < count; ++i) {
    *sorted[classes[i]]++ = bytes[i];
  }
}

void Unsort(std::array<const uint8_t*, kMaxElementClasses> sorted, const uint8_t* classes, size_t count,
            size_t class_count, uint8_t* bytes) {
  for (size_t i = UnsortVectors(sorted.data(), classes, count, class_count, bytes); i < count; ++i) {
    bytes[i] = *sorted[classes[i]]++;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace modelvault
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace modelvault {
namespace {

HWY_EXPORT(ClassesAny);
HWY_EXPORT(Sort);
HWY_EXPORT(Unsort);

}  // namespace

bool HasClasses(DType dtype) { return IsFloat(dtype); }

uint8_t ClassKey(DType dtype, const uint8_t* element) {
  switch (dtype) {
    case DType::kF16:
      return static_cast<uint8_t>(LoadLe16(element) >> 10 & 31);
    case DType::kBf16:
      return static_cast<uint8_t>(LoadLe16(element) >> 7);
    case DType::kF32:
      return static_cast<uint8_t>(LoadLe32(element) >> 23);
    default:
      return static_cast<uint8_t>(LoadLe64(element) >> 55);
  }
}

ClassCounts ClassesOf(DType dtype, const uint8_t* elements, size_t count, absl::Span<const uint8_t> thresholds,
                      uint8_t* classes) {
  return HWY_DYNAMIC_DISPATCH(ClassesAny)(dtype, elements, count, thresholds, classes);
}

void SortByClass(const uint8_t* bytes, const uint8_t* classes, size_t count, size_t class_count,
                 const std::array<uint8_t*, kMaxElementClasses>& sorted) {
  HWY_DYNAMIC_DISPATCH(Sort)(bytes, classes, count, class_count, sorted);
}

void UnsortByClass(const std::array<const uint8_t*, kMaxElementClasses>& sorted, const uint8_t* classes, size_t count,
                   size_t class_count, uint8_t* bytes) {
  HWY_DYNAMIC_DISPATCH(Unsort)(sorted, classes, count, class_count, bytes);
}

}  // namespace modelvault
#endif  // HWY_ONCE
