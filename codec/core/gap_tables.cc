#include "codec/core/gap_tables.h"

namespace modelvault {
namespace {

template <typename Lookups>
constexpr Lookups Make(unsigned first_table) {
  Lookups made{};
  unsigned t = first_table;
  for (GapLookup& table : made.tables) {
    for (unsigned q = 0; q < kGapSymbolCount; ++q) table.starts[q] = kGapStarts[t][q];
    table.starts[kGapSymbolCount] = kProbabilityScale;
    uint8_t symbol = 0;
    for (unsigned i = 0; i < 64; ++i) {
      while (symbol + 2u < kGapSymbolCount && table.starts[symbol + 1] <= 64 * i) ++symbol;
      table.first[i] = symbol;
    }
    ++t;
  }
  return made;
}

}  // namespace

constexpr SparseGapLookups kSparseGapLookups = Make<SparseGapLookups>(kDenseGapTables);
constexpr DenseGapLookups kDenseGapLookups = Make<DenseGapLookups>(0);

}  // namespace modelvault
