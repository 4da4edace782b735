// Finds things in a vault: the header, a base chunk, a variant's entry, the head of a variant's blob (docs/format.md
// §2, §5 to §7). Works on bytes in memory (the board's flash, a host's buffers), which must outlive every view of them,
// and believes nothing: what it hands out lies inside the file. It does not read the sections' bytes, so their
// checksums are the caller's to compare. Core code: built unchanged for host and board.
#ifndef MODELVAULT_VAULT_CORE_VAULT_VIEW_H_
#define MODELVAULT_VAULT_CORE_VAULT_VIEW_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "codec/core/layout_view.h"
#include "vault/format.h"

namespace modelvault {

// checksum32 of docs/format.md.
uint32_t Checksum32(ByteView bytes);

struct SectionPlace {
  size_t offset = 0;  // In the file.
  size_t size = 0;
  uint64_t checksum = 0;

  size_t end() const { return offset + size; }
};

struct VaultHeader {
  uint32_t features = 0;
  size_t file_size = 0;
  uint32_t chunk_size = 0;
  uint32_t segment_size = 0;
  size_t base_data_size = 0;
  uint8_t base_xxh3[16] = {};
  uint64_t base_xxh64 = 0;
  uint32_t tensor_count = 0;
  uint32_t variant_count = 0;
  // The most tensors that a variant with a free layout has, so that a reader knows its memory before it looks at one: 1
  // … kMaxFreeLayoutTensors with kFeatureFreeLayouts, else 0.
  uint32_t max_variant_tensors = 0;
  SectionPlace sections[kSectionCount];

  const SectionPlace& section(Section s) const { return sections[static_cast<size_t>(s)]; }
  SectionPlace& section(Section s) { return sections[static_cast<size_t>(s)]; }
  // The lowest that has the features.
  uint16_t version_minor() const {
    return (features & kFeatureHostCodings) != 0       ? 5
           : (features & kFeatureSignature) != 0       ? 4
           : (features & kFeatureDescribedFrames) != 0 ? 3
           : (features & kFeatureNetwork) != 0         ? 2
           : (features & kFeatureFreeLayouts) != 0     ? 1
                                                       : 0;
  }
  bool has(Section s) const { return SectionFeature(s) == 0 || (features & SectionFeature(s)) != 0; }
  bool has_network() const { return has(Section::kNetwork); }
  bool has_signature() const { return has(Section::kSignature); }
  // Base chunks and segments are blocks (docs/format.md §16).
  bool has_host_codings() const { return (features & kFeatureHostCodings) != 0; }
  // Where the first blob may begin, before alignment.
  size_t blobs_begin() const { return section(has_network() ? Section::kNetwork : Section::kBase).end(); }
  size_t chunk_count() const { return base_data_size / chunk_size + (base_data_size % chunk_size != 0 ? 1 : 0); }
  // Raw bytes of base chunk `chunk` < chunk_count().
  uint32_t chunk_raw_size(size_t chunk) const {
    const size_t left = base_data_size - chunk * chunk_size;
    return left < chunk_size ? static_cast<uint32_t>(left) : chunk_size;
  }
  size_t chunk_entry_size() const {
    return (features & kFeatureWideChunks) != 0 ? kWideChunkEntrySize : kNarrowChunkEntrySize;
  }
  size_t index_entry_size() const {
    return (features & kFeatureWideIndex) != 0 ? kWideIndexEntrySize : kNarrowIndexEntrySize;
  }
};

// Parses the first kHeaderSize bytes of a vault and checks all that can be checked without the rest of it. The vault
// must lie within `storage_size` bytes; a file's reader also checks that file_size is no less than that, but a flash
// partition may be larger. A vault with one of the features `refused` is like one with an unknown feature. On failure
// `*bad_field`, if wanted, is the offset of the field at fault and `*header` is undefined. What is left to the parser
// of MODEL: that base_data_size and tensor_count are its own.
[[nodiscard]] CoreStatus ParseHeader(ByteView bytes, uint64_t storage_size, VaultHeader* header,
                                     uint32_t* bad_field = nullptr, uint32_t refused = kHostOnlyFeatures);

// A base chunk's stored bytes.
struct ChunkPlace {
  size_t offset = 0;  // In the BASE section.
  size_t size = 0;    // At least 1.
  uint32_t checksum32 = 0;
};

// Looks up base chunk `chunk` in the bytes of CHUNKS. kBadArgument: no such chunk, or `chunks` is not of the header's
// size.
[[nodiscard]] CoreStatus FindChunk(const VaultHeader& header, ByteView chunks, size_t chunk, ChunkPlace* place);

// What may be wrong with a variant's name.
enum class NameFault : uint8_t {
  kNone = 0,
  kEmpty = 1,
  kTooLong = 2,
  kReserved = 3,      // ".", ".." or "base"
  kLeadingDash = 4,   // looks like an option
  kBadCharacter = 5,  // '/', '\' or a control character
  kNotUtf8 = 6,
};
NameFault CheckVariantName(ByteView name);

// A variant's row of INDEX.
struct VariantEntry {
  uint32_t name_hash = 0;
  uint32_t checksum32 = 0;
  size_t offset = 0;  // Of the blob, in the file; 0 for an empty one.
  size_t size = 0;
  uint64_t xxh64 = 0;
  uint8_t xxh3[16] = {};
  ByteView name;
};

class IndexView {
 public:
  // Where an enumeration stands.
  struct Cursor {
    uint32_t next = 0;
    size_t name_offset = 0;
  };

  // `index` is all of INDEX. kBadIndex if it cannot hold the header's variants.
  [[nodiscard]] CoreStatus Open(const VaultHeader& header, ByteView index);

  uint32_t count() const { return count_; }
  Cursor Begin() const { return {0, static_cast<size_t>(count_) * entry_size_}; }

  // Gives the entry under `*cursor` and steps on. kNotFound after the last one.
  [[nodiscard]] CoreStatus Next(Cursor* cursor, VariantEntry* entry) const;

  // Gives the entry named `name`, or kNotFound. A binary search by hash; one pass over the names before it.
  [[nodiscard]] CoreStatus Find(ByteView name, VariantEntry* entry) const;

  // Checks every entry: places, hashes, names, order (hence no name twice), and that nothing follows. That blobs do not
  // overlap is left to hosts: it needs a second order, and a blob read from another's bytes fails its checksum or
  // digest. On failure `*bad_entry`, if wanted, is the entry at fault.
  [[nodiscard]] CoreStatus Validate(uint32_t* bad_entry = nullptr) const;

 private:
  CoreStatus Load(uint32_t i, VariantEntry* entry) const;

  ByteView index_;
  uint32_t count_ = 0;
  size_t entry_size_ = kNarrowIndexEntrySize;
  size_t blobs_begin_ = 0;
  size_t blobs_end_ = 0;
};

// The head of a variant's blob: all before its first segment.
struct BlobHead {
  LayoutView layout;  // Its structure is checked, its meaning is not (VariantLayout).
  bool has_directory = false;
  ByteView directory;        // With has_directory: kSegmentEntrySize bytes a segment.
  size_t segment_count = 0;  // 0 only for an empty blob, or with a layout that leaves nothing to code.
  // Offset of the first segment in the blob; what checksum32 covers where there is a directory.
  size_t head_size = 0;
};

// Parses the head of a blob of `blob_size` bytes that begins with `bytes` (the blob itself, or as much of it as is at
// hand), in a vault with this header. kTruncated: it takes more bytes, though the blob has them. kBadBlob: malformed,
// or the segments do not fill the blob.
[[nodiscard]] CoreStatus ParseBlobHead(ByteView bytes, size_t blob_size, const VaultHeader& header, BlobHead* head);

// A segment's stored bytes.
struct SegmentPlace {
  size_t offset = 0;  // In the blob.
  size_t size = 0;    // At least 1.
  uint32_t checksum32 = 0;
};

// The first segment of a blob with segments; and the one after `*place`, which was segment `segment` - 1. Where there
// is no directory, the one segment's checksum32 is the index entry's and covers the head, too: it is left 0 here.
[[nodiscard]] CoreStatus FirstSegment(const BlobHead& head, size_t blob_size, SegmentPlace* place);
[[nodiscard]] CoreStatus NextSegment(const BlobHead& head, size_t segment, SegmentPlace* place);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_CORE_VAULT_VIEW_H_
