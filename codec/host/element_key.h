// Where in a float the key of its class is (codec/host/element_classes.h).
#ifndef MODELVAULT_CODEC_HOST_ELEMENT_KEY_H_
#define MODELVAULT_CODEC_HOST_ELEMENT_KEY_H_

#include <cstdint>

#include "codec/core/codec_format.h"
#include "codec/host/element_form.h"

namespace modelvault {

template <class T, int shift, uint8_t mask>
struct ElementKey {
  using Element = T;
  static constexpr int kShift = shift;
  static constexpr uint8_t kMask = mask;

  static uint8_t Of(const uint8_t* element) { return static_cast<uint8_t>(LoadElement<T>(element) >> kShift & kMask); }
};

// Calls `what` with the key of `dtype`, a float.
template <class What>
auto WithKey(DType dtype, What what) {
  switch (dtype) {
    case DType::kF16:
      return what(ElementKey<uint16_t, 10, 31>{});
    case DType::kBf16:
      return what(ElementKey<uint16_t, 7, 255>{});
    case DType::kF32:
      return what(ElementKey<uint32_t, 23, 255>{});
    default:
      return what(ElementKey<uint64_t, 55, 255>{});
  }
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_ELEMENT_KEY_H_
