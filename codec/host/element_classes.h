// Elements by classes of their reference's exponent. How far a fine-tune moves a weight does not depend much on the
// weight, so counted in units of its last place it depends on its exponent: bytes of differences are coded class by
// class.
#ifndef MODELVAULT_CODEC_HOST_ELEMENT_CLASSES_H_
#define MODELVAULT_CODEC_HOST_ELEMENT_CLASSES_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "codec/core/codec_format.h"
#include "codec/host/block_format.h"

namespace modelvault {

// What classes are told by: of BF16, F16 and F32 the exponent, of F64 the upper eight bits of it. Others have none.
bool HasClasses(DType dtype);
uint8_t ClassKey(DType dtype, const uint8_t* element);

// Class 0 has the keys from `top` on, class c the key top - c, the last class also all below. 2 … kMaxElementClasses.
struct ElementClasses {
  uint8_t top = 0;
  uint8_t count = 0;
};

using ClassCounts = std::array<size_t, kMaxElementClasses>;

// Writes the class of each of `count` elements. Returns how many elements each class has.
ClassCounts ClassesOf(DType dtype, ElementClasses classes, const uint8_t* elements, size_t count, uint8_t* out);

// Memory beyond the end of a buffer that the functions below may read, or write, without making use of it.
inline constexpr size_t kClassSlack = 64;

// Appends byte i of `bytes` to the buffer of class i, in order; `sorted[c]` has space for the bytes of class c and
// kClassSlack more.
void SortByClass(const uint8_t* bytes, const uint8_t* classes, size_t count, size_t class_count,
                 const std::array<uint8_t*, kMaxElementClasses>& sorted);

// The way back. `sorted[c]` has kClassSlack bytes more.
void UnsortByClass(const std::array<const uint8_t*, kMaxElementClasses>& sorted, const uint8_t* classes, size_t count,
                   size_t class_count, uint8_t* bytes);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_ELEMENT_CLASSES_H_
