#include "vault/vault_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "codec/core/xxh64.h"
#include "vault/error_place.h"
#include "vault/file_kind.h"
#include "vault/near_name.h"
#include "vault/section_encoder.h"
#include "vault/stream_checksum.h"

namespace modelvault {
namespace {

constexpr size_t kReadSize = 256 * 1024;
// Covers MODEL and CHUNKS of all but large models. A part of BASE comes with them: reading that costs next to nothing.
constexpr uint64_t kFrontReadSize = 64 * 1024;
// Most heads are a few bytes, and small blobs come whole.
constexpr uint64_t kFirstHeadRead = 16 * 1024;

constexpr const char* kSectionNames[kSectionCount] = {"MODEL",    "CHUNKS",    "BASE",   "INDEX",
                                                      "MANIFEST", "SIGNATURE", "NETWORK"};

const char* SectionName(Section section) { return kSectionNames[static_cast<size_t>(section)]; }

std::string HexOffset(uint64_t offset) { return absl::StrCat("0x", absl::Hex(offset)); }

std::string Mismatch64(uint64_t stored, uint64_t computed) {
  return absl::StrCat("checksum mismatch, stored 0x", absl::Hex(stored, absl::kZeroPad16), ", computed 0x",
                      absl::Hex(computed, absl::kZeroPad16));
}

std::string Mismatch32(uint32_t stored, uint32_t computed) {
  return absl::StrCat("checksum mismatch, stored 0x", absl::Hex(stored, absl::kZeroPad8), ", computed 0x",
                      absl::Hex(computed, absl::kZeroPad8));
}

template <typename... Args>
absl::Status Damaged(const std::string& path, const Args&... args) {
  return absl::DataLossError(absl::StrCat(path, ": ", args...));
}

// The same at one place of the file.
template <typename... Args>
absl::Status DamagedAt(uint64_t offset, const std::string& path, const Args&... args) {
  return AtFileOffset(Damaged(path, args...), offset);
}

// What the header field at `offset`, which is out of its range, should hold and does.
std::string BadHeaderField(uint32_t offset, ByteView bytes) {
  const uint8_t* const field = bytes.data + offset;
  const auto size = [&](const char* name, uint32_t least, uint32_t most) {
    return absl::StrCat(name, ": expected ", least, " to ", most, ", a multiple of ", kSizeGranularity, ", found ",
                        LoadLe32(field));
  };
  switch (offset) {
    case kFeaturesField.offset:
      return (LoadLe32(field) & kFeatureHostCodings) != 0 ? "features: host codings, and a network, which is for boards"
                                                          : "features: tenants, but no SIGNATURE to say who they are";
    case kChunkSizeField.offset:
      return size("chunk size", kMinChunkSize, kMaxChunkSize);
    case kSegmentSizeField.offset:
      return size("segment size", kMinSegmentSize, kMaxSegmentSize);
    case kBaseDataSizeField.offset:
      return absl::StrCat("size of the base's data: expected at most ", kMaxDataSize, ", found ", LoadLe64(field));
    case kMaxVariantTensorsField.offset: {
      const bool free = (LoadLe32(bytes.data + kFeaturesField.offset) & kFeatureFreeLayouts) != 0;
      return absl::StrCat("most tensors of a variant with a layout of its own: expected ",
                          free ? absl::StrCat("1 to ", kMaxFreeLayoutTensors) : "0, without such variants", ", found ",
                          LoadLe32(field));
    }
    case kReservedField.offset:
      return "reserved bytes: expected zeros";
    case kNetworkField.offset:
      return "section NETWORK of a vault that has none: expected zeros";
    default:
      return "section SIGNATURE: expected zeros";
  }
}

// A core error about the header, with what a user can do something about spelled out.
absl::Status HeaderError(const std::string& path, CoreStatus status, uint32_t bad_field, ByteView bytes,
                         uint64_t file_size) {
  switch (status) {
    case CoreStatus::kUnknownVersion:
      if (bad_field == kFeaturesField.offset) {
        const uint16_t minor = LoadLe16(bytes.data + kVersionMinorField.offset);
        return absl::UnimplementedError(absl::StrCat(
            path, ": the vault needs features 0x", absl::Hex(LoadLe32(bytes.data + kFeaturesField.offset)),
            ", this program knows 0x", absl::Hex(KnownFeatures(minor)), " in format ", kVersionMajor, ".", minor));
      }
      return absl::UnimplementedError(absl::StrCat(
          path, ": vault format ", LoadLe16(bytes.data + kVersionMajorField.offset), ".",
          LoadLe16(bytes.data + kVersionMinorField.offset), ", this program reads ", kVersionMajor, ".0 and later"));
    case CoreStatus::kTruncated:
      if (bad_field != kFileSizeField.offset) {
        return Damaged(path, "truncated: a vault has at least ", kHeaderSize, " bytes, this file has ", file_size);
      }
      return Damaged(path, "truncated: the header at offset ", kFileSizeField.offset, " says ",
                     LoadLe64(bytes.data + kFileSizeField.offset), " bytes, the file has ", file_size);
    case CoreStatus::kChecksumMismatch:
      return Damaged(path, "header at offset ", kHeaderChecksumField.offset, ": ",
                     Mismatch64(LoadLe64(bytes.data + kHeaderChecksumField.offset),
                                Xxh64::Of({bytes.data, kHeaderChecksumField.offset})));
    case CoreStatus::kBadSection:
      for (const Section section : kSectionsInFile) {
        if (bad_field != SectionEntryOffset(section)) continue;
        const uint8_t* const entry = bytes.data + bad_field;
        return Damaged(path, "header at offset ", bad_field, ": section ", SectionName(section), " of ",
                       LoadLe64(entry + kSectionSizeField.offset), " bytes at offset ",
                       LoadLe64(entry + kSectionOffsetField.offset), " is out of place or of the wrong size");
      }
      return Damaged(path, "header at offset ", bad_field, ": the last section does not end with the file's ",
                     LoadLe64(bytes.data + kFileSizeField.offset), " bytes");
    case CoreStatus::kBadHeader:
      return Damaged(path, "header at offset ", bad_field, ": ", BadHeaderField(bad_field, bytes));
    default:
      return Damaged(path, "header at offset ", bad_field, ": ", CoreStatusName(status));
  }
}

// Whether a file begins with other bytes than a vault, as far as it goes.
bool IsForeign(ByteView head) {
  return !std::equal(head.data, head.data + std::min(head.size, sizeof(kVaultMagic)), kVaultMagic);
}

absl::Status ForeignFile(const RandomAccessFile& file) {
  std::vector<uint8_t> head(static_cast<size_t>(std::min<uint64_t>(file.size(), kFileKindSize)));
  if (absl::Status status = file.ReadAt(0, absl::MakeSpan(head)); !status.ok()) return status;
  // The mark of a vault has line ends of both kinds, so that this is seen.
  constexpr size_t kLetters = 4;
  if (head.size() >= kLetters && std::equal(head.begin(), head.begin() + kLetters, kVaultMagic)) {
    return Damaged(file.path(), "a vault whose line ends were changed, as a transfer of text does: copy it as binary");
  }
  return Damaged(file.path(), "not a vault: it is ", DescribeFileKind(head));
}

}  // namespace

absl::StatusOr<std::unique_ptr<VaultReader>> VaultReader::Open(FileSystem& file_system, absl::string_view path,
                                                               const VaultReaderOptions& options) {
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenVault(path);
  if (!file.ok()) return file.status();
  return FromFile(*std::move(file), options);
}

absl::StatusOr<std::unique_ptr<VaultReader>> VaultReader::FromFile(std::unique_ptr<RandomAccessFile> file,
                                                                   const VaultReaderOptions& options) {
  std::unique_ptr<VaultReader> reader(new VaultReader(std::move(file)));
  if (absl::Status status = reader->Load(options); !status.ok()) return status;
  return reader;
}

absl::Status VaultReader::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  const RandomAccessFile& file = proven_ != nullptr ? *proven_ : *file_;
  return AtFileOffset(file.ReadAt(offset, out), offset);
}

absl::Status VaultReader::Load(const VaultReaderOptions& options) {
  ReadWindow window(file_.get());
  if (absl::Status status = window.Load(0, kFrontReadSize); !status.ok()) return status;
  if (absl::Status status = LoadHeader(window); !status.ok()) return status;
  AnnounceLists(options);
  // Neither part of the file is read twice.
  ReadWindow end = window;
  if (header_.has_signature()) {
    absl::Status read = end.Load(header_.section(Section::kIndex).offset, header_.file_size);
    if (!read.ok()) return read;
  }
  // SIGNATURE proves all that follows.
  if (absl::Status status = LoadSignature(end, options); !status.ok()) return status;
  if (absl::Status status = LoadSection(window, Section::kModel, &model_); !status.ok()) return status;
  if (absl::Status status = LoadChunks(window); !status.ok()) return status;
  if (options.network) {
    if (absl::Status status = LoadSection(window, Section::kNetwork, &network_); !status.ok()) return status;
  }
  absl::Status end_read = end.Load(header_.section(Section::kIndex).offset, header_.file_size);
  if (!end_read.ok()) return end_read;
  if (absl::Status status = LoadVariants(end); !status.ok()) return status;

  std::vector<uint8_t> manifest;
  if (absl::Status status = LoadSection(end, Section::kManifest, &manifest); !status.ok()) return status;
  absl::StatusOr<FileHeaders> headers = DecodeManifest(manifest);
  if (!headers.ok()) {
    return AtFileOffset(InFile(path(), headers.status()), header_.section(Section::kManifest).offset);
  }
  headers_ = *std::move(headers);
  if (headers_.variants.size() != variants_.size()) {
    return DamagedAt(header_.section(Section::kManifest).offset, path(), "MANIFEST has file headers of ",
                     headers_.variants.size(), " variants, INDEX has ", variants_.size(), " variants");
  }
  return OpenSealed(options.keys);
}

// What opening reads of the file besides its front.
void VaultReader::AnnounceLists(const VaultReaderOptions& options) const {
  std::vector<FileRange> ranges = {{header_.section(Section::kIndex).offset, header_.file_size}};
  for (const Section section : {Section::kModel, Section::kChunks, Section::kNetwork}) {
    if (!header_.has(section) || (section == Section::kNetwork && !options.network)) continue;
    const SectionPlace& place = header_.section(section);
    ranges.push_back({place.offset, place.offset + place.size});
  }
  file_->WillRead(ranges);
}

absl::Status VaultReader::LoadHeader(const ReadWindow& window) {
  std::array<uint8_t, kHeaderSize>& bytes = header_bytes_;
  const size_t size = static_cast<size_t>(std::min<uint64_t>(file_->size(), bytes.size()));
  if (absl::Status status = window.ReadAt(0, absl::MakeSpan(bytes.data(), size)); !status.ok()) return status;
  if (IsForeign({bytes.data(), size})) return ForeignFile(*file_);
  uint32_t bad_field;
  const CoreStatus status = ParseHeader({bytes.data(), size}, file_->size(), &header_, &bad_field, 0);
  if (status != CoreStatus::kOk) {
    return AtFileOffset(HeaderError(path(), status, bad_field, {bytes.data(), size}, file_->size()), bad_field);
  }
  if (header_.file_size != file_->size()) {
    return DamagedAt(kFileSizeField.offset, path(), "extended: the header at offset ", kFileSizeField.offset, " says ",
                     header_.file_size, " bytes, the file has ", file_->size());
  }
  return absl::OkStatus();
}

absl::Status VaultReader::LoadSignature(const ReadWindow& window, const VaultReaderOptions& options) {
  if (!header_.has_signature()) {
    if (!options.trust.has_value()) return absl::OkStatus();
    return absl::PermissionDeniedError(
        absl::StrCat(path(), ": not signed: it has no SIGNATURE, and only a signed vault is taken"));
  }
  if (absl::Status status = LoadSection(window, Section::kSignature, &signature_); !status.ok()) return status;
  uint32_t bad_offset = 0;
  if (ParseSignature(ToByteView(signature_), header_, &root_, &bad_offset) != CoreStatus::kOk) {
    const uint64_t offset = header_.section(Section::kSignature).offset + bad_offset;
    return DamagedAt(offset, path(), "SIGNATURE at offset ", HexOffset(offset), ": malformed");
  }
  if (!options.trust.has_value()) return absl::OkStatus();
  const absl::StatusOr<Digest> proven = CheckRoot(path(), header_bytes(), root_, *options.trust);
  if (!proven.ok()) return AtFileOffset(proven.status(), header_.section(Section::kSignature).offset);
  key_set_digest_ = *proven;
  return absl::OkStatus();
}

absl::Status VaultReader::LoadSection(const ReadWindow& window, Section section, std::vector<uint8_t>* bytes) const {
  const SectionPlace& place = header_.section(section);
  if (!header_.has(section)) return absl::OkStatus();
  bytes->resize(static_cast<size_t>(place.size));
  if (absl::Status status = window.ReadAt(place.offset, absl::MakeSpan(*bytes)); !status.ok()) return status;
  const uint64_t computed = Xxh64::Of(ToByteView(*bytes));
  if (computed != place.checksum) {
    return DamagedAt(place.offset, path(), SectionName(section), " at offset ", HexOffset(place.offset), ": ",
                     Mismatch64(place.checksum, computed));
  }
  if (section == Section::kSignature || !key_set_digest_.has_value()) return absl::OkStatus();
  return ProveNamedObject(path(), root_, {signed_section(section), SectionName(section)}, *bytes);
}

absl::Status VaultReader::LoadChunks(const ReadWindow& window) {
  if (absl::Status status = LoadSection(window, Section::kChunks, &chunks_); !status.ok()) return status;
  for (size_t chunk = 0; chunk < header_.chunk_count(); ++chunk) {
    ChunkPlace place;
    if (FindChunk(header_, ToByteView(chunks_), chunk, &place) != CoreStatus::kOk) {
      const uint64_t entry = header_.section(Section::kChunks).offset + chunk * header_.chunk_entry_size();
      return DamagedAt(entry, path(), "CHUNKS at offset ", HexOffset(entry), ": base chunk ", chunk,
                       " does not lie between its neighbours in BASE");
    }
  }
  return absl::OkStatus();
}

absl::Status VaultReader::LoadVariants(const ReadWindow& window) {
  std::vector<uint8_t> bytes;
  if (absl::Status status = LoadSection(window, Section::kIndex, &bytes); !status.ok()) return status;
  const uint64_t offset = header_.section(Section::kIndex).offset;
  IndexView view;
  uint32_t bad_entry = 0;
  CoreStatus status = view.Open(header_, ToByteView(bytes));
  if (status == CoreStatus::kOk) status = view.Validate(&bad_entry);
  if (status != CoreStatus::kOk) {
    if (bad_entry >= view.count()) {
      return DamagedAt(offset, path(), "INDEX at offset ", HexOffset(offset), ": bytes follow its last name");
    }
    const uint64_t entry = offset + bad_entry * uint64_t{header_.index_entry_size()};
    return DamagedAt(entry, path(), "INDEX at offset ", HexOffset(entry), ": entry ", bad_entry,
                     " has an invalid place, hash, name or order");
  }

  if (absl::Status listed = ListBlobs(view); !listed.ok()) return listed;

  variants_.reserve(view.count());
  IndexView::Cursor cursor = view.Begin();
  VariantEntry entry;
  while (view.Next(&cursor, &entry) == CoreStatus::kOk) {
    VaultVariant& variant = variants_.emplace_back();
    variant.name.assign(reinterpret_cast<const char*>(entry.name.data), entry.name.size);
    variant.offset = entry.offset;
    variant.stored_size = entry.size;
    variant.checksum32 = entry.checksum32;
    variant.digests.xxh64 = entry.xxh64;
    std::memcpy(variant.digests.xxh3.data(), entry.xxh3, sizeof(entry.xxh3));
  }
  index_positions_.resize(variants_.size());
  std::iota(index_positions_.begin(), index_positions_.end(), size_t{0});
  SortVariants();
  if (absl::Status apart = CheckOverlaps(); !apart.ok()) return apart;
  if (!key_set_digest_.has_value()) return absl::OkStatus();
  if (absl::Status s = CheckTenantsSigned(path(), root_, view); !s.ok()) return s;
  absl::StatusOr<std::unique_ptr<ProvenFile>> proven = ProvenFile::Create(*file_, root_, StoredObjects());
  if (!proven.ok()) return proven.status();
  proven_ = *std::move(proven);
  return absl::OkStatus();
}

absl::Status VaultReader::ListBlobs(const IndexView& index) {
  if (!header_.has_signature()) return absl::OkStatus();
  SignedBlobs blobs(root_, header_, index);
  VariantEntry entry;
  SignedObject object;
  CoreStatus status = blobs.Next(&entry, &object);
  for (; status == CoreStatus::kOk; status = blobs.Next(&entry, &object)) blobs_.push_back(object);
  if (status == CoreStatus::kNotFound) return absl::OkStatus();
  const uint64_t offset = header_.section(Section::kSignature).offset;
  return DamagedAt(offset, path(), "SIGNATURE at offset ", HexOffset(offset),
                   ": its digests of tiles are not as many as the blobs have tiles");
}

// What is not read before it is asked for.
std::vector<NamedObject> VaultReader::StoredObjects() const {
  std::vector<NamedObject> objects;
  for (const Section section : {Section::kBase, Section::kNetwork}) {
    objects.push_back({signed_section(section), SectionName(section)});
  }
  for (size_t i = 0; i < variants_.size(); ++i) {
    objects.push_back({blobs_[index_positions_[i]], absl::StrCat("the blob of variant '", variants_[i].name, "'")});
  }
  return objects;
}

absl::Status VaultReader::CheckOverlaps() const {
  std::vector<const VaultVariant*> by_offset;
  by_offset.reserve(variants_.size());
  for (const VaultVariant& variant : variants_) {
    if (variant.stored_size > 0) by_offset.push_back(&variant);
  }
  std::sort(by_offset.begin(), by_offset.end(),
            [](const VaultVariant* a, const VaultVariant* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < by_offset.size(); ++i) {
    const VaultVariant& a = *by_offset[i - 1];
    const VaultVariant& b = *by_offset[i];
    if (b.offset - a.offset < a.stored_size) {
      return DamagedAt(header_.section(Section::kIndex).offset, path(), "INDEX: the blobs of variants '", a.name, "' (",
                       a.stored_size, " bytes at offset ", HexOffset(a.offset), ") and '", b.name, "' (at offset ",
                       HexOffset(b.offset), ") overlap");
    }
  }
  return absl::OkStatus();
}

VaultParams VaultReader::params() const {
  return {.chunk_size = header_.chunk_size,
          .segment_size = header_.segment_size,
          .base_data_size = header_.base_data_size,
          .tensor_count = header_.tensor_count,
          .host_codings = header_.has_host_codings()};
}

ModelDigests VaultReader::base_digests() const {
  ModelDigests digests;
  digests.xxh64 = header_.base_xxh64;
  std::memcpy(digests.xxh3.data(), header_.base_xxh3, sizeof(header_.base_xxh3));
  return digests;
}

bool VaultReader::FindChunkPlace(uint64_t chunk, ChunkPlace* place) const {
  return chunk < header_.chunk_count() &&
         FindChunk(header_, ToByteView(chunks_), static_cast<size_t>(chunk), place) == CoreStatus::kOk;
}

uint64_t VaultReader::base_chunk_stored_size(uint64_t chunk) const {
  ChunkPlace place;
  return FindChunkPlace(chunk, &place) ? place.size : 0;
}

absl::Status VaultReader::ReadBaseChunk(uint64_t chunk, std::vector<uint8_t>* stored) const {
  ChunkPlace place;
  if (!FindChunkPlace(chunk, &place)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path(), ": no base chunk ", chunk, ", there are ", header_.chunk_count()));
  }
  const uint64_t offset = header_.section(Section::kBase).offset + place.offset;
  stored->resize(static_cast<size_t>(place.size));
  if (absl::Status status = ReadAt(offset, absl::MakeSpan(*stored)); !status.ok()) return status;
  const uint32_t computed = StreamChecksum32(header_, *stored);
  if (computed != place.checksum32) {
    return DamagedAt(offset, path(), "base chunk ", chunk, " at offset ", HexOffset(offset), ": ",
                     Mismatch32(place.checksum32, computed));
  }
  return absl::OkStatus();
}

void VaultReader::WillRead(absl::Span<const FileRange> ranges) const {
  const RandomAccessFile& file = proven_ != nullptr ? *proven_ : *file_;
  file.WillRead(ranges);
}

void VaultReader::WillReadAll() const {
  const FileRange all = {0, header_.file_size};
  file_->WillRead({&all, 1});
}

FileRange VaultReader::BaseChunkRange(uint64_t begin, uint64_t end) const {
  ChunkPlace first;
  ChunkPlace last;
  if (begin >= end || !FindChunkPlace(begin, &first) || !FindChunkPlace(end - 1, &last)) return {};
  const uint64_t base = header_.section(Section::kBase).offset;
  return {base + first.offset, base + last.offset + last.size};
}

FileRange VaultReader::StoredRange(const VaultVariant& variant) const {
  return {variant.offset, variant.offset + variant.stored_size};
}

FileRange VaultReader::SegmentRange(const VaultBlob& blob, uint64_t begin, uint64_t end) const {
  // Other blobs are here already.
  if (begin >= end || end > blob.segment_count() || !blob.head_.has_directory || blob.variant_.sealed.has_value()) {
    return {};
  }
  return {blob.variant_.offset + blob.segment_offsets_[static_cast<size_t>(begin)],
          blob.variant_.offset + blob.SegmentEnd(end - 1)};
}

std::vector<const VaultVariant*> VaultReader::VariantsInIndexOrder() const {
  std::vector<const VaultVariant*> variants(variants_.size());
  for (size_t i = 0; i < variants_.size(); ++i) variants[index_positions_[i]] = &variants_[i];
  return variants;
}

absl::StatusOr<size_t> VaultReader::FindPosition(absl::string_view name) const {
  const auto at = std::lower_bound(variants_.begin(), variants_.end(), name,
                                   [](const VaultVariant& v, absl::string_view n) { return v.name < n; });
  if (at == variants_.end() || at->name != name) {
    std::vector<std::string> names;
    for (const VaultVariant& variant : variants_) names.push_back(variant.name);
    return absl::NotFoundError(
        absl::StrCat(path(), ": no variant '", absl::Utf8SafeCHexEscape(name), "'", NearestNameHint(name, names)));
  }
  return static_cast<size_t>(at - variants_.begin());
}

absl::StatusOr<const VaultVariant*> VaultReader::Find(absl::string_view name) const {
  const absl::StatusOr<size_t> position = FindPosition(name);
  if (!position.ok()) return position.status();
  return &variants_[*position];
}

absl::StatusOr<SignedObject> VaultReader::signed_variant(absl::string_view name) const {
  if (!header_.has_signature()) return absl::FailedPreconditionError(absl::StrCat(path(), ": has no SIGNATURE"));
  const absl::StatusOr<size_t> position = FindPosition(name);
  if (!position.ok()) return position.status();
  return blobs_[index_positions_[*position]];
}

absl::StatusOr<SignatureSection> VaultReader::DecodeSigned() const {
  if (!header_.has_signature()) return absl::FailedPreconditionError(absl::StrCat(path(), ": has no SIGNATURE"));
  SignatureSection section = DecodeSignature(root_);
  for (const Section object : kSectionsInFile) {
    if (object != Section::kSignature) section.objects.push_back(DecodeObject(signed_section(object)));
  }
  for (const SignedObject& blob : blobs_) section.objects.push_back(DecodeObject(blob));
  return section;
}

absl::StatusOr<VaultBlob> VaultReader::OpenBlob(const VaultVariant& variant) const {
  const auto error = [&](const auto&... args) {
    return DamagedAt(variant.offset, path(), "variant '", variant.name, "', blob at offset ", HexOffset(variant.offset),
                     ": ", args...);
  };
  if (variant.sealed.has_value()) return OpenSealedVariant(variant);
  VaultBlob blob;
  blob.variant_ = variant;
  blob.size_ = variant.stored_size;
  const size_t stored_size = static_cast<size_t>(variant.stored_size);  // INDEX has been read: it fits.
  CoreStatus status = CoreStatus::kTruncated;
  uint64_t size = std::min(variant.stored_size, kFirstHeadRead);
  for (;;) {
    const size_t have = blob.bytes_.size();
    blob.bytes_.resize(static_cast<size_t>(size));
    if (absl::Status read = ReadAt(variant.offset + have, absl::MakeSpan(blob.bytes_).subspan(have)); !read.ok()) {
      return read;
    }
    status = ParseBlobHead(ToByteView(blob.bytes_), stored_size, header_, &blob.head_);
    const bool wants_more =
        status == CoreStatus::kTruncated || (status == CoreStatus::kOk && !blob.head_.has_directory);
    if (!wants_more || size == variant.stored_size) break;
    // Once the head is known to have no directory, the rest comes in one go.
    size = status == CoreStatus::kOk ? variant.stored_size : std::min(variant.stored_size, 4 * size);
  }
  if (status == CoreStatus::kOk && blob.head_.has_directory) {
    blob.bytes_.resize(static_cast<size_t>(blob.head_.head_size));
    blob.bytes_.shrink_to_fit();
    // The views must follow the bytes; parsing what parsed before cannot fail.
    status = ParseBlobHead(ToByteView(blob.bytes_), stored_size, header_, &blob.head_);
  }
  // Of a head that does not parse, the checksum's extent is unknown.
  if (status != CoreStatus::kOk) return error(CoreStatusName(status));
  const uint32_t computed = Checksum32(ToByteView(blob.bytes_));
  if (computed != variant.checksum32) return error(Mismatch32(variant.checksum32, computed));

  status = blob.FindSegments();
  if (status != CoreStatus::kOk) return error(CoreStatusName(status));
  return blob;
}

CoreStatus VaultBlob::FindSegments() {
  segment_offsets_.reserve(static_cast<size_t>(head_.segment_count));
  SegmentPlace place;
  for (size_t segment = 0; segment < head_.segment_count; ++segment) {
    const CoreStatus status =
        segment == 0 ? FirstSegment(head_, static_cast<size_t>(size_), &place) : NextSegment(head_, segment, &place);
    if (status != CoreStatus::kOk) return status;
    segment_offsets_.push_back(place.offset);
  }
  return CoreStatus::kOk;
}

absl::Status VaultReader::ReadSegment(const VaultBlob& blob, uint64_t segment, std::vector<uint8_t>* stored) const {
  const VaultVariant& variant = blob.variant_;
  if (segment >= blob.segment_count()) {
    return absl::InvalidArgumentError(absl::StrCat(path(), ": variant '", variant.name, "' has no segment ", segment,
                                                   ", there are ", blob.segment_count()));
  }
  const uint64_t in_blob = blob.segment_offsets_[static_cast<size_t>(segment)];
  if (!blob.head_.has_directory) {  // The bytes are here, and OpenBlob compared their checksum.
    stored->assign(blob.bytes_.begin() + static_cast<ptrdiff_t>(in_blob), blob.bytes_.end());
    return absl::OkStatus();
  }
  stored->resize(static_cast<size_t>(blob.segment_stored_size(segment)));
  const bool sealed = variant.sealed.has_value();
  const uint64_t offset = variant.offset + (sealed ? kSealedDigestsSize : 0) + in_blob;
  if (sealed) {
    std::copy_n(blob.bytes_.begin() + static_cast<ptrdiff_t>(in_blob), stored->size(), stored->begin());
  } else if (absl::Status status = ReadAt(offset, absl::MakeSpan(*stored)); !status.ok()) {
    return status;
  }
  const uint32_t expected = LoadLe32(blob.head_.directory.data + segment * kSegmentEntrySize + 4);
  const uint32_t computed = StreamChecksum32(header_, *stored);
  if (computed != expected) {
    return DamagedAt(offset, path(), "variant '", variant.name, "', segment ", segment, " at offset ",
                     HexOffset(offset), ": ", Mismatch32(expected, computed));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> VaultReader::variant_header(absl::string_view name) const {
  const absl::StatusOr<size_t> position = FindPosition(name);
  if (!position.ok()) return position.status();
  if (absl::Status status = CheckUnlocked(variants_[*position]); !status.ok()) return status;
  absl::StatusOr<std::string> header = VariantFileHeader(headers_, index_positions_[*position]);
  if (!header.ok()) {
    const uint64_t offset = header_.section(Section::kManifest).offset;
    return AtFileOffset(
        absl::Status(header.status().code(), absl::StrCat(path(), ": variant '", name, "', MANIFEST at offset ",
                                                          HexOffset(offset), ": ", header.status().message())),
        offset);
  }
  return header;
}

VaultBytes VaultReader::BytesBySection() const {
  VaultBytes bytes;
  bytes.file = header_.file_size;
  bytes.header = kHeaderSize;
  bytes.model = header_.section(Section::kModel).size;
  bytes.chunks = header_.section(Section::kChunks).size;
  bytes.base = header_.section(Section::kBase).size;
  bytes.network = header_.section(Section::kNetwork).size;
  for (const VaultVariant& variant : variants_) bytes.variants += variant.stored_size;
  bytes.index = header_.section(Section::kIndex).size;
  bytes.manifest = header_.section(Section::kManifest).size;
  bytes.signature = header_.section(Section::kSignature).size;
  bytes.unused = bytes.file - bytes.header - bytes.model - bytes.chunks - bytes.base - bytes.network - bytes.variants -
                 bytes.index - bytes.manifest - bytes.signature;
  return bytes;
}

absl::Status VaultReader::CheckPadding() const {
  std::vector<std::pair<uint64_t, uint64_t>> used;  // Offset and size of all that is not padding.
  for (const SectionPlace& place : header_.sections) {
    if (place.size > 0) used.emplace_back(place.offset, place.size);
  }
  for (const VaultVariant& variant : variants_) {
    if (variant.stored_size > 0) used.emplace_back(variant.offset, variant.stored_size);
  }
  std::sort(used.begin(), used.end());
  std::vector<FileRange> unused;
  uint64_t at = kHeaderSize;
  for (const auto& [begin, size] : used) {
    if (at < begin) unused.push_back({at, begin});
    at = begin + size;
  }
  file_->WillRead(unused);
  std::vector<uint8_t> buffer;
  at = kHeaderSize;
  for (const auto& [begin, size] : used) {
    while (at < begin) {
      buffer.resize(static_cast<size_t>(std::min<uint64_t>(begin - at, kReadSize)));
      // What belongs to nothing has no digest.
      absl::Status read = AtFileOffset(file_->ReadAt(at, absl::MakeSpan(buffer)), at);
      if (!read.ok()) return read;
      const auto stray = std::find_if(buffer.begin(), buffer.end(), [](uint8_t byte) { return byte != 0; });
      if (stray != buffer.end()) {
        const uint64_t offset = at + static_cast<uint64_t>(stray - buffer.begin());
        return DamagedAt(offset, path(), "padding at offset ", HexOffset(offset), ": expected 0x00, found 0x",
                         absl::Hex(*stray, absl::kZeroPad2));
      }
      at += buffer.size();
    }
    at = begin + size;
  }
  return absl::OkStatus();
}

absl::Status VaultReader::CheckBaseSection() const {
  const SectionPlace& place = header_.section(Section::kBase);
  const FileRange all = {place.offset, place.offset + place.size};
  file_->WillRead({&all, 1});
  Xxh64 hash;
  std::vector<uint8_t> buffer;
  for (uint64_t done = 0; done < place.size; done += buffer.size()) {
    buffer.resize(static_cast<size_t>(std::min<uint64_t>(place.size - done, kReadSize)));
    if (absl::Status status = ReadAt(place.offset + done, absl::MakeSpan(buffer)); !status.ok()) return status;
    hash.Update(ToByteView(buffer));
  }
  if (hash.Digest() == place.checksum) return absl::OkStatus();
  return DamagedAt(place.offset, path(), "BASE at offset ", HexOffset(place.offset), ": ",
                   Mismatch64(place.checksum, hash.Digest()));
}

absl::Status VaultReader::CheckNetworkSection() const {
  std::vector<uint8_t> bytes;
  return LoadSection(ReadWindow(file_.get()), Section::kNetwork, &bytes);
}

absl::Status VaultReader::CheckSigned() const {
  if (!header_.has_signature()) return absl::FailedPreconditionError(absl::StrCat(path(), ": has no SIGNATURE"));
  const Digest listed = DigestOf({reinterpret_cast<const char*>(root_.objects.data), root_.objects.size});
  if (std::memcmp(listed.data(), root_.objects_digest().data, listed.size()) != 0) {
    return AtFileOffset(absl::PermissionDeniedError(
                            absl::StrCat(path(), ": SIGNATURE: the list of digests differs from what was signed")),
                        header_.section(Section::kSignature).offset);
  }
  std::vector<NamedObject> objects = StoredObjects();
  for (const Section section : {Section::kModel, Section::kChunks, Section::kIndex, Section::kManifest}) {
    objects.push_back({signed_section(section), SectionName(section)});
  }
  const absl::StatusOr<std::unique_ptr<ProvenFile>> proven = ProvenFile::Create(*file_, root_, std::move(objects));
  if (!proven.ok()) return proven.status();
  WillReadAll();
  if (absl::Status status = (*proven)->CheckAll(); !status.ok()) return status;
  return CheckPadding();
}

}  // namespace modelvault
