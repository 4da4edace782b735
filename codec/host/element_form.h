// What an element is made into before its bytes go to planes.
#ifndef MODELVAULT_CODEC_HOST_ELEMENT_FORM_H_
#define MODELVAULT_CODEC_HOST_ELEMENT_FORM_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace modelvault {

enum class ElementForm : uint8_t {
  kValue,
  kFloatValue,  // The sign is moved below all other bits, so that the exponent begins the last byte.
  kXor,         // With the reference.
  kFloatXor,    // Of the two values' forms.
  kDifference,  // To the reference, modulo 2^bits, by magnitude: 0, -1, 1, -2, … are 0, 1, 2, 3, …
  // The same of the bits taken as sign and magnitude, so that neighbouring numbers have neighbouring bits.
  kFloatDifference,
};

constexpr bool HasReference(ElementForm form) { return form >= ElementForm::kXor; }

// For one element, an unsigned integer; element_planes.cc has the same for vectors of them.
template <class T>
struct ElementForms {
  static constexpr unsigned kTop = 8 * sizeof(T) - 1;

  static constexpr T SignMask(T v) { return static_cast<T>(T{0} - static_cast<T>(v >> kTop)); }
  static constexpr T SignDown(T v) { return static_cast<T>(static_cast<T>(v << 1) | v >> kTop); }
  static constexpr T SignUp(T v) { return static_cast<T>(v >> 1 | static_cast<T>(v << kTop)); }
  // Its own inverse.
  static constexpr T Line(T v) { return static_cast<T>(v ^ SignMask(v) >> 1); }
  static constexpr T ByMagnitude(T v) { return static_cast<T>(static_cast<T>(v << 1) ^ SignMask(v)); }
  static constexpr T Signed(T v) { return static_cast<T>(v >> 1 ^ static_cast<T>(T{0} - (v & 1))); }

  static constexpr T To(ElementForm form, T v, T reference) {
    switch (form) {
      case ElementForm::kValue:
        return v;
      case ElementForm::kFloatValue:
        return SignDown(v);
      case ElementForm::kXor:
        return v ^ reference;
      case ElementForm::kFloatXor:
        return SignDown(v ^ reference);
      case ElementForm::kDifference:
        return ByMagnitude(static_cast<T>(v - reference));
      case ElementForm::kFloatDifference:
        return ByMagnitude(static_cast<T>(Line(v) - Line(reference)));
    }
    return 0;
  }

  static constexpr T From(ElementForm form, T v, T reference) {
    switch (form) {
      case ElementForm::kValue:
        return v;
      case ElementForm::kFloatValue:
        return SignUp(v);
      case ElementForm::kXor:
        return v ^ reference;
      case ElementForm::kFloatXor:
        return SignUp(v) ^ reference;
      case ElementForm::kDifference:
        return static_cast<T>(Signed(v) + reference);
      case ElementForm::kFloatDifference:
        return Line(static_cast<T>(Signed(v) + Line(reference)));
    }
    return 0;
  }
};

template <class T>
T LoadElement(const uint8_t* p) {
  T bits = 0;
  for (size_t b = 0; b < sizeof(T); ++b) bits = static_cast<T>(bits | static_cast<T>(static_cast<T>(p[b]) << (8 * b)));
  return bits;
}

template <class T>
void StoreElement(uint8_t* p, T bits) {
  for (size_t b = 0; b < sizeof(T); ++b) p[b] = static_cast<uint8_t>(bits >> (8 * b));
}

// Calls `what` with an unsigned integer of `size` bytes, which are 1, 2, 4 or 8.
template <class What>
auto WithElement(size_t size, What what) {
  switch (size) {
    case 1:
      return what(uint8_t{});
    case 2:
      return what(uint16_t{});
    case 4:
      return what(uint32_t{});
    default:
      return what(uint64_t{});
  }
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_ELEMENT_FORM_H_
