#include "restore/model_weights.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/core/xxh64.h"

namespace modelvault {
namespace {

constexpr size_t kTileSize = kDefaultTileSize;
constexpr size_t kPieceSize = 4096;
// A difference takes at most five bytes, a tensor two more and its start; far ones have room to be skipped to.
constexpr size_t kRoomPerByte = 5;
constexpr size_t kRoomPerTensor = 8;

std::vector<uint64_t> Words(size_t bytes) { return std::vector<uint64_t>(bytes / sizeof(uint64_t) + 1); }
uint8_t* Bytes(std::vector<uint64_t>& words) { return reinterpret_cast<uint8_t*>(words.data()); }

// A section's bytes, at a multiple of 8.
absl::Status ReadSection(const VaultReader& vault, Section section, std::vector<uint64_t>* words) {
  const SectionPlace& place = vault.header().section(section);
  *words = Words(place.size);
  return vault.file().ReadAt(place.offset, absl::MakeSpan(Bytes(*words), place.size));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelWeights>> ModelWeights::Open(const Restorer& restorer, absl::string_view name,
                                                                 TensorConsumer consumer, size_t list_room) {
  if (restorer.vault().header().has_host_codings()) {
    return absl::FailedPreconditionError(
        absl::StrCat(restorer.vault().path(), ": a vault of the profile host: engines read those that boards read, too"));
  }
  auto weights = std::unique_ptr<ModelWeights>(new ModelWeights());
  weights->restorer_ = &restorer;
  weights->name_ = std::string(name);
  restorer.WillRestore(name);
  absl::StatusOr<std::unique_ptr<const VaultModel>> model =
      name == kReservedVariantName ? restorer.OpenBase() : restorer.OpenVariant(name);
  if (!model.ok()) return model.status();
  weights->model_ = *std::move(model);
  if (!weights->model_->is_base()) {
    const absl::StatusOr<const VaultVariant*> variant = restorer.vault().Find(name);
    if (!variant.ok()) return variant.status();
    absl::StatusOr<VaultBlob> blob = restorer.vault().OpenBlob(**variant);
    if (!blob.ok()) return blob.status();
    weights->blob_ = std::make_unique<VaultBlob>(*std::move(blob));
  }
  weights->stream_memory_ =
      std::make_unique<StreamMemory>(&restorer.vault(), restorer.shared(), weights->blob_.get(), kTileSize);
  const absl::Status status = weights->model_->layout().is_base_layout() ? weights->RestoreOnce(consumer, list_room)
                                                                         : weights->RestoreTensors(consumer);
  if (!status.ok()) return status;
  return weights;
}

std::unique_ptr<VariantStream> ModelWeights::MakeStream(uint8_t* prediction) {
  const VaultHeader& header = restorer_->vault().header();
  StreamWorkspace workspace = stream_memory_->workspace();
  workspace.prediction = prediction;
  return std::make_unique<VariantStream>(&model_->layout(), header.chunk_size, header.segment_size,
                                         stream_memory_->chunks(), stream_memory_->segments(), workspace);
}

// The one pass of a board that boots: proves everything, makes the list.
absl::Status ModelWeights::RestoreOnce(TensorConsumer consumer, size_t list_room) {
  const SharedTables& shared = restorer_->shared();
  const size_t most = shared.data_size() * kRoomPerByte + shared.tensor_count() * kRoomPerTensor;
  const size_t room = std::min(list_room, most);
  list_memory_ = Words(room);
  std::vector<uint64_t> prediction = Words(TileBufferSize(kTileSize));
  const std::unique_ptr<VariantStream> stream = MakeStream(Bytes(prediction));
  DeltaListBuilder builder(&shared, {Bytes(list_memory_), room}, consumer);
  Xxh64 hash;
  CoreStatus status = stream->Start(0, shared.data_size(), kTileSize);
  for (ByteView tile; status == CoreStatus::kOk;) {
    const size_t offset = stream->position();
    status = stream->Next(&tile);
    if (status != CoreStatus::kOk || tile.size == 0) break;
    hash.Update(tile);
    status = builder.Add(offset, tile, stream->prediction());
  }
  if (status != CoreStatus::kOk) return Describe(status);
  if (hash.Digest() != model_->digests().xxh64) return Describe(CoreStatus::kDigestMismatch);
  status = builder.Finish(&list_, &list_size_);
  if (status == CoreStatus::kOk) return ReadStored();
  if (status != CoreStatus::kWorkspaceTooSmall) return Describe(status);
  ReadRestored();
  return absl::OkStatus();
}

absl::Status ModelWeights::RestoreTensors(TensorConsumer consumer) {
  if (absl::Status verified = model_->Verify(); !verified.ok()) return verified;
  ReadRestored();
  if (consumer.consume == nullptr) return absl::OkStatus();
  const CoreStatus status = ConsumeTensors(restored_weights_->source(), restorer_->shared(), consumer);
  return status == CoreStatus::kOk ? absl::OkStatus() : Describe(status);
}

void ModelWeights::ReadRestored() {
  stream_ = MakeStream(nullptr);
  restored_weights_ = std::make_unique<RestoredWeights>(stream_.get(), &model_->layout(), kTileSize);
}

absl::Status ModelWeights::ReadStored() {
  const VaultReader& vault = restorer_->vault();
  absl::Status status = ReadSection(vault, Section::kChunks, &chunks_);
  if (status.ok()) status = ReadSection(vault, Section::kBase, &base_);
  if (!status.ok()) return status;
  const VaultHeader& header = vault.header();
  const StoredChunks stored = {&header,
                               {Bytes(chunks_), header.section(Section::kChunks).size},
                               {Bytes(base_), header.section(Section::kBase).size}};
  size_t size;
  const CoreStatus measured = BaseWeights::MemorySize(restorer_->shared(), stored, kPieceSize, &size);
  if (measured != CoreStatus::kOk) return Describe(measured);
  weights_memory_ = Words(size);
  seals_.resize(header.chunk_count());
  base_weights_ = std::make_unique<BaseWeights>(&restorer_->shared(), stored, seals_.data(),
                                                ByteSpan{Bytes(weights_memory_), size}, kPieceSize);
  return absl::OkStatus();
}

WeightSource ModelWeights::source() {
  return is_listed() ? base_weights_->source(&list_) : restored_weights_->source();
}

absl::Status ModelWeights::Describe(CoreStatus status) const {
  if (status == CoreStatus::kOk) return absl::OkStatus();
  if (status == CoreStatus::kReadFailed && !stream_memory_->error().ok()) return stream_memory_->error();
  const std::string model = model_->is_base() ? "base" : absl::StrCat("variant '", name_, "'");
  const std::string where = status == CoreStatus::kChecksumMismatch && is_listed()
                                ? absl::StrCat(": base chunk ", base_weights_->last_chunk())
                                : "";
  const std::string message = absl::StrCat(restorer_->vault().path(), ": ", model, where, ": ", CoreStatusName(status));
  return status == CoreStatus::kBadArgument ? absl::InvalidArgumentError(message) : absl::DataLossError(message);
}

}  // namespace modelvault
