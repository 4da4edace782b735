#include "codec/host/element_planes.h"

#include <cstring>
#include <type_traits>

#include "codec/host/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/host/element_planes.cc"
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

// Forms of whole vectors; those of single elements below say the same.
template <class D, class V = hn::VFromD<D>>
struct Forms {
  using T = hn::TFromD<D>;
  static constexpr int kBits = 8 * sizeof(T);
  static constexpr D d{};
  static constexpr hn::RebindToSigned<D> di{};

  // All ones where the top bit is set.
  static HWY_INLINE V SignMask(V v) { return hn::BitCast(d, hn::BroadcastSignBit(hn::BitCast(di, v))); }
  static HWY_INLINE V SignDown(V v) { return hn::Or(hn::ShiftLeft<1>(v), hn::ShiftRight<kBits - 1>(v)); }
  static HWY_INLINE V SignUp(V v) { return hn::Or(hn::ShiftRight<1>(v), hn::ShiftLeft<kBits - 1>(v)); }
  // Its own inverse.
  static HWY_INLINE V Line(V v) { return hn::Xor(v, hn::ShiftRight<1>(SignMask(v))); }
  static HWY_INLINE V ByMagnitude(V v) { return hn::Xor(hn::ShiftLeft<1>(v), SignMask(v)); }
  static HWY_INLINE V Signed(V v) {
    return hn::Xor(hn::ShiftRight<1>(v), hn::Sub(hn::Zero(d), hn::And(v, hn::Set(d, T{1}))));
  }

  template <ElementForm form>
  static HWY_INLINE V To(V v, V reference) {
    if constexpr (form == ElementForm::kValue) return v;
    if constexpr (form == ElementForm::kFloatValue) return SignDown(v);
    if constexpr (form == ElementForm::kXor) return hn::Xor(v, reference);
    if constexpr (form == ElementForm::kFloatXor) return SignDown(hn::Xor(v, reference));
    if constexpr (form == ElementForm::kDifference) return ByMagnitude(hn::Sub(v, reference));
    if constexpr (form == ElementForm::kFloatDifference) return ByMagnitude(hn::Sub(Line(v), Line(reference)));
  }
  template <ElementForm form>
  static HWY_INLINE V From(V v, V reference) {
    if constexpr (form == ElementForm::kValue) return v;
    if constexpr (form == ElementForm::kFloatValue) return SignUp(v);
    if constexpr (form == ElementForm::kXor) return hn::Xor(v, reference);
    if constexpr (form == ElementForm::kFloatXor) return hn::Xor(SignUp(v), reference);
    if constexpr (form == ElementForm::kDifference) return hn::Add(Signed(v), reference);
    if constexpr (form == ElementForm::kFloatDifference) return Line(hn::Add(Signed(v), Line(reference)));
  }
};

template <class T, ElementForm form>
HWY_INLINE void SplitOne(const uint8_t* data, const uint8_t* reference, size_t i, const PlaneTargets& planes) {
  const T ref = HasReference(form) ? LoadElement<T>(reference + i * sizeof(T)) : T{0};
  const T value = ElementForms<T>::To(form, LoadElement<T>(data + i * sizeof(T)), ref);
  for (size_t p = 0; p < sizeof(T); ++p) planes[p][i] = static_cast<uint8_t>(value >> (8 * p));
}

template <class T, ElementForm form>
HWY_INLINE void JoinOne(const PlaneSources& planes, const uint8_t* reference, size_t i, uint8_t* out) {
  T value = 0;
  for (size_t p = 0; p < sizeof(T); ++p) {
    value = static_cast<T>(value | static_cast<T>(static_cast<T>(planes[p][i]) << (8 * p)));
  }
  const T ref = HasReference(form) ? LoadElement<T>(reference + i * sizeof(T)) : T{0};
  StoreElement<T>(out + i * sizeof(T), ElementForms<T>::From(form, value, ref));
}

// The target without vectors has the loops over single elements, which need to know nothing of the order of bytes.
template <class T>
constexpr bool kInVectors = HWY_TARGET != HWY_SCALAR && sizeof(T) <= 4 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

// Byte p of each lane.
template <int p, class D8, class V>
HWY_INLINE hn::VFromD<D8> Byte(D8 d8, V v) {
  if constexpr (p == 0) {
    return LowBytes(d8, v);
  } else {
    return LowBytes(d8, hn::ShiftRight<8 * p>(v));
  }
}

template <class T, ElementForm form>
void Split(const uint8_t* data, const uint8_t* reference, size_t count, const PlaneTargets& planes) {
  size_t i = 0;
  if constexpr (kInVectors<T>) {
    const hn::ScalableTag<T> d;
    const hn::Repartition<uint8_t, decltype(d)> bytes;
    const hn::Rebind<uint8_t, decltype(d)> d8;
    const size_t lanes = hn::Lanes(d);
    for (; i + lanes <= count; i += lanes) {
      const auto v = hn::BitCast(d, hn::LoadU(bytes, data + i * sizeof(T)));
      auto ref = hn::Zero(d);
      if constexpr (HasReference(form)) ref = hn::BitCast(d, hn::LoadU(bytes, reference + i * sizeof(T)));
      const auto value = Forms<decltype(d)>::template To<form>(v, ref);
      hn::StoreU(Byte<0>(d8, value), d8, planes[0] + i);
      if constexpr (sizeof(T) >= 2) hn::StoreU(Byte<1>(d8, value), d8, planes[1] + i);
      if constexpr (sizeof(T) >= 4) {
        hn::StoreU(Byte<2>(d8, value), d8, planes[2] + i);
        hn::StoreU(Byte<3>(d8, value), d8, planes[3] + i);
      }
    }
  }
  for (; i < count; ++i) SplitOne<T, form>(data, reference, i, planes);
}

template <class D, class D8>
HWY_INLINE hn::VFromD<D> LoadPlane(D d, D8 d8, const uint8_t* plane) {
  if constexpr (sizeof(hn::TFromD<D>) == 1) {
    return hn::LoadU(d, plane);
  } else {
    return hn::PromoteTo(d, hn::LoadU(d8, plane));
  }
}

template <class T, ElementForm form>
void Join(const PlaneSources& planes, const uint8_t* reference, size_t count, uint8_t* out) {
  size_t i = 0;
  if constexpr (kInVectors<T>) {
    const hn::ScalableTag<T> d;
    const hn::Repartition<uint8_t, decltype(d)> bytes;
    const hn::Rebind<uint8_t, decltype(d)> d8;
    const size_t lanes = hn::Lanes(d);
    for (; i + lanes <= count; i += lanes) {
      auto value = LoadPlane(d, d8, planes[0] + i);
      if constexpr (sizeof(T) >= 2) value = hn::Or(value, hn::ShiftLeft<8>(LoadPlane(d, d8, planes[1] + i)));
      if constexpr (sizeof(T) >= 4) {
        value = hn::Or(value, hn::ShiftLeft<16>(LoadPlane(d, d8, planes[2] + i)));
        value = hn::Or(value, hn::ShiftLeft<24>(LoadPlane(d, d8, planes[3] + i)));
      }
      auto ref = hn::Zero(d);
      if constexpr (HasReference(form)) ref = hn::BitCast(d, hn::LoadU(bytes, reference + i * sizeof(T)));
      const auto v = Forms<decltype(d)>::template From<form>(value, ref);
      hn::StoreU(hn::BitCast(bytes, v), bytes, out + i * sizeof(T));
    }
  }
  for (; i < count; ++i) JoinOne<T, form>(planes, reference, i, out);
}

// Calls `use` with the form as a constant.
template <class Use>
HWY_INLINE void WithForm(ElementForm form, const Use& use) {
  switch (form) {
    case ElementForm::kValue:
      return use(std::integral_constant<ElementForm, ElementForm::kValue>());
    case ElementForm::kFloatValue:
      return use(std::integral_constant<ElementForm, ElementForm::kFloatValue>());
    case ElementForm::kXor:
      return use(std::integral_constant<ElementForm, ElementForm::kXor>());
    case ElementForm::kFloatXor:
      return use(std::integral_constant<ElementForm, ElementForm::kFloatXor>());
    case ElementForm::kDifference:
      return use(std::integral_constant<ElementForm, ElementForm::kDifference>());
    case ElementForm::kFloatDifference:
      return use(std::integral_constant<ElementForm, ElementForm::kFloatDifference>());
  }
}

void SplitAny(ElementForm form, size_t element_size, const uint8_t* data, const uint8_t* reference, size_t count,
              const PlaneTargets& planes) {
  WithForm(form, [&](auto constant) {
    WithElement(element_size,
                [&](auto zero) { Split<decltype(zero), decltype(constant)::value>(data, reference, count, planes); });
  });
}

void JoinAny(ElementForm form, size_t element_size, const PlaneSources& planes, const uint8_t* reference, size_t count,
             uint8_t* out) {
  WithForm(form, [&](auto constant) {
    WithElement(element_size,
                [&](auto zero) { Join<decltype(zero), decltype(constant)::value>(planes, reference, count, out); });
  });
}

template <class T>
size_t Changed(const uint8_t* data, const uint8_t* reference, size_t count) {
  size_t i = 0, changed = 0;
  if constexpr (HWY_TARGET != HWY_SCALAR && sizeof(T) > 0) {
    const hn::ScalableTag<T> d;
    const hn::Repartition<uint8_t, decltype(d)> bytes;
    const size_t lanes = hn::Lanes(d);
    for (; i + lanes <= count; i += lanes) {
      const auto v = hn::BitCast(d, hn::LoadU(bytes, data + i * sizeof(T)));
      const auto ref = hn::BitCast(d, hn::LoadU(bytes, reference + i * sizeof(T)));
      changed += hn::CountTrue(d, hn::Ne(v, ref));
    }
  }
  for (; i < count; ++i) {
    changed += std::memcmp(data + i * sizeof(T), reference + i * sizeof(T), sizeof(T)) != 0 ? 1 : 0;
  }
  return changed;
}

size_t ChangedOf(size_t element_size, const uint8_t* data, const uint8_t* reference, size_t count) {
  return WithElement(element_size, [&](auto zero) { return Changed<decltype(zero)>(data, reference, count); });
}

}  // namespace HWY_NAMESPACE
}  // namespace modelvault
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace modelvault {
namespace {

HWY_EXPORT(SplitAny);
HWY_EXPORT(JoinAny);
HWY_EXPORT(ChangedOf);

}  // namespace

void SplitElements(ElementForm form, size_t element_size, const uint8_t* data, const uint8_t* reference, size_t count,
                   const PlaneTargets& planes) {
  HWY_DYNAMIC_DISPATCH(SplitAny)(form, element_size, data, reference, count, planes);
}

void JoinElements(ElementForm form, size_t element_size, const PlaneSources& planes, const uint8_t* reference,
                  size_t count, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(JoinAny)(form, element_size, planes, reference, count, out);
}

size_t CountChanged(size_t element_size, const uint8_t* data, const uint8_t* reference, size_t count) {
  return HWY_DYNAMIC_DISPATCH(ChangedOf)(element_size, data, reference, count);
}

}  // namespace modelvault
#endif  // HWY_ONCE
