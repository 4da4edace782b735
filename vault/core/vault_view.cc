#include "vault/core/vault_view.h"

#include "codec/core/codec_format.h"
#include "codec/core/xxh64.h"
#include "vault/core/utf8.h"

namespace modelvault {
namespace {

constexpr size_t kMinNameSize = 2;  // The length byte and one more.

bool AllZero(const uint8_t* p, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (p[i] != 0) return false;
  }
  return true;
}

bool Equal(ByteView a, ByteView b) { return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0); }

// Whether `a` sorts before `b`, bytewise.
bool Less(ByteView a, ByteView b) {
  const size_t shared = a.size < b.size ? a.size : b.size;
  const int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
  return order != 0 ? order < 0 : a.size < b.size;
}

bool IsNamed(ByteView name, const char* text, size_t size) {
  return name.size == size && memcmp(name.data, text, size) == 0;
}

bool SizeInRange(uint32_t size, uint32_t low, uint32_t high) {
  return size >= low && size <= high && size % kSizeGranularity == 0;
}

// Reads the layout that `flags` announce. kTruncated if it needs more bytes.
CoreStatus ReadLayout(ByteReader* reader, ByteView bytes, uint8_t flags, const VaultHeader& header,
                      LayoutView* layout) {
  const bool free = (flags & kBlobFreeLayout) != 0;
  if (free && (flags & kBlobOwnLayout) != 0) return CoreStatus::kBadBlob;
  layout->form = free ? LayoutForm::kFree : LayoutForm::kEachOnce;
  layout->tensor_count = header.tensor_count;
  if (free) {
    if (!reader->ReadSize(&layout->tensor_count)) return CoreStatus::kTruncated;
    // Without the feature this is 0, and no free layout is allowed.
    if (header.max_variant_tensors == 0 || layout->tensor_count > header.max_variant_tensors) {
      return CoreStatus::kBadBlob;
    }
  }
  const size_t begin = reader->position();
  for (size_t i = 0; i < layout->tensor_count; ++i) {
    uint64_t number;
    uint8_t dtype;
    if (!reader->ReadVarint(&number) || !reader->ReadU8(&dtype)) return CoreStatus::kTruncated;
    const bool own = free && number == 0;
    if ((own || dtype == static_cast<uint8_t>(DType::kOpaque)) && !reader->ReadVarint(&number)) {
      return CoreStatus::kTruncated;
    }
  }
  layout->bytes = bytes.Sub(begin, reader->position() - begin);
  return CoreStatus::kOk;
}

// The zero byte that makes the head's size even.
bool SkipPadding(ByteReader* reader) {
  uint8_t zero;
  return reader->position() % 2 == 0 || (reader->ReadU8(&zero) && zero == 0);
}

// The entry of a section that this vault does not have.
CoreStatus ParseNoSection(const uint8_t* p, Section section, VaultHeader* header, uint32_t* bad_field) {
  header->section(section) = SectionPlace();
  *bad_field = SectionEntryOffset(section);
  return AllZero(p + *bad_field, kSectionEntrySize) ? CoreStatus::kOk : CoreStatus::kBadHeader;
}

// The sections' entries, and their sizes as far as other fields tell them. `p` is the header.
CoreStatus ParseSections(const uint8_t* p, VaultHeader* header, uint32_t* bad_field) {
  size_t end = kHeaderSize;
  for (const Section section : kSectionsInFile) {
    if (!header->has(section)) {
      if (const CoreStatus none = ParseNoSection(p, section, header, bad_field); none != CoreStatus::kOk) return none;
      continue;
    }
    *bad_field = SectionEntryOffset(section);
    const uint8_t* const entry = p + *bad_field;
    SectionPlace* const place = &header->section(section);
    const bool fits = LoadSize(entry + kSectionOffsetField.offset, &place->offset) &&
                      LoadSize(entry + kSectionSizeField.offset, &place->size);
    place->checksum = LoadLe64(entry + kSectionChecksumField.offset);
    if (!fits || place->offset % kAlignment != 0 || place->offset < end || place->offset > header->file_size ||
        place->size > header->file_size - place->offset || (SectionFeature(section) != 0 && place->size == 0)) {
      return CoreStatus::kBadSection;
    }
    end = place->end();
  }
  *bad_field = kFileSizeField.offset;
  if (end != header->file_size) return CoreStatus::kBadSection;

  // The products stay far below 2^64: at most 2^52 chunks, 2^32 variants.
  const size_t chunk_count = header->chunk_count();
  *bad_field = SectionEntryOffset(Section::kChunks);
  if (header->section(Section::kChunks).size != chunk_count * header->chunk_entry_size())
    return CoreStatus::kBadSection;
  *bad_field = SectionEntryOffset(Section::kBase);
  const size_t base_size = header->section(Section::kBase).size;
  if (base_size < chunk_count || (chunk_count == 0 && base_size != 0)) return CoreStatus::kBadSection;
  *bad_field = SectionEntryOffset(Section::kIndex);
  const uint64_t index_size = header->section(Section::kIndex).size;
  if (index_size < header->variant_count * (uint64_t{header->index_entry_size()} + kMinNameSize) ||
      (header->variant_count == 0 && index_size != 0)) {
    return CoreStatus::kBadSection;
  }
  return CoreStatus::kOk;
}

}  // namespace

uint32_t Checksum32(ByteView bytes) { return static_cast<uint32_t>(Xxh64::Of(bytes)); }

CoreStatus ParseHeader(ByteView bytes, uint64_t storage_size, VaultHeader* header, uint32_t* bad_field,
                       uint32_t refused) {
  uint32_t unused;
  if (bad_field == nullptr) bad_field = &unused;
  const uint8_t* const p = bytes.data;

  *bad_field = kMagicField.offset;
  const size_t magic_size = bytes.size < kMagicField.size ? bytes.size : kMagicField.size;
  if (magic_size > 0 && memcmp(p, kVaultMagic, magic_size) != 0) return CoreStatus::kBadMagic;
  if (bytes.size < kHeaderSize || storage_size < kHeaderSize) return CoreStatus::kTruncated;
  // Before the checksum: another version may keep it elsewhere.
  *bad_field = kVersionMajorField.offset;
  if (LoadLe16(p + kVersionMajorField.offset) != kVersionMajor) return CoreStatus::kUnknownVersion;
  const uint16_t minor = LoadLe16(p + kVersionMinorField.offset);
  *bad_field = kHeaderChecksumField.offset;
  if (LoadLe64(p + kHeaderChecksumField.offset) != Xxh64::Of({p, kHeaderChecksumField.offset})) {
    return CoreStatus::kChecksumMismatch;
  }

  header->features = LoadLe32(p + kFeaturesField.offset);
  *bad_field = kFeaturesField.offset;
  if ((header->features & (refused | ~KnownFeatures(minor))) != 0) return CoreStatus::kUnknownVersion;
  if ((header->features & (kFeatureHostCodings | kFeatureNetwork)) == (kFeatureHostCodings | kFeatureNetwork)) {
    return CoreStatus::kBadHeader;
  }
  if ((header->features & (kFeatureTenants | kFeatureSignature)) == kFeatureTenants) return CoreStatus::kBadHeader;
  *bad_field = kFileSizeField.offset;
  if (!LoadSize(p + kFileSizeField.offset, &header->file_size) || header->file_size > storage_size) {
    return CoreStatus::kTruncated;
  }
  header->chunk_size = LoadLe32(p + kChunkSizeField.offset);
  *bad_field = kChunkSizeField.offset;
  if (!SizeInRange(header->chunk_size, kMinChunkSize, kMaxChunkSize)) return CoreStatus::kBadHeader;
  header->segment_size = LoadLe32(p + kSegmentSizeField.offset);
  *bad_field = kSegmentSizeField.offset;
  if (!SizeInRange(header->segment_size, kMinSegmentSize, kMaxSegmentSize)) return CoreStatus::kBadHeader;
  *bad_field = kBaseDataSizeField.offset;
  if (!LoadSize(p + kBaseDataSizeField.offset, &header->base_data_size) || header->base_data_size > kMaxDataSize) {
    return CoreStatus::kBadHeader;
  }
  memcpy(header->base_xxh3, p + kBaseXxh3Field.offset, kBaseXxh3Field.size);
  header->base_xxh64 = LoadLe64(p + kBaseXxh64Field.offset);
  header->tensor_count = LoadLe32(p + kTensorCountField.offset);
  header->variant_count = LoadLe32(p + kVariantCountField.offset);
  header->max_variant_tensors = LoadLe32(p + kMaxVariantTensorsField.offset);
  *bad_field = kMaxVariantTensorsField.offset;
  const bool free_layouts = (header->features & kFeatureFreeLayouts) != 0;
  if (header->max_variant_tensors > kMaxFreeLayoutTensors || (header->max_variant_tensors != 0) != free_layouts) {
    return CoreStatus::kBadHeader;
  }
  *bad_field = kReservedField.offset;
  if (!AllZero(p + kReservedField.offset, kReservedField.size)) return CoreStatus::kBadHeader;
  return ParseSections(p, header, bad_field);
}

CoreStatus FindChunk(const VaultHeader& header, ByteView chunks, size_t chunk, ChunkPlace* place) {
  const size_t count = header.chunk_count();
  const size_t entry_size = header.chunk_entry_size();
  if (chunk >= count || chunks.size != count * entry_size) return CoreStatus::kBadArgument;
  const bool wide = entry_size == kWideChunkEntrySize;
  const uint8_t* const entry = chunks.data + chunk * entry_size;
  size_t begin = LoadLe32(entry);
  size_t end = header.section(Section::kBase).size;
  if (wide && !LoadSize(entry, &begin)) return CoreStatus::kBadChunk;
  if (chunk + 1 < count) {
    size_t next = LoadLe32(entry + entry_size);
    if (wide && !LoadSize(entry + entry_size, &next)) return CoreStatus::kBadChunk;
    if (next > end) return CoreStatus::kBadChunk;
    end = next;
  }
  if (begin >= end || (chunk == 0 && begin != 0)) return CoreStatus::kBadChunk;
  place->offset = begin;
  place->size = end - begin;
  place->checksum32 = LoadLe32(entry + entry_size - sizeof(uint32_t));
  return CoreStatus::kOk;
}

NameFault CheckVariantName(ByteView name) {
  if (name.size == 0) return NameFault::kEmpty;
  if (name.size > kMaxVariantNameSize) return NameFault::kTooLong;
  if (IsNamed(name, ".", 1) || IsNamed(name, "..", 2) ||
      IsNamed(name, kReservedVariantName, sizeof(kReservedVariantName) - 1)) {
    return NameFault::kReserved;
  }
  if (name.data[0] == '-') return NameFault::kLeadingDash;
  for (size_t at = 0; at < name.size;) {
    uint32_t c;
    if (!ReadUtf8(name, &at, &c)) return NameFault::kNotUtf8;
    if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == '/' || c == '\\') return NameFault::kBadCharacter;
  }
  return NameFault::kNone;
}

CoreStatus IndexView::Open(const VaultHeader& header, ByteView index) {
  count_ = header.variant_count;
  entry_size_ = header.index_entry_size();
  if (index.size != header.section(Section::kIndex).size ||
      static_cast<uint64_t>(count_) * (entry_size_ + kMinNameSize) > index.size) {
    count_ = 0;
    return CoreStatus::kBadIndex;
  }
  index_ = index;
  blobs_begin_ = header.blobs_begin();
  blobs_end_ = header.section(Section::kIndex).offset;
  return CoreStatus::kOk;
}

CoreStatus IndexView::Load(uint32_t i, VariantEntry* entry) const {
  const uint8_t* const p = index_.data + i * entry_size_;
  entry->name_hash = LoadLe32(p + kEntryNameHashField.offset);
  entry->checksum32 = LoadLe32(p + kEntryChecksumField.offset);
  const uint8_t* xxh3;
  if (entry_size_ == kWideIndexEntrySize) {
    if (!LoadSize(p + kWideEntryOffsetField.offset, &entry->offset) ||
        !LoadSize(p + kWideEntrySizeField.offset, &entry->size)) {
      return CoreStatus::kBadIndex;
    }
    entry->xxh64 = LoadLe64(p + kWideEntryXxh64Field.offset);
    xxh3 = p + kWideEntryXxh3Field.offset;
  } else {
    entry->offset = LoadLe32(p + kNarrowEntryOffsetField.offset);
    entry->size = LoadLe32(p + kNarrowEntrySizeField.offset);
    entry->xxh64 = LoadLe64(p + kNarrowEntryXxh64Field.offset);
    xxh3 = p + kNarrowEntryXxh3Field.offset;
  }
  memcpy(entry->xxh3, xxh3, sizeof(entry->xxh3));
  if (entry->size == 0) return entry->offset == 0 ? CoreStatus::kOk : CoreStatus::kBadIndex;
  if (entry->offset % kAlignment != 0 || entry->offset < blobs_begin_ || entry->offset > blobs_end_ ||
      entry->size > blobs_end_ - entry->offset) {
    return CoreStatus::kBadIndex;
  }
  return CoreStatus::kOk;
}

CoreStatus IndexView::Next(Cursor* cursor, VariantEntry* entry) const {
  if (cursor->next >= count_) return CoreStatus::kNotFound;
  if (cursor->name_offset >= index_.size) return CoreStatus::kBadIndex;
  const size_t name_size = index_.data[cursor->name_offset];
  if (name_size == 0 || name_size > index_.size - cursor->name_offset - 1) return CoreStatus::kBadIndex;
  const CoreStatus status = Load(cursor->next, entry);
  if (status != CoreStatus::kOk) return status;
  entry->name = index_.Sub(cursor->name_offset + 1, name_size);
  cursor->name_offset += 1 + name_size;
  ++cursor->next;
  return CoreStatus::kOk;
}

CoreStatus IndexView::Find(ByteView name, VariantEntry* entry) const {
  const uint32_t hash = Checksum32(name);
  uint32_t low = 0;
  for (uint32_t high = count_; low < high;) {
    const uint32_t middle = low + (high - low) / 2;
    if (LoadLe32(index_.data + middle * entry_size_ + kEntryNameHashField.offset) < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  Cursor cursor = Begin();
  for (; cursor.next < low; ++cursor.next) {
    if (cursor.name_offset >= index_.size) return CoreStatus::kBadIndex;
    cursor.name_offset += size_t{1} + index_.data[cursor.name_offset];
  }
  while (cursor.next < count_) {
    const CoreStatus status = Next(&cursor, entry);
    if (status != CoreStatus::kOk) return status;
    if (entry->name_hash != hash) break;
    if (Equal(entry->name, name)) return CoreStatus::kOk;
  }
  return CoreStatus::kNotFound;
}

CoreStatus IndexView::Validate(uint32_t* bad_entry) const {
  uint32_t unused;
  if (bad_entry == nullptr) bad_entry = &unused;
  Cursor cursor = Begin();
  VariantEntry last, entry;
  for (*bad_entry = 0; *bad_entry < count_; ++*bad_entry) {
    const CoreStatus status = Next(&cursor, &entry);
    if (status != CoreStatus::kOk) return status;
    if (entry.name_hash != Checksum32(entry.name)) return CoreStatus::kBadIndex;
    if (CheckVariantName(entry.name) != NameFault::kNone) return CoreStatus::kBadIndex;
    const bool in_order =
        last.name_hash < entry.name_hash || (last.name_hash == entry.name_hash && Less(last.name, entry.name));
    if (*bad_entry > 0 && !in_order) return CoreStatus::kBadIndex;
    last = entry;
  }
  return cursor.name_offset == index_.size ? CoreStatus::kOk : CoreStatus::kBadIndex;
}

CoreStatus ParseBlobHead(ByteView bytes, size_t blob_size, const VaultHeader& header, BlobHead* head) {
  *head = BlobHead();
  if (blob_size == 0) return CoreStatus::kOk;
  // Past the bytes at hand there may be more; past the blob there is not.
  const bool all = bytes.size >= blob_size;
  if (all) bytes.size = blob_size;
  const CoreStatus too_short = all ? CoreStatus::kBadBlob : CoreStatus::kTruncated;

  ByteReader reader(bytes);
  uint8_t flags;
  if (!reader.ReadU8(&flags)) return too_short;
  if ((flags & ~kKnownBlobFlags) != 0) return CoreStatus::kBadBlob;
  if ((flags & (kBlobOwnLayout | kBlobFreeLayout)) != 0) {
    const CoreStatus read = ReadLayout(&reader, bytes, flags, header, &head->layout);
    if (read != CoreStatus::kOk) return read == CoreStatus::kTruncated ? too_short : read;
  }
  if ((flags & kBlobDirectory) == 0) {
    if (!SkipPadding(&reader)) return too_short;
    head->head_size = reader.position();
    head->segment_count = blob_size > head->head_size ? 1 : 0;
    // Without a layout there is something to code, or the blob would be empty.
    return head->segment_count == 0 && head->layout.form == LayoutForm::kBase ? CoreStatus::kBadBlob : CoreStatus::kOk;
  }

  head->has_directory = true;
  if (!reader.ReadSize(&head->segment_count)) return too_short;
  if (head->segment_count == 0 || head->segment_count > (blob_size - reader.position()) / kSegmentEntrySize) {
    return CoreStatus::kBadBlob;
  }
  if (head->segment_count > reader.remaining() / kSegmentEntrySize) return CoreStatus::kTruncated;
  const size_t directory_size = head->segment_count * kSegmentEntrySize;
  if (!reader.ReadBytes(directory_size, &head->directory) || !SkipPadding(&reader)) return too_short;
  head->head_size = reader.position();
  size_t left = blob_size - head->head_size;
  for (size_t at = 0; at < directory_size; at += kSegmentEntrySize) {
    const uint32_t size = LoadLe32(head->directory.data + at);
    if (size == 0 || size > left) return CoreStatus::kBadBlob;
    left -= size;
  }
  return left == 0 ? CoreStatus::kOk : CoreStatus::kBadBlob;
}

CoreStatus FirstSegment(const BlobHead& head, size_t blob_size, SegmentPlace* place) {
  if (head.segment_count == 0) return CoreStatus::kBadArgument;
  place->offset = head.head_size;
  place->size = head.has_directory ? LoadLe32(head.directory.data) : blob_size - head.head_size;
  place->checksum32 = head.has_directory ? LoadLe32(head.directory.data + 4) : 0;
  return CoreStatus::kOk;
}

CoreStatus NextSegment(const BlobHead& head, size_t segment, SegmentPlace* place) {
  if (segment == 0 || segment >= head.segment_count) return CoreStatus::kBadArgument;
  const uint8_t* const entry = head.directory.data + segment * kSegmentEntrySize;
  place->offset += place->size;
  place->size = LoadLe32(entry);
  place->checksum32 = LoadLe32(entry + 4);
  return CoreStatus::kOk;
}

}  // namespace modelvault
