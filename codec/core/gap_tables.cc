#include "codec/core/gap_tables.h"

namespace modelvault {
namespace {

constexpr GapLookups MakeGapLookups() {
  GapLookups made{};
  for (unsigned t = 0; t < kGapTableCount; ++t) {
    GapLookup& table = made.tables[t];
    for (unsigned q = 0; q < kGapSymbolCount; ++q) table.starts[q] = kGapStarts[t][q];
    uint8_t symbol = 0;
    for (unsigned i = 0; i < 64; ++i) {
      while (symbol + 1u < kGapSymbolCount && table.starts[symbol + 1] <= 64 * i) ++symbol;
      table.first[i] = symbol;
    }
  }
  return made;
}

}  // namespace

constexpr GapLookups kGapLookups = MakeGapLookups();

}  // namespace modelvault
