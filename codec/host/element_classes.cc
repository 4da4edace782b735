#include "codec/host/element_classes.h"

#include "codec/host/element_key.h"
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

template <class Key>
void Classes(ElementClasses classes, const uint8_t* elements, size_t count, uint8_t* out) {
  using T = typename Key::Element;
  const uint8_t last = static_cast<uint8_t>(classes.count - 1);
  size_t i = 0;
  if constexpr (HWY_TARGET != HWY_SCALAR && sizeof(T) <= 4 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
    const hn::ScalableTag<T> d;
    const hn::Repartition<uint8_t, decltype(d)> bytes;
    const hn::Rebind<uint8_t, decltype(d)> d8;
    const size_t lanes = hn::Lanes(d);
    for (; i + lanes <= count; i += lanes) {
      const auto v = hn::BitCast(d, hn::LoadU(bytes, elements + i * sizeof(T)));
      const auto key = hn::And(LowBytes(d8, hn::ShiftRight<Key::kShift>(v)), hn::Set(d8, Key::kMask));
      const auto below = hn::SaturatedSub(hn::Set(d8, classes.top), key);
      hn::StoreU(hn::Min(below, hn::Set(d8, last)), d8, out + i);
    }
  }
  for (; i < count; ++i) {
    const uint8_t key = Key::Of(elements + i * sizeof(T));
    const uint8_t below = static_cast<uint8_t>(key < classes.top ? classes.top - key : 0);
    out[i] = below < last ? below : last;
  }
}

ClassCounts CountClasses(const uint8_t* classes, size_t count, size_t class_count) {
  ClassCounts counts{};
  const hn::ScalableTag<uint8_t> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto of = hn::LoadU(d, classes + i);
    for (size_t c = 0; c < class_count; ++c) {
      counts[c] += hn::CountTrue(d, hn::Eq(of, hn::Set(d, static_cast<uint8_t>(c))));
    }
  }
  for (; i < count; ++i) ++counts[classes[i]];
  return counts;
}

ClassCounts ClassesAny(DType dtype, ElementClasses classes, const uint8_t* elements, size_t count, uint8_t* out) {
  WithKey(dtype, [&](auto key) { Classes<decltype(key)>(classes, elements, count, out); });
  return CountClasses(out, count, classes.count);
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
  return WithKey(dtype, [&](auto key) { return key.Of(element); });
}

ClassCounts ClassesOf(DType dtype, ElementClasses classes, const uint8_t* elements, size_t count, uint8_t* out) {
  return HWY_DYNAMIC_DISPATCH(ClassesAny)(dtype, classes, elements, count, out);
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
