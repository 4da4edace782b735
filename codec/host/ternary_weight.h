// The weight that a ternary step makes of the base's (docs/format.md §6).
#ifndef MODELVAULT_CODEC_HOST_TERNARY_WEIGHT_H_
#define MODELVAULT_CODEC_HOST_TERNARY_WEIGHT_H_

#include <algorithm>
#include <cstdint>

namespace modelvault {

// `step`: a scale of 1 … 255, or the same negative.
constexpr uint8_t TernaryWeight(uint8_t base, int step) {
  return static_cast<uint8_t>(static_cast<int8_t>(std::clamp(static_cast<int8_t>(base) + step, -128, 127)));
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_TERNARY_WEIGHT_H_
