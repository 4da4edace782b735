#include "tools/mvault/reports/accounting.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "codec/core/base_decoder.h"
#include "codec/core/segment_decoder.h"
#include "restore/stream_memory.h"
#include "tools/mvault/reports/host_accounting.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr uint64_t kJobSize = 1 << 20;  // Raw bytes of the base one job decodes.
constexpr size_t kReadSize = 64 << 10;

// How far into its stream a decoder is, in bits: what it has read, less what its state still holds.
double BitPosition(size_t stream_size, const RansDecoder& rans) {
  const double held = std::log2(static_cast<double>(std::max<uint32_t>(1, rans.state())));
  return 8.0 * static_cast<double>(stream_size - rans.unread()) - held;
}

// Shares a stream's stored bytes out over `bits`, which become bytes.
void ScaleToSize(size_t stream_size, std::vector<double>* bits) {
  const double sum = std::accumulate(bits->begin(), bits->end(), 0.0);
  if (!(sum > 0)) {
    if (!bits->empty()) bits->front() = static_cast<double>(stream_size);
    return;
  }
  for (double& b : *bits) b *= static_cast<double>(stream_size) / sum;
}

// The chunks of a base, with the size of the stream that was asked for last.
struct WatchedChunks {
  explicit WatchedChunks(const NamedVault& vault)
      : memory(&vault.vault(), vault.restorer().shared(), nullptr, kMinTileSize), source(memory.chunks()) {}

  static CoreStatus Fetch(void* self, size_t chunk, ByteView* stored) {
    auto* watched = static_cast<WatchedChunks*>(self);
    const CoreStatus status = watched->source.fetch(watched->source.context, chunk, stored);
    if (status != CoreStatus::kOk) return status;
    watched->size = stored->size;
    return status;
  }

  StreamMemory memory;
  ChunkSource source;
  size_t size = 0;
};

// Bytes spent on a run of tensors.
struct TensorRun {
  size_t first = 0;
  std::vector<double> bytes;
};

// Decodes chunks [begin, end).
absl::StatusOr<TensorRun> AccountChunks(const NamedVault& vault, uint64_t begin, uint64_t end) {
  const SharedTables& shared = vault.restorer().shared();
  const VaultHeader& header = vault.vault().header();
  WatchedChunks chunks(vault);
  BaseDecoder decoder(&shared, header.chunk_size, {&WatchedChunks::Fetch, &chunks}, chunks.memory.workspace().tables);
  std::vector<uint8_t> buffer(kReadSize);
  TensorRun run;
  run.first = shared.FindTensor(begin * header.chunk_size);
  size_t tensor = run.first;
  for (uint64_t chunk = begin; chunk < end; ++chunk) {
    uint64_t at = chunk * header.chunk_size;
    const uint64_t chunk_end = at + header.chunk_raw_size(chunk);
    const size_t first = tensor;
    std::vector<double> spent;
    double position = 0;
    while (at < chunk_end) {
      const TensorRecord& record = shared.tensor(tensor);
      const uint64_t tensor_end = record.offset + record.size;
      spent.resize(tensor - first + 1);
      if (at >= tensor_end) {
        ++tensor;
        continue;
      }
      const size_t count = static_cast<size_t>(std::min({tensor_end - at, chunk_end - at, uint64_t{buffer.size()}}));
      const CoreStatus status = decoder.Read(at, {buffer.data(), count});
      if (status == CoreStatus::kReadFailed) return chunks.memory.error();
      if (status != CoreStatus::kOk) {
        return absl::DataLossError(absl::StrFormat("%s: base: tensor %s, byte %d of the model's data: %s",
                                                   vault.vault().path(), vault.restorer().TensorName(tensor), at,
                                                   CoreStatusName(status)));
      }
      const double now = 8.0 * static_cast<double>(chunks.size) - static_cast<double>(decoder.stream().unread_bits());
      spent.back() += std::max(0.0, now - position);
      position = now;
      at += count;
    }
    ScaleToSize(chunks.size, &spent);
    run.bytes.resize(first - run.first + spent.size());
    for (size_t i = 0; i < spent.size(); ++i) run.bytes[first - run.first + i] += spent[i];
  }
  return run;
}

// The same with host codings.
absl::StatusOr<TensorRun> AccountHostChunks(const NamedVault& vault, uint64_t begin, uint64_t end) {
  std::vector<BlockBytes> tensors(vault.tensors().size());
  if (absl::Status status = AddHostChunks(vault, begin, end, &tensors); !status.ok()) return status;
  TensorRun run;
  for (const BlockBytes& tensor : tensors) run.bytes.push_back(static_cast<double>(tensor.bytes));
  return run;
}

// Takes the decoder's account of a variant, event by event.
class VariantTracer {
 public:
  explicit VariantTracer(size_t tensor_count) : tensors_(tensor_count), bytes_(2 * tensor_count) {}

  SegmentTrace trace() { return {&VariantTracer::Event, this}; }

  // Of tensor i: the bytes of its symbols at 2 i, of its scales at 2 i + 1.
  const std::vector<double>& bytes() const { return bytes_; }
  std::vector<TensorAccount> TakeTensors() { return std::move(tensors_); }

 private:
  static void Event(void* self, SegmentTrace::Event event, size_t tensor, TensorMode mode, uint32_t value,
                    const RansDecoder& rans) {
    static_cast<VariantTracer*>(self)->Take(event, tensor, mode, value, rans);
  }

  void Take(SegmentTrace::Event event, size_t tensor, TensorMode mode, uint32_t value, const RansDecoder& rans) {
    if (!in_segment_) {
      // Nothing has been read but the first state.
      in_segment_ = true;
      segment_size_ = rans.unread() + 4;
      first_tensor_ = tensor;
      spent_.clear();
      position_ = BitPosition(segment_size_, rans);
    }
    // Before the event, the tensor that was being decoded spent these on symbols, or on the scale that ends now.
    const double now = BitPosition(segment_size_, rans);
    if (!spent_.empty()) {
      spent_[spent_.size() - (event == SegmentTrace::kScaleEnd ? 1 : 2)] += std::max(0.0, now - position_);
    }
    position_ = now;
    TensorAccount& account = tensors_[tensor];
    switch (event) {
      case SegmentTrace::kTensor:
        spent_.resize(2 * (tensor - first_tensor_ + 1));
        break;
      case SegmentTrace::kMode:
        ++account.segments[static_cast<size_t>(mode)];
        break;
      case SegmentTrace::kScaleBegin:
        break;
      case SegmentTrace::kScaleEnd:
        TakeScale(static_cast<uint8_t>(value), &account);
        break;
      case SegmentTrace::kEnd:
        ScaleToSize(segment_size_, &spent_);
        for (size_t i = 0; i < spent_.size(); ++i) bytes_[2 * first_tensor_ + i] += spent_[i];
        in_segment_ = false;
        break;
    }
  }

  static void TakeScale(uint8_t scale, TensorAccount* account) {
    ++account->stored_scales;
    if (scale == 0) {
      ++account->escaped_groups;
      return;
    }
    account->least_scale = account->least_scale == 0 ? scale : std::min(account->least_scale, scale);
    account->most_scale = std::max(account->most_scale, scale);
  }

  std::vector<TensorAccount> tensors_;
  std::vector<double> bytes_;
  bool in_segment_ = false;
  size_t segment_size_ = 0;
  size_t first_tensor_ = 0;
  double position_ = 0;
  std::vector<double> spent_;  // Bits, from first_tensor_ on, in the order of bytes_.
};

TensorMode MostlyIn(const TensorAccount& tensor) {
  const auto most = std::max_element(tensor.segments.begin(), tensor.segments.end());
  return static_cast<TensorMode>(most - tensor.segments.begin());
}

void SplitModel(const SharedTables& shared, uint64_t section_size, VaultAccount* account) {
  for (size_t i = 0; i < shared.tensor_count(); ++i) {
    const TensorRecord& t = shared.tensor(i);
    if ((t.flags & kFlagDictionary) != 0) account->model_dictionaries += t.dictionary_rows * t.cols;
    if ((t.flags & kFlagRowPrior) != 0) account->model_priors += (t.rows + 1) / 2;
    if ((t.flags & kFlagColumnPrior) != 0) account->model_priors += (t.cols + 1) / 2;
  }
  account->model_tables = section_size - account->model_dictionaries - account->model_priors;
}

void AddVariantTo(const NamedModel& open, const VariantAccount& variant, VaultAccount* account) {
  account->heads += variant.head_bytes;
  for (size_t i = 0; i < variant.tensors.size(); ++i) {
    const TensorAccount& tensor = variant.tensors[i];
    const VariantTensor place = open.model->layout().tensor(i);
    const TensorMode mode = tensor.blocks > 0 ? TensorMode::kResidual : MostlyIn(tensor);
    if (place.size > 0 && tensor.blocks == 0) ++account->tensors_by_mode[static_cast<size_t>(mode)];
    if (place.dtype != DType::kI8) {
      account->side += tensor.bytes();
      continue;
    }
    account->scales += tensor.scale_bytes;
    const bool exact = mode == TensorMode::kResidual || mode == TensorMode::kRaw || mode == TensorMode::kPlain;
    (exact ? account->residuals : account->trits) += tensor.symbol_bytes;
  }
}

}  // namespace

std::vector<uint64_t> Apportion(uint64_t total, absl::Span<const double> weights) {
  std::vector<uint64_t> parts(weights.size(), 0);
  if (parts.empty()) return parts;
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (!(sum > 0)) {
    parts.front() = total;
    return parts;
  }
  // Whole parts first, then one more for those that lost most.
  std::vector<std::pair<double, size_t>> lost;
  uint64_t given = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const double exact = static_cast<double>(total) * (weights[i] / sum);
    // Never more than what is left: a double near 2^64 may have been rounded up, even past what an integer holds.
    const uint64_t left = total - given;
    parts[i] = exact >= static_cast<double>(left) ? left : static_cast<uint64_t>(exact);
    given += parts[i];
    lost.emplace_back(static_cast<double>(parts[i]) - exact, i);
  }
  std::sort(lost.begin(), lost.end());
  for (size_t i = 0; given < total; i = (i + 1) % lost.size()) {
    ++parts[lost[i].second];
    ++given;
  }
  return parts;
}

absl::StatusOr<std::vector<uint64_t>> AccountBase(const NamedVault& vault, int threads,
                                                  const ProgressFunction& progress) {
  const VaultHeader& header = vault.vault().header();
  const uint64_t chunks = header.chunk_count();
  const uint64_t batch = std::max<uint64_t>(1, kJobSize / header.chunk_size);
  const uint64_t jobs = chunks / batch + (chunks % batch != 0 ? 1 : 0);
  std::vector<double> bytes(vault.tensors().size());
  const absl::Status status = OrderedParallel<TensorRun>(
      jobs, ThreadCount(threads),
      [&](uint64_t job) {
        const uint64_t end = std::min(chunks, (job + 1) * batch);
        return header.has_host_codings() ? AccountHostChunks(vault, job * batch, end)
                                         : AccountChunks(vault, job * batch, end);
      },
      [&](uint64_t job, TensorRun run) {
        for (size_t i = 0; i < run.bytes.size(); ++i) bytes[run.first + i] += run.bytes[i];
        ReportProgress(progress, "account", job + 1, jobs);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return Apportion(header.section(Section::kBase).size, bytes);
}

namespace {

absl::StatusOr<VariantAccount> AccountHostVariant(const VaultModel& model, const NamedVault& vault,
                                                  const VaultBlob& blob) {
  const absl::StatusOr<std::vector<BlockBytes>> tensors = HostVariantBytes(model, vault, blob);
  if (!tensors.ok()) return tensors.status();
  VariantAccount account;
  account.head_bytes = blob.empty() ? 0 : blob.head_size();
  for (const BlockBytes& tensor : *tensors) {
    TensorAccount& added = account.tensors.emplace_back();
    added.symbol_bytes = tensor.bytes;
    added.blocks = tensor.blocks;
  }
  return account;
}

}  // namespace

absl::StatusOr<VariantAccount> AccountVariant(const VaultModel& model, const NamedVault& vault) {
  absl::StatusOr<const VaultVariant*> variant = vault.vault().Find(model.name());
  if (!variant.ok()) return variant.status();
  const absl::StatusOr<VaultBlob> blob = vault.vault().OpenBlob(**variant);
  if (!blob.ok()) return blob.status();
  if (vault.vault().header().has_host_codings()) return AccountHostVariant(model, vault, *blob);
  VariantTracer tracer(model.layout().tensor_count());
  const SegmentTrace trace = tracer.trace();
  RestoreOptions options;
  options.trace = &trace;
  if (absl::Status status = model.Verify(options); !status.ok()) return status;
  VariantAccount account;
  // A blob without a directory, or with nothing to code, may be all head.
  account.head_bytes = blob->empty() ? 0 : blob->head_size();
  const std::vector<uint64_t> shares = Apportion(blob->size() - account.head_bytes, tracer.bytes());
  account.tensors = tracer.TakeTensors();
  for (size_t i = 0; i < account.tensors.size(); ++i) {
    account.tensors[i].symbol_bytes = shares[2 * i];
    account.tensors[i].scale_bytes = shares[2 * i + 1];
  }
  return account;
}

absl::StatusOr<VaultAccount> AccountVault(const NamedVault& vault, int threads, const ProgressFunction& progress) {
  const VaultBytes sections = vault.vault().BytesBySection();
  VaultAccount account;
  account.file = sections.file;
  account.header = sections.header;
  account.chunks = sections.chunks;
  account.index = sections.index;
  account.manifest = sections.manifest;
  account.signature = sections.signature;
  account.padding = sections.unused;
  SplitModel(vault.restorer().shared(), sections.model, &account);
  const absl::StatusOr<Network> network = vault.restorer().network();
  account.tokenizer = network.ok() ? network->tokenizer.size : 0;
  account.network = sections.network - account.tokenizer;

  std::vector<VaultVariant> variants;
  for (const VaultVariant& variant : vault.vault().variants()) {
    // Of one that can be opened the account tells what is in it.
    account.sealed += variant.locked() ? variant.stored_size : variant.sealed.has_value() ? kSealedBlobExtra : 0;
    if (!variant.locked()) variants.push_back(variant);
  }
  vault.vault().WillReadAll();
  const uint64_t total = variants.size() + 1;
  absl::StatusOr<std::vector<uint64_t>> base = AccountBase(vault, threads);
  if (!base.ok()) return base.status();
  account.base_tensors = *std::move(base);
  for (size_t i = 0; i < account.base_tensors.size(); ++i) {
    const bool int8 = vault.restorer().shared().tensor(i).dtype == DType::kI8;
    (int8 ? account.base_int8 : account.base_other) += account.base_tensors[i];
  }
  ReportProgress(progress, "account", 1, total);

  struct Accounted {
    NamedModel open;
    VariantAccount account;
  };
  const absl::Status status = OrderedParallel<Accounted>(
      variants.size(), ThreadCount(threads),
      [&](uint64_t i) -> absl::StatusOr<Accounted> {
        absl::StatusOr<NamedModel> open = vault.OpenModel(variants[i].name);
        if (!open.ok()) return open.status();
        absl::StatusOr<VariantAccount> variant = AccountVariant(*open->model, vault);
        if (!variant.ok()) return variant.status();
        return Accounted{*std::move(open), *std::move(variant)};
      },
      [&](uint64_t i, Accounted accounted) {
        AddVariantTo(accounted.open, accounted.account, &account);
        ReportProgress(progress, "account", i + 2, total);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return account;
}

std::vector<AccountPart> Parts(const VaultAccount& account) {
  return {
      {"header", "header", account.header},
      {"model_tables", "MODEL: tables, tensor list", account.model_tables},
      {"model_dictionaries", "MODEL: repeated rows", account.model_dictionaries},
      {"model_priors", "MODEL: where variants differ", account.model_priors},
      {"chunks", "CHUNKS", account.chunks},
      {"base_int8", "base: INT8", account.base_int8},
      {"base_other", "base: F32 and other", account.base_other},
      {"network", "NETWORK: operators", account.network},
      {"tokenizer", "NETWORK: tokenizer", account.tokenizer},
      {"heads", "variants: heads", account.heads},
      {"trits", "variants: trits (positions, signs)", account.trits},
      {"scales", "variants: scales", account.scales},
      {"residuals", "variants: INT8 residuals", account.residuals},
      {"side", "variants: F32 and other", account.side},
      {"sealed", "variants: sealed", account.sealed},
      {"index", "INDEX", account.index},
      {"manifest", "MANIFEST: file headers", account.manifest},
      {"signature", "SIGNATURE", account.signature},
      {"padding", "padding and holes", account.padding},
  };
}

std::vector<AccountPart> SectionParts(const VaultBytes& sections) {
  return {
      {"header", "header", sections.header},
      {"model", "MODEL", sections.model},
      {"chunks", "CHUNKS", sections.chunks},
      {"base", "BASE", sections.base},
      {"network", "NETWORK", sections.network},
      {"variants", "variants", sections.variants},
      {"index", "INDEX", sections.index},
      {"manifest", "MANIFEST: file headers", sections.manifest},
      {"signature", "SIGNATURE", sections.signature},
      {"padding", "padding and holes", sections.unused},
  };
}

const char* ModeName(TensorMode mode) {
  switch (mode) {
    case TensorMode::kSame:
      return "same";
    case TensorMode::kGap:
      return "gap";
    case TensorMode::kSign:
      return "sign";
    case TensorMode::kResidual:
      return "residual";
    case TensorMode::kRaw:
      return "raw";
    case TensorMode::kGapFlat:
      return "gap-flat";
    case TensorMode::kPlain:
      return "plain";
  }
  return "unknown";
}

}  // namespace modelvault
