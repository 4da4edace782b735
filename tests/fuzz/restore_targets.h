// What the fuzz targets of restore/ do with an input, their promises checked with aborts.
// tests/restore/fuzz_seeds_test.cc runs the same on the seeds, which must decode and verify.
//
//   variant_stream:  u8 chunk size (256 << n % 3), u8 tile sizes and range, piece MODEL, piece stored layout (empty:
//                    the base's), u8 count of chunks, a piece each, then segments of 4,096 raw bytes, a piece each
//                    (none: the variant is the base)
//   vault_file:      u8 how (odd: after all checksums were made right), rest = the vault
#ifndef MODELVAULT_TESTS_FUZZ_RESTORE_TARGETS_H_
#define MODELVAULT_TESTS_FUZZ_RESTORE_TARGETS_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "restore/core/variant_stream.h"
#include "restore/infer/delta_list.h"
#include "restore/model_weights.h"
#include "restore/restorer.h"
#include "tests/fuzz/codec_targets.h"
#include "tests/restore/forged_vault.h"
#include "tests/vault/memory_file.h"

namespace modelvault {

// Stored pieces, one at a time in a block of just its size.
struct FuzzPieces {
  std::vector<std::vector<uint8_t>> stored;
  std::unique_ptr<uint8_t[]> current;

  static CoreStatus Fetch(void* self, uint64_t number, ByteView* out) {
    auto* pieces = static_cast<FuzzPieces*>(self);
    if (number >= pieces->stored.size()) return CoreStatus::kReadFailed;
    const std::vector<uint8_t>& piece = pieces->stored[static_cast<size_t>(number)];
    pieces->current.reset(new uint8_t[piece.size()]);
    std::copy(piece.begin(), piece.end(), pieces->current.get());
    *out = {pieces->current.get(), piece.size()};
    return CoreStatus::kOk;
  }
};

// Reads [begin, end), checking the tiles' places and sizes.
inline CoreStatus FuzzTiles(VariantStream* stream, uint64_t begin, uint64_t end, size_t tile_size,
                            std::vector<uint8_t>* bytes) {
  bytes->clear();
  CoreStatus status = stream->Start(begin, end, tile_size);
  while (status == CoreStatus::kOk) {
    Check(stream->position() == begin + bytes->size());
    ByteView tile;
    status = stream->Next(&tile);
    if (status != CoreStatus::kOk) {
      Check(tile.size == 0);
      break;
    }
    if (tile.size == 0) break;
    bytes->insert(bytes->end(), tile.data, tile.data + tile.size);
    Check(bytes->size() <= end - begin && (tile.size == tile_size || bytes->size() == end - begin));
  }
  if (status == CoreStatus::kOk) Check(bytes->size() == end - begin);
  return status;
}

inline CoreStatus FuzzVariantStream(const uint8_t* data, size_t size) {
  constexpr uint32_t kSegmentSize = 4096;
  constexpr uint64_t kMostBytes = 20000;  // Read of one input.
  FuzzInput input(data, size);
  const uint32_t chunk_size = 256u << (input.Byte() % 3);
  const uint8_t choice = input.Byte();
  const FuzzModel fuzzed(input.Piece());
  if (fuzzed.status != CoreStatus::kOk) return fuzzed.status;
  const std::vector<uint8_t> stored_layout = input.Piece();
  const FuzzVariant variant(&fuzzed.shared, stored_layout);
  if (!stored_layout.empty() && variant.status != CoreStatus::kOk) return variant.status;
  const VariantLayout& layout = variant.layout;
  FuzzPieces chunks, segments;
  for (int count = input.Byte(); count > 0; --count) chunks.stored.push_back(input.Piece());
  for (;;) {
    std::vector<uint8_t> segment = input.Piece();
    if (segment.empty()) break;
    segments.stored.push_back(std::move(segment));
  }

  const size_t columns = static_cast<size_t>(fuzzed.shared.max_prior_cols());
  const size_t tile_sizes[] = {256, size_t{257} + choice, 4096};
  std::vector<uint8_t> order(columns), tile(TileBufferSize(4096));
  std::vector<StripColumns> strips(ColumnOrder::StripCount(columns));
  const auto tables = std::make_unique<WideTableCache>();
  VariantStream stream(&layout, chunk_size, kSegmentSize, {&FuzzPieces::Fetch, &chunks},
                       segments.stored.empty() ? SegmentSource{} : SegmentSource{&FuzzPieces::Fetch, &segments},
                       {tables.get(), {order.data(), strips.data(), columns}, {tile.data(), tile.size()}});
  // All of a small variant, a window of a large one.
  const uint64_t data_size = layout.data_size();
  const uint64_t begin = data_size <= kMostBytes ? 0 : (data_size - kMostBytes) / 255 * choice;
  const uint64_t end = std::min(data_size, begin + kMostBytes);
  std::vector<uint8_t> first, bytes;
  const CoreStatus status = FuzzTiles(&stream, begin, end, tile_sizes[0], &first);
  for (const size_t tile_size : tile_sizes) {
    const CoreStatus again = FuzzTiles(&stream, begin, end, tile_size, &bytes);
    Check((again == CoreStatus::kOk) == (status == CoreStatus::kOk));
    const size_t common = std::min(first.size(), bytes.size());
    Check(std::equal(first.begin(), first.begin() + static_cast<ptrdiff_t>(common), bytes.begin()));
  }
  if (status != CoreStatus::kOk) return status;
  // Every range of what decodes is a slice of it.
  for (uint64_t i = 1; i <= 4; ++i) {
    const uint64_t from = begin + (end - begin) * (choice * i % 256) / 256;
    const uint64_t to = from + (end - from) * i / 5;
    Check(FuzzTiles(&stream, from, to, tile_sizes[i % 3], &bytes) == CoreStatus::kOk);
    Check(std::equal(bytes.begin(), bytes.end(), first.begin() + static_cast<ptrdiff_t>(from - begin)));
  }
  return CoreStatus::kOk;
}

// The weights of a model that restores to `data`, as an engine takes them: listed, and restored each time.
inline void FuzzWeights(const Restorer& restorer, const VaultModel& model, const std::vector<uint8_t>& data) {
  using Tensors = std::vector<std::vector<uint8_t>>;
  const SharedTables& shared = restorer.shared();
  for (const size_t room : {ModelWeights::kAnyList, size_t{8} * shared.tensor_count()}) {
    Tensors consumed(shared.tensor_count());
    const TensorConsumer consumer = {[](void* tensors, size_t tensor, size_t offset, ByteView bytes) {
                                       std::vector<uint8_t>& to = (*static_cast<Tensors*>(tensors))[tensor];
                                       Check(to.size() == offset);
                                       to.insert(to.end(), bytes.data, bytes.data + bytes.size);
                                       return CoreStatus::kOk;
                                     },
                                     &consumed};
    const auto weights = ModelWeights::Open(restorer, model.name(), consumer, room);
    Check(weights.ok());
    std::vector<uint8_t> all;
    for (const std::vector<uint8_t>& tensor : consumed) all.insert(all.end(), tensor.begin(), tensor.end());
    if (model.layout().is_base_layout()) Check(all == data);
    const WeightSource source = (*weights)->source();
    for (size_t i = 0; i < shared.tensor_count(); ++i) {
      if (shared.tensor(i).dtype != DType::kI8 || consumed[i].size() != shared.tensor(i).size) continue;
      std::vector<uint8_t> bytes;
      ByteView piece;
      CoreStatus status = source.start(source.context, i, 0, consumed[i].size());
      if (status != CoreStatus::kOk && consumed[i].empty()) continue;  // The variant has it not, or in another type.
      do {
        if (status == CoreStatus::kOk) status = source.next(source.context, &piece);
        Check(status == CoreStatus::kOk);
        bytes.insert(bytes.end(), piece.data, piece.data + piece.size);
      } while (piece.size > 0);
      DeltaCursor cursor = source.deltas != nullptr ? source.deltas->tensor(i) : DeltaCursor();
      for (; cursor.place() != SIZE_MAX; cursor.Step()) {
        Check(cursor.place() < bytes.size());
        bytes[cursor.place()] = static_cast<uint8_t>(static_cast<int8_t>(bytes[cursor.place()]) + cursor.difference());
      }
      Check(bytes == consumed[i]);
    }
  }
}

// What `mvault verify` does, as far as a fuzzer has time for: the first error.
inline absl::Status FuzzVaultFile(const uint8_t* data, size_t size) {
  constexpr size_t kMostModels = 8;
  constexpr uint64_t kMostBytes = 1 << 18;
  constexpr uint32_t kMostPiece = 1 << 16;
  FuzzInput input(data, size);
  const bool repair = input.Byte() % 2 == 1;
  std::vector<uint8_t> vault = input.Rest();
  if (repair) RepairEverything(vault.data(), vault.size());

  absl::Status first_error;
  const auto note = [&first_error](const absl::Status& status) {
    if (status.ok()) return;
    Check(absl::StartsWith(status.message(), "memory: ") && status.message().size() < 4000);
    Check(absl::IsDataLoss(status) || absl::IsUnimplemented(status));
    first_error.Update(status);
  };
  auto reader = VaultReader::FromFile(std::make_unique<MemoryFile>(std::move(vault)));
  note(reader.status());
  if (!reader.ok()) return first_error;
  const auto restorer = Restorer::FromReader(*std::move(reader));
  note(restorer.status());
  if (!restorer.ok()) return first_error;
  note((*restorer)->vault().CheckPadding());
  note((*restorer)->vault().CheckBaseSection());

  const VaultHeader& header = (*restorer)->vault().header();
  if (header.has_network()) note((*restorer)->network().status());
  const auto check_model = [&](const VaultModel& model) {
    const uint64_t data_size = model.data_size();
    if (data_size > kMostBytes && std::max(header.chunk_size, header.segment_size) > kMostPiece) return;
    std::vector<uint8_t> whole;
    uint64_t at = 0;
    const auto gather = [&](uint64_t offset, absl::Span<const uint8_t> bytes) {
      Check(offset == at && !bytes.empty());
      at += bytes.size();
      whole.insert(whole.end(), bytes.begin(), bytes.end());
      return absl::OkStatus();
    };
    if (data_size > kMostBytes) {
      at = data_size / 2;
      note(model.ReadRange(at, at + 1000, {}, gather));
      return;
    }
    const absl::Status status = model.Restore({}, gather);
    note(status);
    if (!status.ok()) return;
    Check(at == data_size);
    const std::vector<uint8_t> all = std::move(whole);
    whole.clear();
    const uint64_t begin = at = data_size / 3;
    Check(model.ReadRange(begin, data_size, {}, gather).ok());
    Check(std::equal(whole.begin(), whole.end(), all.begin() + static_cast<ptrdiff_t>(begin), all.end()));
    if (!header.has_host_codings()) FuzzWeights(**restorer, model, all);
  };
  const auto base = (*restorer)->OpenBase();
  check_model(**base);
  size_t models = 0;
  for (const VaultVariant& variant : (*restorer)->vault().variants()) {
    if (++models > kMostModels) break;
    note((*restorer)->vault().variant_header(variant.name).status());
    const auto model = (*restorer)->OpenVariant(variant.name);
    note(model.status());
    if (model.ok()) check_model(**model);
  }
  return first_error;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_RESTORE_TARGETS_H_
