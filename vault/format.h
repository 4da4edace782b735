// Constants of the container (docs/format.md §2, §5 to §8, §12 to §14): where things are, how large they may be, which
// versions there are. Frozen with the format version: these bytes are in files already written. What the coded bytes
// look like is in codec/core/codec_format.h, what NETWORK holds in restore/infer. C headers only: the core uses this,
// too.
#ifndef MODELVAULT_VAULT_FORMAT_H_
#define MODELVAULT_VAULT_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

namespace modelvault {

// A field of a fixed structure, in bytes.
struct FieldPlace {
  uint32_t offset;
  uint32_t size;
};

// The line endings tell of transfers in text mode.
inline constexpr uint8_t kVaultMagic[8] = {'M', 'V', 'L', 'T', '\r', '\n', 0x1A, '\n'};
inline constexpr uint16_t kVersionMajor = 1;
inline constexpr uint16_t kVersionMinor = 5;  // The newest that is known; written is the lowest that will do.

// Header features. A reader refuses what it does not know.
inline constexpr uint32_t kFeatureWideChunks = 1;
inline constexpr uint32_t kFeatureWideIndex = 2;
inline constexpr uint32_t kFeatureFreeLayouts = 4;       // From version 1.1.
inline constexpr uint32_t kFeatureNetwork = 8;           // From version 1.2.
inline constexpr uint32_t kFeatureDescribedFrames = 16;  // From version 1.3.
inline constexpr uint32_t kFeatureSignature = 32;        // From version 1.4.
inline constexpr uint32_t kFeatureTenants = 64;          // From version 1.4, with kFeatureSignature.
inline constexpr uint32_t kFeatureHostCodings = 128;     // From version 1.5, never with kFeatureNetwork.
// What boards have no decoders for, and so do not know.
inline constexpr uint32_t kHostOnlyFeatures = kFeatureHostCodings;
// The features that a vault of version 1.`minor` may have. No later version brings anything without a feature.
constexpr uint32_t KnownFeatures(uint16_t minor) {
  return kFeatureWideChunks | kFeatureWideIndex | (minor >= 1 ? kFeatureFreeLayouts : 0) |
         (minor >= 2 ? kFeatureNetwork : 0) | (minor >= 3 ? kFeatureDescribedFrames : 0) |
         (minor >= 4 ? kFeatureSignature | kFeatureTenants : 0) | (minor >= 5 ? kFeatureHostCodings : 0);
}

// Sections and blobs start at multiples of this.
inline constexpr uint64_t kAlignment = 4;
constexpr uint64_t AlignUp(uint64_t offset) { return (offset + (kAlignment - 1)) & ~(kAlignment - 1); }

// The header.
inline constexpr size_t kHeaderSize = 256;
inline constexpr FieldPlace kMagicField{0, 8};
inline constexpr FieldPlace kVersionMajorField{8, 2};
inline constexpr FieldPlace kVersionMinorField{10, 2};
inline constexpr FieldPlace kFeaturesField{12, 4};
inline constexpr FieldPlace kFileSizeField{16, 8};
inline constexpr FieldPlace kChunkSizeField{24, 4};
inline constexpr FieldPlace kSegmentSizeField{28, 4};
inline constexpr FieldPlace kBaseDataSizeField{32, 8};
inline constexpr FieldPlace kBaseXxh3Field{40, 16};
inline constexpr FieldPlace kBaseXxh64Field{56, 8};
inline constexpr FieldPlace kTensorCountField{64, 4};
inline constexpr FieldPlace kVariantCountField{68, 4};
inline constexpr FieldPlace kSectionsField{72, 144};
inline constexpr FieldPlace kMaxVariantTensorsField{216, 4};
inline constexpr FieldPlace kNetworkField{220, 24};
inline constexpr FieldPlace kReservedField{244, 4};
inline constexpr FieldPlace kHeaderChecksumField{248, 8};

// Sections. The first six are in the order of the header's table; kNetwork has an entry of its own.
enum class Section : uint8_t {
  kModel = 0,
  kChunks = 1,
  kBase = 2,
  kIndex = 3,
  kManifest = 4,
  kSignature = 5,
  kNetwork = 6,
};
inline constexpr size_t kSectionCount = 7;
// Those that a vault may have, in the order of the file.
inline constexpr Section kSectionsInFile[] = {Section::kModel,    Section::kChunks, Section::kBase,
                                              Section::kNetwork,  Section::kIndex,  Section::kManifest,
                                              Section::kSignature};
// The feature that a vault with this section has; 0: every vault has it.
constexpr uint32_t SectionFeature(Section section) {
  return section == Section::kNetwork ? kFeatureNetwork : section == Section::kSignature ? kFeatureSignature : 0;
}
// A section's entry.
inline constexpr size_t kSectionEntrySize = 24;
inline constexpr FieldPlace kSectionOffsetField{0, 8};
inline constexpr FieldPlace kSectionSizeField{8, 8};
inline constexpr FieldPlace kSectionChecksumField{16, 8};
static_assert((kSectionCount - 1) * kSectionEntrySize == kSectionsField.size);
static_assert(kSectionEntrySize == kNetworkField.size);
// Where in the header it is.
constexpr uint32_t SectionEntryOffset(Section section) {
  return section == Section::kNetwork
             ? kNetworkField.offset
             : kSectionsField.offset + static_cast<uint32_t>(section) * static_cast<uint32_t>(kSectionEntrySize);
}

// Limits of the header's fields.
inline constexpr uint32_t kMinChunkSize = 256;
inline constexpr uint32_t kMaxChunkSize = 1u << 24;
inline constexpr uint32_t kMinSegmentSize = 4096;
inline constexpr uint32_t kMaxSegmentSize = 1u << 24;
inline constexpr uint32_t kSizeGranularity = 256;  // Both sizes are multiples of it.

// CHUNKS.
inline constexpr size_t kNarrowChunkEntrySize = 8;
inline constexpr size_t kWideChunkEntrySize = 12;
// Bases of at least this size get the wide directory: smaller ones surely code to less than 2^32 bytes.
inline constexpr uint64_t kWideChunksFrom = uint64_t{1} << 31;

// INDEX. An index that begins beyond this is wide; up to it every blob's place and size fit 32 bits.
inline constexpr uint64_t kMaxNarrowIndexOffset = 0xFFFFFFFFu;
inline constexpr size_t kNarrowIndexEntrySize = 40;
inline constexpr size_t kWideIndexEntrySize = 48;
inline constexpr FieldPlace kEntryNameHashField{0, 4};
inline constexpr FieldPlace kEntryChecksumField{4, 4};
inline constexpr FieldPlace kNarrowEntryOffsetField{8, 4};
inline constexpr FieldPlace kNarrowEntrySizeField{12, 4};
inline constexpr FieldPlace kNarrowEntryXxh64Field{16, 8};
inline constexpr FieldPlace kNarrowEntryXxh3Field{24, 16};
inline constexpr FieldPlace kWideEntryOffsetField{8, 8};
inline constexpr FieldPlace kWideEntrySizeField{16, 8};
inline constexpr FieldPlace kWideEntryXxh64Field{24, 8};
inline constexpr FieldPlace kWideEntryXxh3Field{32, 16};
// A salt takes the place of both digests (kSealSaltSize).
static_assert(kNarrowEntryXxh64Field.offset + kNarrowEntryXxh64Field.size == kNarrowEntryXxh3Field.offset);
static_assert(kWideEntryXxh64Field.offset + kWideEntryXxh64Field.size == kWideEntryXxh3Field.offset);
inline constexpr size_t kMaxVariantNameSize = 255;
inline constexpr char kReservedVariantName[] = "base";

// Variant blobs.
inline constexpr uint8_t kBlobOwnLayout = 1;
inline constexpr uint8_t kBlobDirectory = 2;
inline constexpr uint8_t kBlobFreeLayout = 4;
inline constexpr uint8_t kKnownBlobFlags = kBlobOwnLayout | kBlobDirectory | kBlobFreeLayout;
// Of a variant with a free layout. Others have as many as the base.
inline constexpr uint32_t kMaxFreeLayoutTensors = 1u << 20;
inline constexpr size_t kSegmentEntrySize = 8;

// MANIFEST expands to at most this many times its stored size, and some.
inline constexpr uint64_t kMaxManifestRatio = 256;
inline constexpr uint64_t kMaxManifestExtra = uint64_t{1} << 20;

// A frame that describes itself begins with these bytes and `u32` the size of its description. No frame without them
// does: as a safetensors header's length they would be more than there are bytes.
inline constexpr uint8_t kFrameMagic[8] = {'M', 'V', 'F', 'R', 'A', 'M', 'E', 1};
inline constexpr FieldPlace kDescriptionSizeField{8, 4};
inline constexpr size_t kFrameHeadSize = 12;

// SIGNATURE. Fields of its head.
inline constexpr size_t kSignatureHeadSize = 96;
inline constexpr FieldPlace kVaultIdField{0, 16};
inline constexpr FieldPlace kVaultVersionField{16, 8};
inline constexpr FieldPlace kNotBeforeField{24, 8};
inline constexpr FieldPlace kNotAfterField{32, 8};
inline constexpr FieldPlace kObjectsDigestField{40, 32};
inline constexpr FieldPlace kKeySetsSizeField{72, 4};
inline constexpr FieldPlace kTenantsSizeField{76, 4};
inline constexpr FieldPlace kKeySetCountField{80, 2};
inline constexpr FieldPlace kTenantCountField{82, 2};
inline constexpr FieldPlace kTileLog2Field{84, 1};
inline constexpr FieldPlace kSignatureReservedField{85, 11};
inline constexpr uint32_t kMaxKeySets = 16;
inline constexpr uint32_t kMaxKeys = 16;  // Of a key set.
inline constexpr uint32_t kMaxTenants = 256;
inline constexpr uint8_t kMinTileLog2 = 12;
inline constexpr uint8_t kMaxTileLog2 = 24;
// A key set before its keys.
inline constexpr size_t kKeySetHeadSize = 8;
inline constexpr FieldPlace kKeySetNumberField{0, 4};
inline constexpr FieldPlace kKeySetThresholdField{4, 1};
inline constexpr FieldPlace kKeySetKeyCountField{5, 1};
inline constexpr FieldPlace kKeySetZeroField{6, 2};
// A tenant before its prefix, and one of its groups.
inline constexpr size_t kTenantHeadSize = 44;
inline constexpr FieldPlace kTenantFlagsField{0, 1};
inline constexpr FieldPlace kTenantPrefixSizeField{1, 1};
inline constexpr FieldPlace kTenantGroupCountField{2, 1};
inline constexpr FieldPlace kTenantZeroField{3, 1};
inline constexpr FieldPlace kTenantKeyField{4, 32};
inline constexpr FieldPlace kTenantContentIdField{36, 8};
inline constexpr uint8_t kTenantSealed = 1;
inline constexpr uint32_t kMaxTenantPrefixSize = 64;
inline constexpr uint32_t kMaxTenantGroups = 16;
inline constexpr size_t kTenantGroupIdSize = 8;
inline constexpr size_t kTenantGroupSize = 88;
// A sealed variant's name in INDEX, after the prefix: a mark, and digits of a digest.
inline constexpr char kSealedMark = '~';
inline constexpr size_t kSealedNameDigits = 16;
inline constexpr size_t kSealedNameSize = 1 + kSealedNameDigits;
// In its entry, in the place of both digests; what is encrypted begins with these, and a tag follows it.
inline constexpr size_t kSealSaltSize = 24;
inline constexpr size_t kSealedDigestsSize = 24;
// What messages and digests begin with: a text, and zeros up to this.
inline constexpr size_t kLabelSize = 16;
// The sections come before the blobs in the list of objects.
inline constexpr size_t kSectionObjectCount = 6;

// A revocation list, a file of its own: fields of its head, then entries and signatures.
inline constexpr uint8_t kRevocationMagic[8] = {'M', 'V', 'R', 'E', 'V', 'O', 'K', 1};
inline constexpr size_t kRevocationHeadSize = 72;
inline constexpr FieldPlace kRevocationMagicField{0, 8};
inline constexpr FieldPlace kRevocationVaultIdField{8, 16};
inline constexpr FieldPlace kRevocationNumberField{24, 8};
inline constexpr FieldPlace kRevocationCountField{32, 4};
inline constexpr FieldPlace kRevocationSignatureCountField{36, 4};
inline constexpr FieldPlace kRevocationKeySetField{40, 32};
inline constexpr size_t kRevocationEntrySize = 44;
inline constexpr FieldPlace kRevocationKindField{0, 4};
inline constexpr FieldPlace kRevocationBelowField{4, 8};
inline constexpr FieldPlace kRevocationWhatField{12, 32};
// One sector of a board's flash holds it.
inline constexpr size_t kMaxRevocationListSize = 4096;
inline constexpr uint32_t kMaxRevocations = 90;
// Revoked whatever the version.
inline constexpr uint64_t kBelowEveryVersion = ~uint64_t{0};
// What an entry revokes. Others: refuse the list.
enum class RevocationKind : uint32_t { kVariant = 1, kTenant = 2 };

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_FORMAT_H_
