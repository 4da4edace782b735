// The lowest byte of each lane. Included once for each instruction set, as Highway's headers are.
#if defined(MODELVAULT_CODEC_HOST_VECTOR_LOW_BYTES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MODELVAULT_CODEC_HOST_VECTOR_LOW_BYTES_INL_H_
#undef MODELVAULT_CODEC_HOST_VECTOR_LOW_BYTES_INL_H_
#else
#define MODELVAULT_CODEC_HOST_VECTOR_LOW_BYTES_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace modelvault {
namespace HWY_NAMESPACE {

template <class D8, class V>
HWY_INLINE hwy::HWY_NAMESPACE::VFromD<D8> LowBytes(D8 d8, V v) {
  namespace hn = hwy::HWY_NAMESPACE;
  using D = hn::DFromV<V>;
  if constexpr (sizeof(hn::TFromD<D>) == 1) {
    return v;
  } else if constexpr (sizeof(hn::TFromD<D>) == 2) {
    return hn::TruncateTo(d8, v);
  } else {
    // Highway 1.0.3 truncates from 32 bits to wrong lanes on AVX3_DL.
    const D d;
    const hn::RebindToSigned<D> di;
    return hn::DemoteTo(d8, hn::BitCast(di, hn::And(v, hn::Set(d, 0xFF))));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace modelvault
HWY_AFTER_NAMESPACE();

#endif  // per target
