// What BlockScratch holds.
#ifndef MODELVAULT_CODEC_HOST_BLOCK_SCRATCH_H_
#define MODELVAULT_CODEC_HOST_BLOCK_SCRATCH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "codec/host/block_codec.h"
#include "codec/host/element_classes.h"
#include "codec/host/element_planes.h"
#include "codec/host/prefix_streams.h"
#include "codec/host/reusable.h"

namespace modelvault {

// Elements that differ from others: where they are, and the bytes that say so.
struct GapScratch {
  Reusable<uint8_t> bytes;
  Reusable<uint32_t> positions;
};

struct PlaneScratch {
  PrefixLook look;
  GapScratch gaps;
  Reusable<uint8_t> values;
  Reusable<uint8_t> streams;
};

struct BlockScratch::Rep {
  PlaneScratch plane;
  std::array<Reusable<uint8_t>, kMaxElementSize> planes;
  // The class of each element, and a plane's bytes by class.
  Reusable<uint8_t> classes;
  std::array<Reusable<uint8_t>, kMaxElementClasses> sorted;
  // Elements of a sparse or ternary block.
  GapScratch changed;
  Reusable<uint8_t> changed_elements;
  // Blocks of which the smaller is taken.
  std::string first;
  std::string second;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_BLOCK_SCRATCH_H_
