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

// Appends the plane `bytes`: raw, constant, prefix or exceptions.
void AppendPlane(absl::Span<const uint8_t> bytes, PlaneScratch* scratch, std::string* out);

// The same where its counts are known already.
void AppendCountedPlane(absl::Span<const uint8_t> bytes, const ByteCounts& counts, PlaneScratch* scratch,
                        std::string* out);

// About what that would append.
size_t EstimatedPlaneSize(const ByteCounts& counts, size_t size);

// Appends the gap bytes of `positions`, ascending and below `end`: how many positions, how many bytes, their plane.
void AppendGaps(absl::Span<const uint32_t> positions, size_t end, GapScratch* scratch, std::string* out);

// Reads a plane of `size` bytes, which are then at *plane: in `memory` or, where they are stored as they are, there.
[[nodiscard]] CoreStatus ReadPlane(ByteReader* reader, size_t size, PlaneScratch* scratch, uint8_t* memory,
                                   const uint8_t** plane);

// Reads what AppendGaps() appended: *count positions at scratch->positions.Get(0).
[[nodiscard]] CoreStatus ReadGapPlane(ByteReader* reader, size_t end, PrefixLook* look, GapScratch* scratch,
                                      size_t* count);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_PLANE_CODEC_H_
