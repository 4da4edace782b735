// The groups of 128 weights of an INT8 tensor: which scale, if any, explains how a group differs from the base.
#ifndef MODELVAULT_CODEC_WEIGHT_GROUPS_H_
#define MODELVAULT_CODEC_WEIGHT_GROUPS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace modelvault {

// What is known of one group (or of the part of it that lies in the segment).
struct WeightGroup {
  // Ternary with any scale in [least, most] (in steps of the grid). `least` 0: no single scale will do (the escape).
  // Groups without a difference are never asked for a scale.
  uint8_t least = 0;
  uint8_t most = 0;
};

// `base` and `variant` are the weights [begin, begin + size) of a tensor; group 0 of the result is the one `begin` lies
// in.
std::vector<WeightGroup> AnalyzeGroups(uint64_t begin, absl::Span<const uint8_t> base,
                                       absl::Span<const uint8_t> variant);

// The scale to code for a group after one with `last`: `last` itself where it will do (that is cheapest), else the
// least.
inline uint8_t ChooseScale(const WeightGroup& group, uint8_t last) {
  return group.least != 0 && group.least <= last && last <= group.most ? last : group.least;
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_WEIGHT_GROUPS_H_
