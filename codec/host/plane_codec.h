// Planes of bytes, each coded by itself in what way takes the fewest bytes.
#ifndef MODELVAULT_CODEC_HOST_PLANE_CODEC_H_
#define MODELVAULT_CODEC_HOST_PLANE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "codec/host/block_format.h"
#include "codec/host/block_scratch.h"
#include "codec/host/prefix_lengths.h"

namespace modelvault {

// How a plane is to be coded, by its counts.
struct PlanePlan {
  PlaneCoding coding = PlaneCoding::kRaw;
  size_t estimated_size = 0;
  ByteLengths lengths{};       // For kPrefix.
  uint8_t common = 0;          // For kExceptions: what the others are,
  size_t exception_count = 0;  // and how many these are.
};
PlanePlan PlanPlane(const ByteCounts& counts, size_t size);

// Appends the plane `bytes`, whose counts `plan` was made from.
void AppendPlannedPlane(absl::Span<const uint8_t> bytes, const PlanePlan& plan, PlaneScratch* scratch,
                        std::string* out);

// Appends the plane `bytes`.
void AppendPlane(absl::Span<const uint8_t> bytes, PlaneScratch* scratch, std::string* out);

// Appends the gap bytes of `positions`, ascending and below `end`: how many positions, how many bytes, their plane.
void AppendGaps(absl::Span<const uint32_t> positions, size_t end, Reusable<uint8_t>* gap_memory,
                Reusable<uint8_t>* stream_memory, std::string* out);

// Reads a plane of `size` bytes, which are then at *plane: in `memory` or, where they are stored as they are, there.
[[nodiscard]] CoreStatus ReadPlane(ByteReader* reader, size_t size, PlaneScratch* scratch, uint8_t* memory,
                                   const uint8_t** plane);

// Reads what AppendGaps() appended: *count positions at scratch->positions.Get(0).
[[nodiscard]] CoreStatus ReadGapPlane(ByteReader* reader, size_t end, PrefixLook* look, GapScratch* scratch,
                                      size_t* count);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_PLANE_CODEC_H_
