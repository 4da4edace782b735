#include "vault/section_encoder.h"

#include <cstring>
#include <functional>
#include <tuple>

#include "codec/core/xxh64.h"
#include "codec/varint.h"

namespace modelvault {
namespace {

uint32_t NameHash(const std::string& name) { return Checksum32(ToByteView(name)); }

uint8_t* Begin(std::string* bytes) { return reinterpret_cast<uint8_t*>(bytes->data()); }

}  // namespace

std::string EncodeHeader(const VaultHeader& header) {
  std::string bytes(kHeaderSize, '\0');
  uint8_t* const p = Begin(&bytes);
  std::memcpy(p + kMagicField.offset, kVaultMagic, sizeof(kVaultMagic));
  StoreLe16(p + kVersionMajorField.offset, kVersionMajor);
  StoreLe16(p + kVersionMinorField.offset, header.version_minor());
  StoreLe32(p + kFeaturesField.offset, header.features);
  StoreLe64(p + kFileSizeField.offset, header.file_size);
  StoreLe32(p + kChunkSizeField.offset, header.chunk_size);
  StoreLe32(p + kSegmentSizeField.offset, header.segment_size);
  StoreLe64(p + kBaseDataSizeField.offset, header.base_data_size);
  std::memcpy(p + kBaseXxh3Field.offset, header.base_xxh3, kBaseXxh3Field.size);
  StoreLe64(p + kBaseXxh64Field.offset, header.base_xxh64);
  StoreLe32(p + kTensorCountField.offset, header.tensor_count);
  StoreLe32(p + kVariantCountField.offset, header.variant_count);
  StoreLe32(p + kMaxVariantTensorsField.offset, header.max_variant_tensors);
  for (size_t i = 0; i < kSectionCount; ++i) {
    uint8_t* const entry = p + SectionEntryOffset(static_cast<Section>(i));
    StoreLe64(entry + kSectionOffsetField.offset, header.sections[i].offset);
    StoreLe64(entry + kSectionSizeField.offset, header.sections[i].size);
    StoreLe64(entry + kSectionChecksumField.offset, header.sections[i].checksum);
  }
  StoreLe64(p + kHeaderChecksumField.offset, Xxh64::Of({p, kHeaderChecksumField.offset}));
  return bytes;
}

std::string EncodeChunks(absl::Span<const ChunkPlace> chunks, bool wide) {
  const size_t entry_size = wide ? kWideChunkEntrySize : kNarrowChunkEntrySize;
  std::string bytes(chunks.size() * entry_size, '\0');
  uint8_t* p = Begin(&bytes);
  for (const ChunkPlace& chunk : chunks) {
    if (wide) {
      StoreLe64(p, chunk.offset);
    } else {
      StoreLe32(p, static_cast<uint32_t>(chunk.offset));
    }
    StoreLe32(p + entry_size - sizeof(uint32_t), chunk.checksum32);
    p += entry_size;
  }
  return bytes;
}

bool IndexOrder(const VaultVariant& a, const VaultVariant& b) {
  // std::string compares bytes as unsigned, like the format.
  const std::string& a_name = a.index_name();
  const std::string& b_name = b.index_name();
  return std::make_tuple(NameHash(a_name), std::cref(a_name)) < std::make_tuple(NameHash(b_name), std::cref(b_name));
}

std::string EncodeIndex(absl::Span<const VaultVariant> variants, bool wide) {
  const size_t entry_size = wide ? kWideIndexEntrySize : kNarrowIndexEntrySize;
  std::string bytes(variants.size() * entry_size, '\0');
  uint8_t* p = Begin(&bytes);
  for (const VaultVariant& variant : variants) {
    StoreLe32(p + kEntryNameHashField.offset, NameHash(variant.index_name()));
    StoreLe32(p + kEntryChecksumField.offset, variant.checksum32);
    if (wide) {
      StoreLe64(p + kWideEntryOffsetField.offset, variant.offset);
      StoreLe64(p + kWideEntrySizeField.offset, variant.stored_size);
    } else {
      StoreLe32(p + kNarrowEntryOffsetField.offset, static_cast<uint32_t>(variant.offset));
      StoreLe32(p + kNarrowEntrySizeField.offset, static_cast<uint32_t>(variant.stored_size));
    }
    uint8_t* const digests = p + (wide ? kWideEntryXxh64Field : kNarrowEntryXxh64Field).offset;
    if (variant.sealed.has_value()) {
      std::memcpy(digests, variant.sealed->salt.data(), variant.sealed->salt.size());
    } else {
      StoreLe64(digests, variant.digests.xxh64);
      std::memcpy(digests + sizeof(uint64_t), variant.digests.xxh3.data(), variant.digests.xxh3.size());
    }
    p += entry_size;
  }
  for (const VaultVariant& variant : variants) {
    bytes.push_back(static_cast<char>(variant.index_name().size()));
    bytes += variant.index_name();
  }
  return bytes;
}

std::string EncodeBlobHead(const StoredLayout& layout, absl::Span<const SegmentEntry> segments) {
  unsigned flags = 0;
  if (layout.form == LayoutForm::kEachOnce) flags |= kBlobOwnLayout;
  if (layout.form == LayoutForm::kFree) flags |= kBlobFreeLayout;
  if (!segments.empty()) flags |= kBlobDirectory;
  std::string bytes(1, static_cast<char>(flags));
  if (layout.form == LayoutForm::kFree) AppendVarint(&bytes, layout.tensor_count);
  bytes += layout.bytes;
  if (!segments.empty()) AppendVarint(&bytes, segments.size());
  const size_t directory = bytes.size();
  bytes.resize(directory + segments.size() * kSegmentEntrySize);
  uint8_t* p = Begin(&bytes) + directory;
  for (const SegmentEntry& segment : segments) {
    StoreLe32(p, segment.size);
    StoreLe32(p + 4, segment.checksum32);
    p += kSegmentEntrySize;
  }
  if (bytes.size() % 2 != 0) bytes.push_back(0);  // Streams begin at even bytes.
  return bytes;
}

}  // namespace modelvault
