// Host side of codec/core/frequency_table.h: histograms to 12-bit frequencies to stored tables.
#ifndef MODELVAULT_CODEC_FREQUENCY_CODING_H_
#define MODELVAULT_CODEC_FREQUENCY_CODING_H_

#include <array>
#include <cstdint>
#include <string>

namespace modelvault {

using Histogram = std::array<uint64_t, 256>;
using Frequencies = std::array<uint16_t, 256>;

// Frequencies that sum to kProbabilityScale, at least 1 for each symbol that occurs, near the least total cost.
// `histogram` has at least one nonzero entry; counts are below 2^50.
Frequencies NormalizeFrequencies(const Histogram& histogram);

// The table as stored (docs/format.md §3), in the cheapest exponential Golomb order.
std::string SerializeFrequencies(const Frequencies& frequencies);

// Cost in 1/65,536 bit of coding `histogram` with `frequencies`, which cover it.
uint64_t CodedCost(const Histogram& histogram, const Frequencies& frequencies);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FREQUENCY_CODING_H_
