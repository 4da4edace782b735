// Which requests fetch the ranges that somebody will read.
#ifndef MODELVAULT_VAULT_REMOTE_RANGE_PLAN_H_
#define MODELVAULT_VAULT_REMOTE_RANGE_PLAN_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "vault/file_system.h"

namespace modelvault {

// The ranges, as far as they lie within `size` bytes, sorted, apart, none empty. Those with less than 64 KiB between
// them become one, the nearest first, as long as all that is between makes no more than a fiftieth of what was asked
// for, and of more than 8 ranges 16 KiB for each one more: a request costs more than a few bytes, but not more than
// any.
std::vector<FileRange> MergeRanges(absl::Span<const FileRange> ranges, uint64_t size);

// Cuts merged ranges into parts of at most `part_size` bytes, of equal sizes but for a byte: two at least of what is
// longer than a quarter of that, so that two connections share it. They come in the order in which they are needed by
// who reads all ranges at the same pace.
std::vector<FileRange> PlanParts(absl::Span<const FileRange> ranges, uint64_t part_size);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REMOTE_RANGE_PLAN_H_
