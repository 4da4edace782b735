// Feeds vaults to the core view and to the host's reader. The first byte says how; the rest is the vault:
//   0  core view of the bytes as they are
//   1  core view after the checksums were made right
//   2  host reader after the checksums were made right
//   3  head of a blob; the next byte is the number of tensors, the one after it how much of the blob is at hand
// Whatever is accepted must lie where it says, or the program traps.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "codec/core/xxh64.h"
#include "tests/vault/memory_file.h"
#include "vault/core/vault_view.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

void Require(bool condition) {
  if (!condition) __builtin_trap();
}

ByteView View(const std::vector<uint8_t>& bytes) { return {bytes.data(), bytes.size()}; }

// Walks the segments of a head that was accepted.
void CheckSegments(const BlobHead& head, uint64_t blob_size) {
  SegmentPlace place;
  uint64_t end = head.head_size;
  for (uint64_t s = 0; s < head.segment_count; ++s) {
    Require((s == 0 ? FirstSegment(head, blob_size, &place) : NextSegment(head, s, &place)) == CoreStatus::kOk);
    Require(place.offset == end && place.size > 0 && place.size <= blob_size - end);
    end += place.size;
  }
  Require(end == blob_size);
}

void FuzzHead(ByteView bytes) {
  if (bytes.size < 2) return;
  VaultHeader header;
  header.tensor_count = bytes.data[0];
  header.max_variant_tensors = 64;
  const ByteView blob = bytes.Sub(2, bytes.size - 2);
  BlobHead head;
  if (ParseBlobHead(blob, blob.size, header, &head) == CoreStatus::kOk) CheckSegments(head, blob.size);
  const ByteView part = blob.Sub(0, std::min<size_t>(bytes.data[1], blob.size));
  BlobHead part_head;
  if (ParseBlobHead(part, blob.size, header, &part_head) == CoreStatus::kOk) {
    Require(part_head.head_size <= part.size && part_head.head_size == head.head_size);
    CheckSegments(part_head, blob.size);
  }
}

void FuzzView(ByteView vault) {
  VaultHeader header;
  if (ParseHeader(vault, vault.size, &header) != CoreStatus::kOk) return;
  const auto section = [&](Section s) {
    const SectionPlace& place = header.section(s);
    Require(place.offset <= vault.size && place.size <= vault.size - place.offset);
    return vault.Sub(place.offset, place.size);
  };
  const ByteView chunks = section(Section::kChunks);
  const ByteView base = section(Section::kBase);
  for (uint64_t chunk = 0; chunk < header.chunk_count(); ++chunk) {
    ChunkPlace place;
    if (FindChunk(header, chunks, chunk, &place) != CoreStatus::kOk) continue;
    Require(place.size > 0 && place.offset < base.size && place.size <= base.size - place.offset);
  }

  IndexView index;
  if (index.Open(header, section(Section::kIndex)) != CoreStatus::kOk) return;
  const bool valid = index.Validate() == CoreStatus::kOk;
  IndexView::Cursor cursor = index.Begin();
  VariantEntry entry;
  uint32_t count = 0;
  for (; index.Next(&cursor, &entry) == CoreStatus::kOk; ++count) {
    VariantEntry found;
    const CoreStatus status = index.Find(entry.name, &found);
    if (valid) Require(status == CoreStatus::kOk && found.name.data == entry.name.data);
    if (entry.size == 0) continue;
    Require(entry.offset >= header.section(Section::kBase).end() && entry.offset >= header.blobs_begin());
    Require(entry.offset <= header.section(Section::kIndex).offset);
    Require(entry.size <= header.section(Section::kIndex).offset - entry.offset);
    BlobHead head;
    const ByteView blob = vault.Sub(entry.offset, entry.size);
    if (ParseBlobHead(blob, blob.size, header, &head) == CoreStatus::kOk) CheckSegments(head, blob.size);
  }
  if (valid) Require(count == header.variant_count);
  const uint8_t name[] = {'n', 'o', 'n', 'e'};
  (void)index.Find({name, sizeof(name)}, &entry);
}

// Makes checksums, the file's size and the last section's size right, so that mutations get past them.
void Repair(std::vector<uint8_t>* vault) {
  if (vault->size() < kHeaderSize) return;
  uint8_t* const p = vault->data();
  StoreLe64(p + kFileSizeField.offset, vault->size());
  const auto entry = [&](Section s) { return p + SectionEntryOffset(s); };
  uint8_t* const manifest = entry(Section::kManifest);
  if (const uint64_t offset = LoadLe64(manifest); offset <= vault->size()) {
    StoreLe64(manifest + kSectionSizeField.offset, vault->size() - offset);
  }
  StoreLe64(p + kHeaderChecksumField.offset, Xxh64::Of({p, kHeaderChecksumField.offset}));

  // Blobs' checksums before that of the index they stand in.
  VaultHeader header;
  IndexView index;
  if (ParseHeader(View(*vault), vault->size(), &header) != CoreStatus::kOk) return;
  const SectionPlace& place = header.section(Section::kIndex);
  if (index.Open(header, View(*vault).Sub(place.offset, place.size)) == CoreStatus::kOk) {
    IndexView::Cursor cursor = index.Begin();
    VariantEntry variant;
    for (uint8_t* at = p + place.offset; index.Next(&cursor, &variant) == CoreStatus::kOk;
         at += header.index_entry_size()) {
      const ByteView blob = View(*vault).Sub(variant.offset, variant.size);
      BlobHead head;
      if (ParseBlobHead(blob, blob.size, header, &head) != CoreStatus::kOk) continue;
      StoreLe32(at + kEntryChecksumField.offset, Checksum32(head.has_directory ? blob.Sub(0, head.head_size) : blob));
    }
  }
  for (const Section s : kSectionsInFile) {
    if (!header.has(s)) continue;
    const SectionPlace& covered = header.section(s);
    StoreLe64(entry(s) + kSectionChecksumField.offset, Xxh64::Of(View(*vault).Sub(covered.offset, covered.size)));
  }
  StoreLe64(p + kHeaderChecksumField.offset, Xxh64::Of({p, kHeaderChecksumField.offset}));
}

void FuzzReader(std::vector<uint8_t> vault) {
  const auto reader = VaultReader::FromFile(std::make_unique<MemoryFile>(std::move(vault)));
  if (!reader.ok()) return;
  std::vector<uint8_t> stored;
  for (uint64_t chunk = 0; chunk < (*reader)->header().chunk_count(); ++chunk) {
    if ((*reader)->ReadBaseChunk(chunk, &stored).ok()) {
      Require(stored.size() == (*reader)->base_chunk_stored_size(chunk));
    }
  }
  for (const VaultVariant& variant : (*reader)->variants()) {
    Require((*reader)->Find(variant.name).ok());
    (void)(*reader)->variant_header(variant.name);
    const auto blob = (*reader)->OpenBlob(variant);
    if (!blob.ok()) continue;
    for (uint64_t s = 0; s < blob->segment_count(); ++s) {
      if ((*reader)->ReadSegment(*blob, s, &stored).ok()) Require(stored.size() == blob->segment_stored_size(s));
    }
  }
  const VaultBytes bytes = (*reader)->BytesBySection();
  Require(bytes.unused < bytes.file);
  (void)(*reader)->CheckBaseSection();
  (void)(*reader)->CheckPadding();
}

}  // namespace
}  // namespace modelvault

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelvault;
  if (size == 0) return 0;
  const unsigned mode = data[0] % 4;
  const ByteView rest = {data + 1, size - 1};
  if (mode == 0) FuzzView(rest);
  if (mode == 3) FuzzHead(rest);
  if (mode == 0 || mode == 3) return 0;
  std::vector<uint8_t> repaired(data + 1, data + size);
  Repair(&repaired);
  if (mode == 1) {
    FuzzView(View(repaired));
  } else {
    FuzzReader(std::move(repaired));
  }
  return 0;
}
