#include "restore/restorer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "restore/host_decoder.h"
#include "restore/infer/network_view.h"
#include "restore/stream_memory.h"
#include "vault/error_place.h"
#include "vault/format.h"
#include "vault/hex_text.h"
#include "vault/model_digester.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr size_t kMaxTileSize = size_t{1} << 24;

absl::Status CheckBaseRange(const VaultReader& reader, uint64_t size, uint64_t offset, size_t count) {
  if (offset <= size && count <= size - offset) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrFormat("%s: base: read of %d bytes at offset %d, but there are only %d",
                                               reader.path(), count, offset, size));
}

// What the core's verdict over a read of the base means.
absl::Status BaseStatus(const VaultReader& reader, CoreStatus status, uint64_t offset, size_t count) {
  if (status == CoreStatus::kOk) return absl::OkStatus();
  return absl::DataLossError(absl::StrFormat("%s: base: %s in the %d bytes from offset %d of its data", reader.path(),
                                             CoreStatusName(status), count, offset));
}

// The base as a coder reads it.
class VaultBaseSource : public DataSource {
 public:
  VaultBaseSource(const VaultReader* reader, const SharedTables& shared)
      : reader_(reader),
        shared_(shared),
        memory_(reader, shared, nullptr, kMinTileSize),
        decoder_(&shared, reader->header().chunk_size, memory_.chunks(), memory_.workspace().tables) {}

  uint64_t size() const override { return shared_.data_size(); }

  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) override {
    if (absl::Status range = CheckBaseRange(*reader_, size(), offset, out.size()); !range.ok()) return range;
    const CoreStatus status = decoder_.Read(static_cast<size_t>(offset), {out.data(), out.size()});
    return status == CoreStatus::kReadFailed ? memory_.error() : BaseStatus(*reader_, status, offset, out.size());
  }

 private:
  const VaultReader* reader_;
  const SharedTables& shared_;
  StreamMemory memory_;
  BaseDecoder decoder_;
};

// The same with host codings.
class HostBaseSource : public DataSource {
 public:
  HostBaseSource(const VaultReader* reader, const SharedTables& shared)
      : reader_(reader), shared_(shared), decoder_(reader, &shared) {}

  uint64_t size() const override { return shared_.data_size(); }

  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) override {
    if (absl::Status range = CheckBaseRange(*reader_, size(), offset, out.size()); !range.ok()) return range;
    const CoreStatus status = decoder_.Read(static_cast<size_t>(offset), out);
    return status == CoreStatus::kReadFailed ? decoder_.error() : BaseStatus(*reader_, status, offset, out.size());
  }

 private:
  const VaultReader* reader_;
  const SharedTables& shared_;
  HostBaseDecoder decoder_;
};

// Of a vault with host codings MODEL says no more than which tensors there are.
absl::Status CheckHostModel(const VaultReader& vault, const SharedTables& shared) {
  if (!vault.header().has_host_codings()) return absl::OkStatus();
  for (size_t i = 0; shared.all_raw() && i < shared.tensor_count(); ++i) {
    if (shared.tensor(i).flags != 0) {
      return absl::DataLossError(
          absl::StrFormat("%s: MODEL section: tensor %d has flags %d; with host codings it has none", vault.path(), i,
                          shared.tensor(i).flags));
    }
  }
  if (shared.all_raw()) return absl::OkStatus();
  return absl::DataLossError(absl::StrFormat("%s: MODEL section: %d tables; with host codings there are none",
                                             vault.path(), shared.table_count()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Restorer>> Restorer::Open(FileSystem& file_system, absl::string_view path) {
  absl::StatusOr<std::unique_ptr<VaultReader>> reader = VaultReader::Open(file_system, path);
  if (!reader.ok()) return reader.status();
  return FromReader(*std::move(reader));
}

absl::StatusOr<std::unique_ptr<Restorer>> Restorer::FromReader(std::unique_ptr<VaultReader> reader) {
  auto restorer = std::unique_ptr<Restorer>(new Restorer());
  restorer->reader_ = std::move(reader);
  const VaultReader& vault = *restorer->reader_;
  const ByteView section = vault.model_section();
  absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared =
      ParsedSharedTables::Parse(std::string(reinterpret_cast<const char*>(section.data), section.size));
  if (!shared.ok()) return absl::DataLossError(absl::StrCat(vault.path(), ": ", shared.status().message()));
  restorer->shared_ = *std::move(shared);
  const SharedTables& parsed = restorer->shared();
  if (parsed.tensor_count() != vault.header().tensor_count || parsed.data_size() != vault.header().base_data_size) {
    return absl::DataLossError(absl::StrFormat(
        "%s: MODEL section: %d tensors of %d bytes, but the header says %d of %d", vault.path(), parsed.tensor_count(),
        parsed.data_size(), vault.header().tensor_count, vault.header().base_data_size));
  }
  if (absl::Status status = CheckHostModel(vault, parsed); !status.ok()) return status;
  return restorer;
}

absl::StatusOr<Network> Restorer::network() const {
  const VaultHeader& header = reader_->header();
  if (!header.has_network()) {
    return absl::NotFoundError(absl::StrCat(reader_->path(), ": the vault does not say what its models compute"));
  }
  if (reader_->network_section().size == 0) {
    return absl::FailedPreconditionError(absl::StrCat(reader_->path(), ": NETWORK was not read with the vault"));
  }
  Network network;
  size_t bad_offset;
  const CoreStatus status =
      ParseNetwork(reader_->network_section(), ShapesOf(shared_->tables()), &network, &bad_offset);
  if (status == CoreStatus::kOk) return network;
  return absl::DataLossError(absl::StrCat(reader_->path(), ": NETWORK, byte ", bad_offset, " of it, at offset ",
                                          header.section(Section::kNetwork).offset + bad_offset, ": ",
                                          CoreStatusName(status)));
}

std::string Restorer::TensorName(size_t base_index) const {
  if (base_index < tensor_names_.size()) return absl::StrCat("'", tensor_names_[base_index], "'");
  return absl::StrCat("number ", base_index);
}

void Restorer::WillRestore(absl::string_view name) const {
  std::vector<FileRange> ranges;
  if (name != kReservedVariantName) {
    const absl::StatusOr<const VaultVariant*> variant = reader_->Find(name);
    if (!variant.ok()) return;
    ranges.push_back(reader_->StoredRange(**variant));
  }
  // Nearly all variants need all of it.
  ranges.push_back(reader_->BaseChunkRange(0, reader_->header().chunk_count()));
  reader_->WillRead(ranges);
}

absl::StatusOr<std::unique_ptr<const VaultModel>> Restorer::OpenBase() const {
  auto model = std::unique_ptr<VaultModel>(new VaultModel(this, "base"));
  model->is_base_ = true;
  model->digests_ = reader_->base_digests();
  model->stored_size_ = reader_->BytesBySection().base;
  return std::unique_ptr<const VaultModel>(std::move(model));
}

absl::StatusOr<std::unique_ptr<const VaultModel>> Restorer::OpenVariant(absl::string_view name) const {
  absl::StatusOr<const VaultVariant*> variant = reader_->Find(name);
  if (!variant.ok()) return variant.status();
  absl::StatusOr<VaultBlob> blob = reader_->OpenBlob(**variant);
  if (!blob.ok()) return blob.status();
  auto model = std::unique_ptr<VaultModel>(new VaultModel(this, (*variant)->name));
  model->digests_ = (*variant)->digests;
  model->stored_size_ = (*variant)->stored_size;
  model->blob_ = std::make_unique<VaultBlob>(*std::move(blob));
  if (absl::Status status = model->Parse(); !status.ok()) return status;
  return std::unique_ptr<const VaultModel>(std::move(model));
}

std::unique_ptr<DataSource> Restorer::BaseSource() const {
  if (reader_->header().has_host_codings()) return std::make_unique<HostBaseSource>(reader_.get(), shared());
  return std::make_unique<VaultBaseSource>(reader_.get(), shared());
}

VaultModel::VaultModel(const Restorer* restorer, std::string name)
    : restorer_(restorer), name_(std::move(name)), layout_(&restorer->shared()) {}

absl::Status VaultModel::Parse() {
  const VaultReader& vault = restorer_->vault();
  const LayoutView layout = blob_->layout();
  tensors_.resize(layout.tensor_count);  // Each is stored in two bytes at least.
  const CoreStatus status = layout_.Parse(layout, tensors_.data(), tensors_.size());
  if (status != CoreStatus::kOk) {
    return absl::DataLossError(
        absl::StrFormat("%s: variant '%s': layout: %s", vault.path(), name_, CoreStatusName(status)));
  }
  if (blob_->empty()) return absl::OkStatus();
  const uint64_t expected = SegmentCount(layout_.data_size(), vault.header().segment_size);
  if (blob_->segment_count() != expected) {
    return absl::DataLossError(absl::StrFormat("%s: variant '%s': expected %d segments for %d bytes, found %d",
                                               vault.path(), name_, expected, layout_.data_size(),
                                               blob_->segment_count()));
  }
  return absl::OkStatus();
}

// What the core's verdict means, with the place.
absl::Status VaultModel::Describe(CoreStatus status, uint64_t position) const {
  const std::string model = is_base_ ? "base" : absl::StrCat("variant '", name_, "'");
  std::string where;
  if (position < data_size()) {
    const size_t i = layout_.FindTensor(static_cast<size_t>(position));
    const VariantTensor tensor = layout_.tensor(i);
    const std::string name = tensor.base_index == kNoBaseTensor ? absl::StrCat("number ", i, " of its own")
                                                                : restorer_->TensorName(tensor.base_index);
    where = absl::StrFormat("tensor %s, at or after offset %d of its data (byte %d of the model's)", name,
                            position - tensor.offset, position);
  } else {
    where = "at the end of the data";
  }
  const std::string message =
      absl::StrFormat("%s: %s: %s: %s", restorer_->vault().path(), model, where, CoreStatusName(status));
  return status == CoreStatus::kBadArgument ? absl::InvalidArgumentError(message) : absl::DataLossError(message);
}

absl::Status VaultModel::ReadTiles(uint64_t begin, uint64_t end, const RestoreOptions& options,
                                   const Consumer& consumer) const {
  const VaultHeader& header = restorer_->vault().header();
  StreamMemory memory(&restorer_->vault(), restorer_->shared(), blob_.get(), options.tile_size);
  VariantStream stream(&layout_, header.chunk_size, header.segment_size, memory.chunks(), memory.segments(),
                       memory.workspace(), options.trace);
  CoreStatus status = stream.Start(static_cast<size_t>(begin), static_cast<size_t>(end), options.tile_size);
  while (status == CoreStatus::kOk) {
    const uint64_t offset = stream.position();
    ByteView tile;
    status = stream.Next(&tile);
    if (status != CoreStatus::kOk) break;
    if (tile.size == 0) return absl::OkStatus();
    if (absl::Status consumed = consumer(offset, absl::MakeConstSpan(tile.data, tile.size)); !consumed.ok()) {
      return consumed;
    }
  }
  return AtDataOffset(status == CoreStatus::kReadFailed ? memory.error() : Describe(status, stream.position()),
                      stream.position());
}

// Tells the file what bytes [begin, end) are decoded from. A strip that begins before them is not looked for: what it
// needs besides is read when it is asked for.
void VaultModel::AnnounceRange(uint64_t begin, uint64_t end) const {
  const VaultReader& vault = restorer_->vault();
  const VaultHeader& header = vault.header();
  std::vector<FileRange> ranges;
  if (begin >= end) return;
  if (blob_ != nullptr && !blob_->empty()) {
    ranges.push_back(vault.SegmentRange(*blob_, begin / header.segment_size, (end - 1) / header.segment_size + 1));
  }
  const auto add_base = [&](uint64_t from, uint64_t to) {
    ranges.push_back(vault.BaseChunkRange(from / header.chunk_size, (to - 1) / header.chunk_size + 1));
  };
  if (layout_.is_base_layout()) {
    add_base(begin, end);
  } else {
    for (size_t i = layout_.FindTensor(static_cast<size_t>(begin)); i < layout_.tensor_count(); ++i) {
      const VariantTensor tensor = layout_.tensor(i);
      const TensorRecord& base = layout_.RecordOf(tensor);
      if (tensor.offset >= end) break;
      if (base.size == 0) continue;
      const bool aligned = base.size == tensor.size;  // Else of another type: all of it.
      const uint64_t from = aligned && begin > tensor.offset ? begin - tensor.offset : 0;
      const uint64_t to = aligned ? std::min<uint64_t>(end - tensor.offset, base.size) : base.size;
      if (from < to) add_base(base.offset + from, base.offset + to);
    }
  }
  vault.WillRead(ranges);
}

absl::Status VaultModel::CheckRange(uint64_t begin, uint64_t end, const RestoreOptions& options) const {
  if (begin > end || end > data_size()) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: bytes %d to %d of '%s', which has %d",
                                                      restorer_->vault().path(), begin, end, name_, data_size()));
  }
  if (options.tile_size < kMinTileSize || options.tile_size > kMaxTileSize) {
    return absl::InvalidArgumentError(
        absl::StrFormat("tile size %d, expected %d to %d", options.tile_size, kMinTileSize, kMaxTileSize));
  }
  return absl::OkStatus();
}

absl::Status VaultModel::ReadRange(uint64_t begin, uint64_t end, const RestoreOptions& options,
                                   const Consumer& consumer) const {
  if (absl::Status status = CheckRange(begin, end, options); !status.ok()) return status;
  AnnounceRange(begin, end);
  if (restorer_->vault().header().has_host_codings()) return ReadHostUnits(begin, end, options, consumer, nullptr);
  const int threads = ThreadCount(options.threads);
  const uint32_t segment_size = restorer_->vault().header().segment_size;
  if (threads == 1 || end - begin <= segment_size) return ReadTiles(begin, end, options, consumer);

  // Pieces begin where segments do, so that no thread decodes what another needs. Where that is follows from the
  // piece's number: a small file may claim more segments than a list of them should take.
  const uint64_t first_segment = begin / segment_size;
  const auto piece_begin = [&](uint64_t piece) {
    if (piece == 0) return begin;
    const StripCursor cursor(&layout_, static_cast<size_t>((first_segment + piece) * segment_size));
    return cursor.at_end() ? end : std::min<uint64_t>(end, cursor.strip().offset);
  };
  const uint64_t pieces = (end - 1) / segment_size - first_segment + 1;
  const auto piece_end = [&](uint64_t piece) { return piece + 1 < pieces ? piece_begin(piece + 1) : end; };
  RestoreOptions one = options;
  one.trace = nullptr;
  return OrderedParallel<std::vector<uint8_t>>(
      pieces, threads,
      [&](uint64_t piece) -> absl::StatusOr<std::vector<uint8_t>> {
        const uint64_t from = piece_begin(piece);
        const uint64_t to = piece_end(piece);
        std::vector<uint8_t> bytes;
        bytes.reserve(static_cast<size_t>(to - from));
        absl::Status status = ReadTiles(from, to, one, [&bytes](uint64_t, absl::Span<const uint8_t> tile) {
          bytes.insert(bytes.end(), tile.begin(), tile.end());
          return absl::OkStatus();
        });
        if (!status.ok()) return status;
        return bytes;
      },
      [&](uint64_t piece, std::vector<uint8_t> bytes) {
        if (bytes.empty()) return absl::OkStatus();  // The last segment may hold no strip.
        return consumer(piece_begin(piece), bytes);
      });
}

absl::Status VaultModel::Restore(const RestoreOptions& options, const Consumer& consumer) const {
  ModelDigester digester;
  absl::Status status;
  if (restorer_->vault().header().has_host_codings()) {
    status = CheckRange(0, data_size(), options);
    if (status.ok()) {
      AnnounceRange(0, data_size());
      status = ReadHostUnits(0, data_size(), options, consumer, &digester);
    }
  } else {
    status = ReadRange(0, data_size(), options, [&](uint64_t offset, absl::Span<const uint8_t> bytes) {
      digester.Update(bytes);
      return consumer(offset, bytes);
    });
  }
  if (!status.ok()) return status;
  const ModelDigests computed = digester.Digests();
  if (computed == digests_) return absl::OkStatus();
  const std::string model = is_base_ ? "base" : absl::StrCat("variant '", name_, "'");
  return absl::DataLossError(absl::StrFormat(
      "%s: %s: digest mismatch over %d bytes: expected XXH3-128 %s and XXH64 %016x, computed %s and %016x",
      restorer_->vault().path(), model, data_size(), HexText(digests_.xxh3), digests_.xxh64, HexText(computed.xxh3),
      computed.xxh64));
}

absl::Status VaultModel::Verify(const RestoreOptions& options) const {
  RestoreOptions any = options;
  any.any_order = true;
  return Restore(any, [](uint64_t, absl::Span<const uint8_t>) { return absl::OkStatus(); });
}

}  // namespace modelvault
