// Lays out the container's own structures as docs/format.md describes them. Whoever calls has checked that values fit.
#ifndef MODELVAULT_VAULT_SECTION_ENCODER_H_
#define MODELVAULT_VAULT_SECTION_ENCODER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/core/bytes.h"
#include "codec/layout_encoder.h"
#include "codec/text_bytes.h"
#include "vault/core/vault_view.h"
#include "vault/format.h"
#include "vault/vault_types.h"

namespace modelvault {

inline ByteView ToByteView(absl::Span<const uint8_t> bytes) { return {bytes.data(), bytes.size()}; }
inline ByteView ToByteView(absl::string_view bytes) { return ToByteView(BytesOf(bytes)); }

// The header with its checksum, in the lowest version that has its features.
std::string EncodeHeader(const VaultHeader& header);

// CHUNKS. Narrow offsets must be below 2^32.
std::string EncodeChunks(absl::Span<const ChunkPlace> chunks, bool wide);

// Whether `a` comes before `b` in INDEX.
bool IndexOrder(const VaultVariant& a, const VaultVariant& b);

// INDEX of `variants`, which are in IndexOrder. Narrow places and sizes must be below 2^32.
std::string EncodeIndex(absl::Span<const VaultVariant> variants, bool wide);

// A segment as the directory lists it.
struct SegmentEntry {
  uint32_t size = 0;
  uint32_t checksum32 = 0;
};

// The head of a blob: without a directory where `segments` is empty.
std::string EncodeBlobHead(const StoredLayout& layout, absl::Span<const SegmentEntry> segments);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_SECTION_ENCODER_H_
