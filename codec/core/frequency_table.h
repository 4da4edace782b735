// Static frequency tables of byte symbols (docs/format.md §3). Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_FREQUENCY_TABLE_H_
#define MODELVAULT_CODEC_CORE_FREQUENCY_TABLE_H_

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"
#include "codec/core/core_status.h"
#include "codec/core/rans_decoder.h"

namespace modelvault {

// Reads one stored table into `frequencies` (all 256 set; their sum is kProbabilityScale).
[[nodiscard]] CoreStatus ReadFrequencies(ByteReader* reader, uint16_t frequencies[256]);

// A table ready to decode with: 5 KiB.
struct DecodeTable {
  uint16_t start[256];
  uint16_t frequency[256];
  uint8_t symbol[kProbabilityScale];  // Which symbol owns each slot.

  // `frequencies` as from ReadFrequencies.
  void Build(const uint16_t frequencies[256]);

  uint8_t Decode(RansDecoder* rans) const {
    const uint32_t slot = rans->Slot();
    const uint8_t s = symbol[slot];
    rans->Advance(frequency[s], start[s], slot);
    return s;
  }
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_FREQUENCY_TABLE_H_
