#ifndef MODELVAULT_TESTS_RESTORE_FORGED_VAULT_H_
#define MODELVAULT_TESTS_RESTORE_FORGED_VAULT_H_

// A forger's last step.

#include <cstddef>
#include <cstdint>

#include "codec/core/bytes.h"
#include "codec/core/xxh64.h"
#include "vault/core/vault_view.h"
#include "vault/format.h"
#include "vault/stream_checksum.h"

namespace modelvault {

// Makes every checksum of a vault right again: of header, sections, base chunks, blobs and segments. What the forgery
// has put out of reach stays as it is, and so do the digests.
inline void RepairEverything(uint8_t* vault, size_t vault_size) {
  if (vault_size < kHeaderSize) return;
  const auto view = [&](uint64_t offset, uint64_t size) { return ByteView{vault + offset, static_cast<size_t>(size)}; };
  const auto inside = [](uint64_t offset, uint64_t size, uint64_t whole) {
    return offset <= whole && size <= whole - offset;
  };
  const auto repair_sections = [&] {
    for (const Section section : kSectionsInFile) {
      uint8_t* const entry = vault + SectionEntryOffset(section);
      const uint64_t offset = LoadLe64(entry + kSectionOffsetField.offset);
      const uint64_t size = LoadLe64(entry + kSectionSizeField.offset);
      if (SectionFeature(section) != 0 && size == 0) continue;  // There is none.
      if (!inside(offset, size, vault_size)) continue;
      StoreLe64(entry + kSectionChecksumField.offset, Xxh64::Of(view(offset, size)));
    }
    StoreLe64(vault + kHeaderChecksumField.offset, Xxh64::Of(view(0, kHeaderChecksumField.offset)));
  };
  repair_sections();
  VaultHeader header;
  if (ParseHeader(view(0, vault_size), vault_size, &header, nullptr, 0) != CoreStatus::kOk) return;
  const auto stream_checksum = [&](ByteView bytes) { return StreamChecksum32(header, {bytes.data, bytes.size}); };

  // ParseHeader has seen to it that sections lie inside the file.
  const SectionPlace& chunks = header.section(Section::kChunks);
  const SectionPlace& base = header.section(Section::kBase);
  for (uint64_t c = 0; c < header.chunk_count(); ++c) {
    ChunkPlace place;
    if (FindChunk(header, view(chunks.offset, chunks.size), c, &place) != CoreStatus::kOk) continue;
    if (!inside(place.offset, place.size, base.size)) continue;
    // The checksum is an entry's last field, narrow or wide.
    StoreLe32(vault + chunks.offset + (c + 1) * header.chunk_entry_size() - 4,
              stream_checksum(view(base.offset + place.offset, place.size)));
  }
  const SectionPlace& index = header.section(Section::kIndex);
  const bool wide = header.index_entry_size() == kWideIndexEntrySize;
  for (uint64_t i = 0; i < header.variant_count; ++i) {
    const uint64_t at = i * header.index_entry_size();
    if (!inside(at, header.index_entry_size(), index.size)) break;
    uint8_t* const entry = vault + index.offset + at;
    const uint64_t offset =
        wide ? LoadLe64(entry + kWideEntryOffsetField.offset) : LoadLe32(entry + kNarrowEntryOffsetField.offset);
    const uint64_t size =
        wide ? LoadLe64(entry + kWideEntrySizeField.offset) : LoadLe32(entry + kNarrowEntrySizeField.offset);
    if (size == 0 || !inside(offset, size, vault_size)) continue;
    BlobHead head;
    uint64_t covered = size;
    if (ParseBlobHead(view(offset, size), size, header, &head) == CoreStatus::kOk && head.has_directory) {
      covered = head.head_size;
      uint8_t* const directory = vault + (head.directory.data - vault);
      SegmentPlace place;
      CoreStatus status = FirstSegment(head, size, &place);
      for (uint64_t s = 0; status == CoreStatus::kOk && s < head.segment_count; ++s) {
        if (s > 0) status = NextSegment(head, s, &place);
        if (status != CoreStatus::kOk) break;
        StoreLe32(directory + s * kSegmentEntrySize + 4, stream_checksum(view(offset + place.offset, place.size)));
      }
    }
    StoreLe32(entry + kEntryChecksumField.offset, Checksum32(view(offset, covered)));
  }
  repair_sections();
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_RESTORE_FORGED_VAULT_H_
