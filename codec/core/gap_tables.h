// The 21 gap tables of docs/format.md §6. Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_GAP_TABLES_H_
#define MODELVAULT_CODEC_CORE_GAP_TABLES_H_

#include "codec/core/codec_format.h"

namespace modelvault {

#include "codec/core/gap_tables.inc"

// A gap table as decoders look symbols up in it.
struct GapLookup {
  // The symbol that owns slot 64 * i, or the last before the escape: where the search for a slot begins, so that the
  // escape is only found by searching.
  uint8_t first[64];
  uint16_t starts[kGapSymbolCount + 1];  // kGapStarts, and where the last symbol ends.
};

// Tables are read three or four times for each weight that differs: a board does well to have them in RAM, or at least
// those of the levels where at most half of the weights differ. The others only dense tensors need.
inline constexpr unsigned kDenseGapTables = 10;
struct SparseGapLookups {
  GapLookup tables[kGapTableCount - kDenseGapTables];
};
struct DenseGapLookups {
  GapLookup tables[kDenseGapTables];
};
extern const SparseGapLookups kSparseGapLookups;
extern const DenseGapLookups kDenseGapLookups;

inline const GapLookup* FindGapLookup(unsigned table) {
  return table >= kDenseGapTables ? &kSparseGapLookups.tables[table - kDenseGapTables]
                                  : &kDenseGapLookups.tables[table];
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_GAP_TABLES_H_
