#include "vault/vault_writer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/core/codec_format.h"
#include "vault/error_place.h"
#include "vault/stream_checksum.h"
#include "vault/variant_name.h"

namespace modelvault {
namespace {

// A blob is held back until it is known whether a hole takes it, but not longer than this. Larger ones go after the
// last blob whatever holes there are.
constexpr uint64_t kMaxHeldBack = 16u << 20;
constexpr uint64_t kMaxSegments = uint64_t{1} << 32;  // A directory of 32 GiB; far beyond any model.

constexpr uint64_t kMaxNarrow = std::numeric_limits<uint32_t>::max();

absl::Status CheckSize(absl::string_view what, uint32_t size, uint32_t low, uint32_t high) {
  if (size >= low && size <= high && size % kSizeGranularity == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " ", size, " is not a multiple of ", kSizeGranularity, " from ", low, " to ", high));
}

absl::Status CheckParams(const VaultParams& params) {
  if (absl::Status status = CheckSize("chunk size", params.chunk_size, kMinChunkSize, kMaxChunkSize); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckSize("segment size", params.segment_size, kMinSegmentSize, kMaxSegmentSize);
      !status.ok()) {
    return status;
  }
  if (params.base_data_size > kMaxDataSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("base of ", params.base_data_size, " bytes, at most ", kMaxDataSize, " are allowed"));
  }
  return absl::OkStatus();
}

// The temporary file, for a reader.
class WrittenFile : public RandomAccessFile {
 public:
  explicit WrittenFile(AtomicFile* file) : file_(file), size_(file->size()) {}

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override { return file_->ReadAt(offset, out); }
  uint64_t size() const override { return size_; }
  const std::string& path() const override { return file_->path(); }

 private:
  AtomicFile* const file_;
  const uint64_t size_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<VaultWriter>> VaultWriter::Create(FileSystem& file_system, absl::string_view path,
                                                                 const VaultParams& params,
                                                                 absl::string_view model_section,
                                                                 const VaultWriterOptions& options) {
  if (absl::Status status = CheckParams(params); !status.ok()) return status;
  std::unique_ptr<VaultWriter> writer(new VaultWriter(options));
  const absl::StatusOr<bool> exists = file_system.Exists(path);
  if (!exists.ok()) return exists.status();
  if (*exists) {
    absl::StatusOr<std::unique_ptr<FileLock>> lock = file_system.Lock(path, options.lock);
    // It may go away meanwhile; then there is nothing to lock. What nobody could lock is never replaced.
    if (!lock.ok() && !absl::IsNotFound(lock.status())) return lock.status();
    if (lock.ok()) writer->lock_ = *std::move(lock);
  }
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system.CreateAtomic(
      path, options.durability, writer->lock_ == nullptr ? Overwrite::kNever : Overwrite::kAllowed);
  if (!file.ok()) return file.status();
  writer->file_ = *std::move(file);

  VaultHeader& header = writer->header_;
  header.chunk_size = params.chunk_size;
  header.segment_size = params.segment_size;
  header.base_data_size = static_cast<size_t>(params.base_data_size);
  header.tensor_count = params.tensor_count;
  if (params.host_codings) header.features |= kFeatureHostCodings;
  if (options.wide_chunks || params.base_data_size >= kWideChunksFrom) header.features |= kFeatureWideChunks;
  if (options.signature.has_value()) {
    writer->signature_ = options.signature;
    header.features |= kFeatureSignature;
  }

  SectionPlace& model = header.section(Section::kModel);
  model = {.offset = kHeaderSize, .size = model_section.size(), .checksum = Xxh64::Of(ToByteView(model_section))};
  SectionPlace& chunks = header.section(Section::kChunks);
  chunks.offset = static_cast<size_t>(AlignUp(model.end()));
  chunks.size = header.chunk_count() * header.chunk_entry_size();
  SectionPlace& base = header.section(Section::kBase);
  base.offset = static_cast<size_t>(AlignUp(chunks.end()));
  if (absl::Status status = writer->WriteAt(model.offset, model_section); !status.ok()) return status;
  if (absl::Status status = writer->PadTo(base.offset); !status.ok()) return status;
  return writer;
}

absl::Status VaultWriter::Expect(State state, absl::string_view call) const {
  if (state_ == state) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path(), ": ", call, " called out of order"));
}

absl::Status VaultWriter::PadTo(uint64_t offset) {
  if (file_->size() >= offset) return absl::OkStatus();
  // What lies between reads as zero.
  constexpr uint8_t kZero[1] = {0};
  return file_->WriteAt(offset - 1, kZero);
}

absl::Status VaultWriter::WriteAt(uint64_t offset, absl::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  return file_->size() == offset ? file_->Append(BytesOf(bytes)) : file_->WriteAt(offset, BytesOf(bytes));
}

absl::Status VaultWriter::AppendBaseChunk(absl::string_view stored) {
  if (absl::Status status = Expect(State::kBase, "AppendBaseChunk"); !status.ok()) return status;
  SectionPlace& base = header_.section(Section::kBase);
  if (chunks_.size() >= header_.chunk_count()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path(), ": more base chunks than the ", header_.chunk_count(), " of its base"));
  }
  if (stored.empty()) return absl::InvalidArgumentError(absl::StrCat(path(), ": empty base chunk"));
  if (base.size > kMaxNarrow && (header_.features & kFeatureWideChunks) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path(), ": base chunk ", chunks_.size(), " begins past the 4 GiB of a narrow directory"));
  }
  if (absl::Status status = WriteAt(base.end(), stored); !status.ok()) return status;
  chunks_.push_back(
      {.offset = base.size, .size = stored.size(), .checksum32 = StreamChecksum32(header_, BytesOf(stored))});
  base_hash_.Update(ToByteView(stored));
  base.size += stored.size();
  return absl::OkStatus();
}

absl::Status VaultWriter::FinishBase(const ModelDigests& digests, absl::string_view header) {
  if (absl::Status status = Expect(State::kBase, "FinishBase"); !status.ok()) return status;
  if (chunks_.size() != header_.chunk_count()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path(), ": ", chunks_.size(), " base chunks, expected ", header_.chunk_count()));
  }
  SectionPlace& chunks = header_.section(Section::kChunks);
  const std::string bytes = EncodeChunks(chunks_, (header_.features & kFeatureWideChunks) != 0);
  if (absl::Status status = WriteAt(chunks.offset, bytes); !status.ok()) return status;
  chunks.checksum = Xxh64::Of(ToByteView(bytes));
  SectionPlace& base = header_.section(Section::kBase);
  base.checksum = base_hash_.Digest();
  header_.base_xxh64 = digests.xxh64;
  std::memcpy(header_.base_xxh3, digests.xxh3.data(), digests.xxh3.size());
  base_header_ = std::string(header);
  NoteFrame(header);
  chunks_ = {};
  tail_ = AlignUp(base.end());
  state_ = State::kVariants;
  return absl::OkStatus();
}

absl::Status VaultWriter::AddNetwork(absl::string_view network_section) {
  if (absl::Status status = Expect(State::kVariants, "AddNetwork"); !status.ok()) return status;
  if (original_ != nullptr || !variants_.empty() || header_.has_network()) {
    return absl::FailedPreconditionError(absl::StrCat(path(), ": AddNetwork called out of order"));
  }
  if (header_.has_host_codings()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path(), ": a network is for boards, which do not read host codings"));
  }
  if (network_section.empty()) return absl::InvalidArgumentError(absl::StrCat(path(), ": empty NETWORK"));
  const size_t offset = static_cast<size_t>(tail_);
  if (absl::Status status = PadTo(offset); !status.ok()) return status;
  if (absl::Status status = WriteAt(offset, network_section); !status.ok()) return status;
  header_.features |= kFeatureNetwork;
  header_.section(Section::kNetwork) = {
      .offset = offset, .size = network_section.size(), .checksum = Xxh64::Of(ToByteView(network_section))};
  tail_ = AlignUp(header_.blobs_begin());
  return absl::OkStatus();
}

absl::Status VaultWriter::BeginVariant(absl::string_view name, const StoredLayout& layout, uint64_t segment_count) {
  if (absl::Status status = Expect(State::kVariants, "BeginVariant"); !status.ok()) return status;
  if (absl::Status status = ValidateVariantName(name); !status.ok()) return status;
  OpenVariant variant;
  variant.name = std::string(name);
  if (absl::Status status = ChooseSealing(&variant); !status.ok()) return status;
  if (names_.count(variant.index_name) != 0) {
    return absl::AlreadyExistsError(absl::StrCat(path(), ": there is a variant '", name, "' already"));
  }
  if (segment_count > kMaxSegments) {
    return absl::InvalidArgumentError(absl::StrCat(path(), ": variant '", name, "': ", segment_count,
                                                   " segments, at most ", kMaxSegments, " are allowed"));
  }
  if (layout.form == LayoutForm::kFree && layout.tensor_count > kMaxFreeLayoutTensors) {
    return absl::InvalidArgumentError(absl::StrCat(path(), ": variant '", name, "': ", layout.tensor_count,
                                                   " tensors, at most ", kMaxFreeLayoutTensors, " are allowed"));
  }
  variant.layout = layout;
  variant.segment_count = segment_count;
  variant.has_directory = segment_count > 1;
  if (segment_count > 0 || layout.form != LayoutForm::kBase) {
    // A directory of zeros has the size of the one to come.
    const std::string head = EncodeBlobHead(
        layout, std::vector<SegmentEntry>(variant.has_directory ? static_cast<size_t>(segment_count) : 0));
    variant.head_size = head.size();
    if (!variant.has_directory) variant.hash.Update(ToByteView(head));
  }
  open_ = std::move(variant);
  state_ = State::kInVariant;
  return absl::OkStatus();
}

absl::Status VaultWriter::AppendSegment(absl::string_view stored) {
  if (absl::Status status = Expect(State::kInVariant, "AppendSegment"); !status.ok()) return status;
  OpenVariant& variant = *open_;
  if (variant.segments.size() >= variant.segment_count) {
    return absl::InvalidArgumentError(absl::StrCat(path(), ": variant '", variant.name, "': more segments than the ",
                                                   variant.segment_count, " announced"));
  }
  if (stored.empty() || stored.size() > kMaxNarrow) {
    return absl::InvalidArgumentError(absl::StrCat(path(), ": variant '", variant.name, "': segment ",
                                                   variant.segments.size(), " of ", stored.size(), " bytes"));
  }
  const uint64_t blob_size = variant.head_size + variant.body_size + stored.size();
  const bool may_fit = blob_size <= kMaxHeldBack && std::any_of(holes_.begin(), holes_.end(), [&](const Hole& hole) {
                         return blob_size <= hole.size;
                       });
  if (!variant.spilled && !may_fit && !variant.content_key.has_value()) {
    if (absl::Status status = Spill(); !status.ok()) return status;
  }
  if (variant.spilled) {
    const uint64_t offset = tail_ + variant.head_size + variant.body_size;
    if (absl::Status status = WriteAt(offset, stored); !status.ok()) return status;
  } else {
    variant.buffer.append(stored.data(), stored.size());
  }
  variant.body_size += stored.size();
  variant.segments.push_back(
      {.size = static_cast<uint32_t>(stored.size()), .checksum32 = StreamChecksum32(header_, BytesOf(stored))});
  if (!variant.has_directory) variant.hash.Update(ToByteView(stored));
  return absl::OkStatus();
}

absl::Status VaultWriter::Spill() {
  OpenVariant& variant = *open_;
  // The head comes last: the directory in it is not known yet.
  if (absl::Status status = PadTo(tail_ + variant.head_size); !status.ok()) return status;
  if (absl::Status status = WriteAt(tail_ + variant.head_size, variant.buffer); !status.ok()) return status;
  variant.buffer = {};
  variant.spilled = true;
  return absl::OkStatus();
}

uint64_t VaultWriter::TakePlace(uint64_t size) {
  for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
    if (size > hole->size) continue;
    const uint64_t offset = hole->offset;
    const uint64_t taken = std::min(hole->size, AlignUp(size));
    hole->offset += taken;
    hole->size -= taken;
    if (hole->size == 0) holes_.erase(hole);
    return offset;
  }
  return tail_;
}

// The owner of the name says whether, and with which key.
absl::Status VaultWriter::ChooseSealing(OpenVariant* variant) const {
  variant->index_name = variant->name;
  const TenantRecord* const owner = signature_.has_value() ? OwnerOf(variant->name, signature_->tenants) : nullptr;
  if (owner == nullptr || (owner->flags & kTenantSealed) == 0) return absl::OkStatus();
  for (const SecretKey& key : options_.keys.content) {
    if (ContentIdOf(key) != owner->content_id) continue;
    variant->content_key = key;
    variant->index_name = SealedNameOf(owner->prefix, variant->name, key);
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat(path(), ": variant '", variant->name, "' would be of tenant '",
                                                  owner->prefix,
                                                  "', whose variants are sealed: needs its content key"));
}

// Seals the variant in progress, whose blob begins with `head`: gives what is stored of it.
absl::StatusOr<std::string> VaultWriter::SealOpen(absl::string_view head, absl::string_view header,
                                                  StoredVariant* stored) const {
  VaultVariant& variant = stored->variant;
  std::string blob(kSealedDigestsSize, '\0');
  StoreLe64(reinterpret_cast<uint8_t*>(blob.data()), variant.digests.xxh64);
  std::memcpy(blob.data() + sizeof(uint64_t), variant.digests.xxh3.data(), variant.digests.xxh3.size());
  absl::StrAppend(&blob, head, open_->buffer);
  absl::StatusOr<std::string> sealed_header = EncodeSealedHeader(
      {.name = variant.name, .digests = variant.digests, .header = std::string(header)}, base_header_);
  if (!sealed_header.ok()) {
    return InFile(path(), sealed_header.status());
  }
  SealedVariant sealed =
      SealVariant(*open_->content_key, signature_->vault_id, open_->index_name, blob, *sealed_header);
  variant.sealed = SealedEntry{.name = open_->index_name, .salt = sealed.salt, .open = true};
  variant.stored_size = sealed.blob.size();
  variant.checksum32 = Checksum32(ToByteView(sealed.blob));
  stored->header.sealed = std::move(sealed.head);
  return std::move(sealed.blob);
}

absl::Status VaultWriter::FinishVariant(const ModelDigests& digests, absl::string_view header) {
  if (absl::Status status = Expect(State::kInVariant, "FinishVariant"); !status.ok()) return status;
  OpenVariant& open = *open_;
  if (open.segments.size() != open.segment_count) {
    return absl::InvalidArgumentError(absl::StrCat(path(), ": variant '", open.name, "': ", open.segments.size(),
                                                   " segments, ", open.segment_count, " announced"));
  }
  StoredVariant stored;
  VaultVariant& variant = stored.variant;
  variant.name = open.name;
  variant.digests = digests;
  variant.stored_size = open.head_size + open.body_size;
  variant.checksum32 = static_cast<uint32_t>(open.hash.Digest());
  stored.header = DiffHeader(base_header_, header);
  std::string head;
  if (variant.stored_size > 0) {
    head = EncodeBlobHead(open.layout, open.has_directory ? open.segments : std::vector<SegmentEntry>());
    if (open.has_directory) variant.checksum32 = Checksum32(ToByteView(head));
  }
  if (open.content_key.has_value()) {
    absl::StatusOr<std::string> sealed = SealOpen(head, header, &stored);
    if (!sealed.ok()) return sealed.status();
    open.buffer = *std::move(sealed);
    head.clear();
  }
  if (variant.stored_size > 0) {
    variant.offset = open.spilled ? tail_ : TakePlace(variant.stored_size);
    if (absl::Status status = PadTo(variant.offset); !status.ok()) return status;
    if (absl::Status status = WriteAt(variant.offset, head); !status.ok()) return status;
    if (absl::Status status = WriteAt(variant.offset + head.size(), open.buffer); !status.ok()) return status;
    tail_ = std::max(tail_, AlignUp(variant.offset + variant.stored_size));
  }
  if (open.layout.form == LayoutForm::kFree) NoteFreeLayout(open.layout.tensor_count);
  NoteFrame(header);
  names_.insert(variant.index_name());
  variants_.push_back(std::move(stored));
  open_.reset();
  state_ = State::kVariants;
  return absl::OkStatus();
}

// The header tells of free layouts: that there are any, and the largest.
void VaultWriter::NoteFreeLayout(size_t tensor_count) {
  const uint32_t count = static_cast<uint32_t>(std::max<size_t>(1, tensor_count));
  header_.features |= kFeatureFreeLayouts;
  header_.max_variant_tensors = std::max(header_.max_variant_tensors, count);
}

// The header tells of frames that describe themselves.
void VaultWriter::NoteFrame(absl::string_view frame) {
  if (DescribesItself(frame)) header_.features |= kFeatureDescribedFrames;
}

absl::Status VaultWriter::Finish() {
  if (absl::Status status = Expect(State::kVariants, "Finish"); !status.ok()) return status;
  if (variants_.size() > kMaxNarrow) {
    return absl::ResourceExhaustedError(absl::StrCat(path(), ": too many variants: ", variants_.size()));
  }
  if (static_cast<size_t>(tail_) != tail_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path(), ": blobs up to byte ", tail_, ", more than fit this machine"));
  }
  std::sort(variants_.begin(), variants_.end(),
            [](const StoredVariant& a, const StoredVariant& b) { return IndexOrder(a.variant, b.variant); });
  std::vector<VaultVariant> entries;
  FileHeaders headers;
  headers.base = base_header_;
  for (const StoredVariant& stored : variants_) {
    entries.push_back(stored.variant);
    headers.variants.push_back(stored.header);
  }
  if (signature_.has_value()) {
    absl::Status status = original_ == nullptr ? DigestSections() : absl::OkStatus();
    if (status.ok()) status = DigestNewBlobs();
    if (!status.ok()) return status;
    LogVariants();
    headers.log = log_;
  }
  absl::Status shared = ShareHeaders(&headers);
  if (!shared.ok()) return InFile(path(), shared);
  const absl::StatusOr<std::string> manifest_bytes = EncodeManifest(headers);
  if (!manifest_bytes.ok()) {
    return InFile(path(), manifest_bytes.status());
  }

  header_.variant_count = static_cast<uint32_t>(variants_.size());
  SectionPlace& index = header_.section(Section::kIndex);
  index.offset = static_cast<size_t>(tail_);
  const bool wide = options_.wide_index || index.offset > kMaxNarrowIndexOffset;
  header_.features = wide ? header_.features | kFeatureWideIndex : header_.features & ~kFeatureWideIndex;
  const std::string index_bytes = EncodeIndex(entries, wide);
  index.size = index_bytes.size();
  index.checksum = Xxh64::Of(ToByteView(index_bytes));
  SectionPlace& manifest = header_.section(Section::kManifest);
  manifest.offset = static_cast<size_t>(AlignUp(index.end()));
  manifest.size = manifest_bytes->size();
  manifest.checksum = Xxh64::Of(ToByteView(*manifest_bytes));
  header_.file_size = manifest.end();
  header_.section(Section::kSignature) = SectionPlace();

  if (absl::Status status = PadTo(index.offset); !status.ok()) return status;
  if (absl::Status status = WriteAt(index.offset, index_bytes); !status.ok()) return status;
  if (absl::Status status = PadTo(manifest.offset); !status.ok()) return status;
  if (absl::Status status = WriteAt(manifest.offset, *manifest_bytes); !status.ok()) return status;
  if (signature_.has_value()) {
    if (absl::Status status = WriteSignature(index_bytes, *manifest_bytes); !status.ok()) return status;
  }
  if (absl::Status status = WriteAt(0, EncodeHeader(header_)); !status.ok()) return status;
  state_ = State::kFinished;
  return absl::OkStatus();
}

// Of a new vault: those before INDEX.
absl::Status VaultWriter::DigestSections() {
  for (const Section section : {Section::kModel, Section::kChunks, Section::kBase, Section::kNetwork}) {
    const SectionPlace& place = header_.section(section);
    absl::StatusOr<ObjectDigests> digests =
        DigestObject(place.offset, place.size, signature_->tile_log2,
                     [this](uint64_t offset, absl::Span<uint8_t> out) { return file_->ReadAt(offset, out); });
    if (!digests.ok()) return digests.status();
    signature_->objects.push_back(*std::move(digests));
  }
  return absl::OkStatus();
}

absl::Status VaultWriter::DigestNewBlobs() {
  for (StoredVariant& stored : variants_) {
    if (stored.digests.has_value()) continue;
    absl::StatusOr<ObjectDigests> digests =
        DigestObject(stored.variant.offset, stored.variant.stored_size, signature_->tile_log2,
                     [this](uint64_t offset, absl::Span<uint8_t> out) { return file_->ReadAt(offset, out); });
    if (!digests.ok()) return digests.status();
    stored.digests = *std::move(digests);
    stored.is_new = true;
  }
  return absl::OkStatus();
}

// A variant that was removed and written anew was replaced.
void VaultWriter::LogVariants() {
  if (original_ == nullptr) {
    log_entry_.version = signature_->version;
    log_entry_.time = options_.log_time.has_value() ? *options_.log_time : LogTime();
    log_entry_.actions = {{.kind = LogActionKind::kBegun, .count = variants_.size()}};
    AppendLog(log_entry_, &log_);
    return;
  }
  for (const StoredVariant& stored : variants_) {
    if (!stored.is_new) continue;
    LogAction action = {.kind = LogActionKind::kAdded, .name = stored.variant.index_name()};
    std::copy_n(stored.digests->digest.begin(), action.digest.size(), action.digest.begin());
    const LogAction removed = {.kind = LogActionKind::kRemoved, .name = action.name};
    const auto old = std::find(log_entry_.actions.begin(), log_entry_.actions.end(), removed);
    if (old == log_entry_.actions.end()) {
      log_entry_.actions.push_back(action);
    } else {
      action.kind = LogActionKind::kReplaced;
      *old = action;
    }
  }
  AppendLog(log_entry_, &log_);
}

// What was copied keeps its digests, so that what is not what was signed never becomes so.
absl::Status VaultWriter::WriteSignature(absl::string_view index, absl::string_view manifest) {
  SignatureSection& section = *signature_;
  const size_t copied = kSectionObjectCount - 2;  // Sections before INDEX and MANIFEST.
  section.objects.resize(copied);
  section.objects.push_back(DigestObject(index, section.tile_log2));
  section.objects.push_back(DigestObject(manifest, section.tile_log2));
  for (const StoredVariant& stored : variants_) section.objects.push_back(*stored.digests);
  header_.features = section.tenants.empty() ? header_.features & ~kFeatureTenants : header_.features | kFeatureTenants;
  absl::Status tenants = SignTenants(header_, index, options_.sign_tenant, &section);
  if (!tenants.ok()) return InFile(path(), tenants);
  SectionPlace& place = header_.section(Section::kSignature);
  place.offset = static_cast<size_t>(AlignUp(header_.file_size));
  place.size = EncodeSignature(section).size();
  header_.file_size = place.end();
  if (options_.sign_root != nullptr) {
    if (absl::Status s = CheckTenantsSigned(path(), header_, index, section); !s.ok()) return s;
    const std::string message = RootMessageOf(ToByteView(EncodeHeader(header_)), section);
    absl::Status placed = PlaceSignatures(message, options_.sign_root, &section);
    if (!placed.ok()) return InFile(path(), placed);
  }
  const std::string bytes = EncodeSignature(section);
  place.checksum = Xxh64::Of(ToByteView(bytes));
  if (absl::Status status = PadTo(place.offset); !status.ok()) return status;
  return WriteAt(place.offset, bytes);
}

absl::StatusOr<std::unique_ptr<VaultReader>> VaultWriter::OpenWritten() const {
  if (absl::Status status = Expect(State::kFinished, "OpenWritten"); !status.ok()) return status;
  VaultReaderOptions options;
  options.keys = options_.keys;
  return VaultReader::FromFile(std::make_unique<WrittenFile>(file_.get()), options);
}

absl::Status VaultWriter::Commit() {
  if (absl::Status status = Expect(State::kFinished, "Commit"); !status.ok()) return status;
  if (absl::Status status = file_->Commit(); !status.ok()) return status;
  lock_.reset();  // It was on the file that has just been replaced.
  state_ = State::kCommitted;
  return absl::OkStatus();
}

}  // namespace modelvault
