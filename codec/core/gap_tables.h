// The 21 gap tables of docs/format.md §6. Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_GAP_TABLES_H_
#define MODELVAULT_CODEC_CORE_GAP_TABLES_H_

#include "codec/core/codec_format.h"

namespace modelvault {

#include "codec/core/gap_tables.inc"

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_GAP_TABLES_H_
