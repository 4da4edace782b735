// Reads a vault on the host. Everything is checked before it is believed; errors name the file, the part of it, the
// offset in the file, and what was expected and found. Stored bytes that are wrong: kDataLoss; a version or feature
// this build does not know: kUnimplemented; no such variant: kNotFound; an index out of range: kInvalidArgument;
// storage that fails: kUnavailable; a vault that is not what those who are trusted have signed, and what needs a key:
// kPermissionDenied, which says why (vault/refusal.h). What is wrong at one place of the file has it as its PlaceOf()
// (vault/error_place.h).
#ifndef MODELVAULT_VAULT_VAULT_READER_H_
#define MODELVAULT_VAULT_VAULT_READER_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vault/core/vault_view.h"
#include "vault/file_system.h"
#include "vault/manifest.h"
#include "vault/proven_file.h"
#include "vault/read_window.h"
#include "vault/signature_section.h"
#include "vault/tenant.h"
#include "vault/vault_trust.h"
#include "vault/vault_types.h"

namespace modelvault {

// An open variant blob: its head, checked, and the places of its segments. Independent of the reader it came from.
class VaultBlob {
 public:
  VaultBlob(VaultBlob&&) = default;
  VaultBlob& operator=(VaultBlob&&) = default;

  const VaultVariant& variant() const { return variant_; }

  // The variant is identical to the base: no layout, no segments.
  bool empty() const { return size_ == 0; }

  // How the variant's tensors differ from the base's, for VariantLayout::Parse. Lives as long as this object; moving it
  // keeps it valid.
  LayoutView layout() const { return head_.layout; }
  bool has_own_layout() const { return head_.layout.form != LayoutForm::kBase; }

  // Bytes of the blob.
  uint64_t size() const { return size_; }

  // How many segments are stored. Whether the variant should have as many is for who knows its data size.
  uint64_t segment_count() const { return head_.segment_count; }
  // Stored bytes of segment `segment` < segment_count().
  uint64_t segment_stored_size(uint64_t segment) const {
    return SegmentEnd(segment) - segment_offsets_[static_cast<size_t>(segment)];
  }
  // Stored bytes before the first segment.
  uint64_t head_size() const { return head_.head_size; }

 private:
  friend class VaultReader;
  VaultBlob() = default;

  // Of a head that has been parsed.
  CoreStatus FindSegments();

  uint64_t SegmentEnd(uint64_t segment) const {
    return segment + 1 < segment_count() ? segment_offsets_[static_cast<size_t>(segment) + 1] : size_;
  }

  VaultVariant variant_;
  uint64_t size_ = 0;  // Of the blob: what is stored, or what was sealed.
  // The head; the whole blob where it was sealed, or has no directory, because that has one checksum.
  std::vector<uint8_t> bytes_;
  BlobHead head_;                          // Points into bytes_.
  std::vector<uint64_t> segment_offsets_;  // In the blob.
};

// Bytes of the file, by what they are for. They add up to `file`.
struct VaultBytes {
  uint64_t file = 0;
  uint64_t header = 0;
  uint64_t model = 0;
  uint64_t chunks = 0;
  uint64_t base = 0;
  uint64_t network = 0;
  uint64_t variants = 0;  // Blobs.
  uint64_t index = 0;
  uint64_t manifest = 0;
  uint64_t signature = 0;
  uint64_t unused = 0;  // Padding and holes.
};

struct VaultReaderOptions {
  bool network = true;  // Reads NETWORK, too, which lies apart from the other sections that are read.
  // Refuses a vault that these have not signed: opening proves all that it reads, and base chunks and variants are
  // proven, tile by tile, before they are handed out. Without it a signed vault is like any other.
  std::optional<VaultTrust> trust = std::nullopt;
  // Opens the sealed variants of tenants whose content key is among these, or is wrapped for a device group that is:
  // they are then like any other. Those of other tenants are locked.
  TenantKeys keys = {};
};

// An open vault: header, MODEL, CHUNKS, NETWORK, INDEX, MANIFEST and SIGNATURE, all checked and held in memory; base
// chunks and variants are read as they are asked for. Thread-safe: nothing that is seen changes after Open.
//
// Opening takes one read of the file where all lies within its first 64 KiB. Else it takes one more for INDEX, MANIFEST
// and SIGNATURE, one for each of MODEL and CHUNKS that does not, and one for NETWORK.
class VaultReader {
 public:
  // `file_system` must outlive the result.
  static absl::StatusOr<std::unique_ptr<VaultReader>> Open(FileSystem& file_system, absl::string_view path,
                                                           const VaultReaderOptions& options = {});

  // The same for a file that is open already.
  static absl::StatusOr<std::unique_ptr<VaultReader>> FromFile(std::unique_ptr<RandomAccessFile> file,
                                                               const VaultReaderOptions& options = {});

  const std::string& path() const { return file_->path(); }
  const RandomAccessFile& file() const { return *file_; }
  const VaultHeader& header() const { return header_; }
  VaultParams params() const;
  ModelDigests base_digests() const;

  // MODEL's bytes; whether they parse, and agree with params(), is for the codec to say.
  ByteView model_section() const { return {model_.data(), model_.size()}; }

  // NETWORK's bytes, empty if the vault has none or it was not read; whether they parse is for
  // restore/infer/network_view.h to say. At a multiple of 4.
  ByteView network_section() const { return {network_.data(), network_.size()}; }

  // The vault's header as it is stored, kHeaderSize bytes.
  ByteView header_bytes() const { return {header_bytes_.data(), header_bytes_.size()}; }

  // SIGNATURE, its structure checked; null if the vault has none.
  const SignedRoot* root() const { return header_.has_signature() ? &root_ : nullptr; }
  // With a trust: the digest of the key set that has signed the vault, from now on the one to trust.
  const std::optional<Digest>& key_set_digest() const { return key_set_digest_; }
  // What proves a section, where there is SIGNATURE.
  SignedObject signed_section(Section section) const { return SectionObject(root_, header_, section); }
  // What proves a variant's blob; kNotFound, kFailedPrecondition without SIGNATURE.
  absl::StatusOr<SignedObject> signed_variant(absl::string_view name) const;
  // Whether tenant `i` < root()->tenant_count has signed its variants as they are: kOk, kUnsigned, kBadSignature.
  CoreStatus TenantSigned(uint32_t i) const;
  // SIGNATURE as values, objects included; kFailedPrecondition if there is none.
  absl::StatusOr<SignatureSection> DecodeSigned() const;

  // Reads the stored bytes of base chunk `chunk` < header().chunk_count() into `*stored` and compares their checksum.
  absl::Status ReadBaseChunk(uint64_t chunk, std::vector<uint8_t>* stored) const;
  // Stored bytes of that chunk.
  uint64_t base_chunk_stored_size(uint64_t chunk) const;

  // RandomAccessFile::WillRead of the file.
  void WillRead(absl::Span<const FileRange> ranges) const;
  // The same of all of it.
  void WillReadAll() const;
  // What to announce for the stored bytes of chunks [begin, end), of which there must be that many.
  FileRange BaseChunkRange(uint64_t begin, uint64_t end) const;
  // The same of all that is stored of a variant, and of segments [begin, end) of a blob that are not in memory.
  FileRange StoredRange(const VaultVariant& variant) const;
  FileRange SegmentRange(const VaultBlob& blob, uint64_t begin, uint64_t end) const;

  // Sorted by name.
  const std::vector<VaultVariant>& variants() const { return variants_; }
  // The same in the order of INDEX.
  std::vector<const VaultVariant*> VariantsInIndexOrder() const;
  // The variant named `name`, or kNotFound. Lives as long as this reader.
  absl::StatusOr<const VaultVariant*> Find(absl::string_view name) const;
  // kPermissionDenied if `name` may be the name of a locked variant, which INDEX does not tell: a tenant whose prefix
  // it begins with has some. For whom Find() found none.
  absl::Status CheckNotHidden(absl::string_view name) const;

  // Reads and checks the head of a blob of this vault; a sealed one is read and opened whole. kPermissionDenied if it
  // is locked, or is not what its tenant sealed.
  absl::StatusOr<VaultBlob> OpenBlob(const VaultVariant& variant) const;
  // Reads segment `segment` < blob.segment_count() into `*stored` and compares its checksum.
  absl::Status ReadSegment(const VaultBlob& blob, uint64_t segment, std::vector<uint8_t>* stored) const;

  // Reads what is stored of a variant and compares the checksum of it all, or of its head where that is what is stored:
  // what can be said of a locked one.
  absl::Status CheckStoredBlob(const VaultVariant& variant) const;

  // The base's file before its data section, and a variant's; both compared with their checksums. kPermissionDenied if
  // it is locked.
  const std::string& base_header() const { return headers_.base; }
  absl::StatusOr<std::string> variant_header(absl::string_view name) const;
  // All of MANIFEST: headers in the order of INDEX, and the log.
  const FileHeaders& file_headers() const { return headers_; }
  // What MANIFEST has of the sealed variant `name`.
  absl::StatusOr<HeaderDifference> sealed_header(absl::string_view name) const;

  VaultBytes BytesBySection() const;

  // Reads every byte that belongs to nothing and checks that it is zero.
  absl::Status CheckPadding() const;
  // Reads all of BASE and compares its checksum.
  absl::Status CheckBaseSection() const;
  // Reads NETWORK, if there is one, and compares its checksum.
  absl::Status CheckNetworkSection() const;
  // Reads all but header and SIGNATURE and compares it with the digests that SIGNATURE has, or, what belongs to
  // nothing, with zero. Whether anybody signed that is for the trust to say, with which this was opened.
  // kPermissionDenied; kDataLoss for what is not zero; kFailedPrecondition without SIGNATURE.
  absl::Status CheckSigned() const;

 private:
  explicit VaultReader(std::unique_ptr<RandomAccessFile> file) : file_(std::move(file)) {}

  absl::Status Load(const VaultReaderOptions& options);
  absl::Status LoadHeader(const ReadWindow& window);
  void AnnounceLists(const VaultReaderOptions& options) const;
  absl::Status LoadSignature(const ReadWindow& window, const VaultReaderOptions& options);
  absl::Status ListBlobs(const IndexView& index);
  std::vector<NamedObject> StoredObjects() const;
  absl::Status LoadSection(const ReadWindow& window, Section section, std::vector<uint8_t>* bytes) const;
  absl::Status LoadChunks(const ReadWindow& window);
  absl::Status LoadVariants(const ReadWindow& window);
  // What concerns sealed variants is in sealed_variants.cc.
  absl::Status OpenSealed(const TenantKeys& keys);
  absl::Status OpenSealedEntry(absl::string_view prefix, VaultVariant* variant, HeaderDifference* difference) const;
  void SortVariants();
  absl::Status ReadSealed(const VaultVariant& variant, std::vector<uint8_t>* stored) const;
  absl::StatusOr<VaultBlob> OpenSealedVariant(const VaultVariant& variant) const;
  absl::Status CheckUnlocked(const VaultVariant& variant) const;
  // Of the file, with the place of a failure; with a trust, only what is proven.
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const;
  absl::Status CheckOverlaps() const;
  bool FindChunkPlace(uint64_t chunk, ChunkPlace* place) const;
  absl::StatusOr<size_t> FindPosition(absl::string_view name) const;

  const std::unique_ptr<RandomAccessFile> file_;
  std::array<uint8_t, kHeaderSize> header_bytes_ = {};
  VaultHeader header_;
  std::vector<uint8_t> signature_;
  SignedRoot root_;                  // Views signature_.
  std::vector<SignedObject> blobs_;  // Of SIGNATURE, in the order of INDEX.
  std::optional<Digest> key_set_digest_;
  std::unique_ptr<ProvenFile> proven_;  // With a trust.
  std::vector<uint8_t> model_;
  std::vector<uint8_t> chunks_;
  std::vector<uint8_t> network_;
  std::vector<VaultVariant> variants_;
  std::vector<size_t> index_positions_;  // Of each of variants_ in INDEX and in headers_.
  FileHeaders headers_;
  std::map<std::string, SecretKey> content_keys_;  // By prefix, of the tenants whose variants are open.
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_VAULT_READER_H_
