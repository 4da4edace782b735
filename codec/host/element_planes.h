// Elements to planes of bytes and back: plane p has byte p, the least significant first, of each element's form.
#ifndef MODELVAULT_CODEC_HOST_ELEMENT_PLANES_H_
#define MODELVAULT_CODEC_HOST_ELEMENT_PLANES_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "codec/host/element_form.h"

namespace modelvault {

inline constexpr size_t kMaxElementSize = 8;

using PlaneSources = std::array<const uint8_t*, kMaxElementSize>;
using PlaneTargets = std::array<uint8_t*, kMaxElementSize>;

// `element_size`: 1, 2, 4 or 8. `count` elements each, also of `reference` where the form has one. Planes of the
// targets may lie anywhere, apart from each other.
void SplitElements(ElementForm form, size_t element_size, const uint8_t* data, const uint8_t* reference, size_t count,
                   const PlaneTargets& planes);
void JoinElements(ElementForm form, size_t element_size, const PlaneSources& planes, const uint8_t* reference,
                  size_t count, uint8_t* out);

// The number of elements that differ.
size_t CountChanged(size_t element_size, const uint8_t* data, const uint8_t* reference, size_t count);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_ELEMENT_PLANES_H_
