// Which of many models are bases, and of which the others are variants, so that all take the fewest bytes.
#ifndef MODELVAULT_TOOLS_PACKING_BASE_CHOICE_H_
#define MODELVAULT_TOOLS_PACKING_BASE_CHOICE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace modelvault {

inline constexpr uint64_t kNoVariant = UINT64_MAX;

// Bytes of each model on its own, and as a variant of each other: as_variant[model][base], or kNoVariant.
struct PackingCosts {
  std::vector<uint64_t> alone;
  std::vector<std::vector<uint64_t>> as_variant;
};

// For each model the base that it is to be packed with; itself if it is a base, or on its own. From nothing, one step
// at a time is taken that saves most: another base, one less, or another in the place of one; the first of equal ones.
// Such steps end where none helps, which need not be the best of all choices. Equal costs give equal choices.
std::vector<size_t> ChooseBases(const PackingCosts& costs);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_BASE_CHOICE_H_
