// VaultModel with host codings: whole segments, decoded side by side.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "restore/host_decoder.h"
#include "restore/restorer.h"
#include "vault/error_place.h"
#include "vault/model_digester.h"
#include "vault/ordered_parallel.h"
#include "vault/shelf.h"

namespace modelvault {
namespace {

// A decoder and what it decodes to.
struct Worker {
  Worker(const VaultReader* reader, const VariantLayout* layout, const VaultBlob* blob)
      : decoder(reader, layout, blob) {}

  HostDecoder decoder;
  std::vector<uint8_t> bytes;
};

struct Unit {
  LeafDigest leaf = {};
  std::unique_ptr<Worker> worker;  // Which holds the bytes; null: they have been taken.
};

}  // namespace

absl::Status VaultModel::ReadHostUnits(uint64_t begin, uint64_t end, const RestoreOptions& options,
                                       const Consumer& consumer, ModelDigester* digester) const {
  if (begin == end) return absl::OkStatus();
  const VaultHeader& header = restorer_->vault().header();
  const uint64_t unit_size = is_base_ ? header.chunk_size : header.segment_size;
  const uint64_t first = begin / unit_size;
  const auto unit_begin = [&](uint64_t i) { return std::max(begin, (first + i) * unit_size); };
  const auto unit_end = [&](uint64_t i) { return std::min(end, (first + i + 1) * unit_size); };
  Shelf<Worker> shelf(
      [&] { return std::make_unique<Worker>(&restorer_->vault(), &layout_, is_base_ ? nullptr : blob_.get()); });
  const auto take = [&](uint64_t i, const std::vector<uint8_t>& bytes) { return consumer(unit_begin(i), bytes); };
  return OrderedParallel<Unit>(
      (end - 1) / unit_size - first + 1, ThreadCount(options.threads),
      [&](uint64_t i) -> absl::StatusOr<Unit> {
        Unit unit;
        unit.worker = shelf.Take();
        HostDecoder& decoder = unit.worker->decoder;
        std::vector<uint8_t>& bytes = unit.worker->bytes;
        bytes.resize(static_cast<size_t>(unit_end(i) - unit_begin(i)));
        const CoreStatus status = decoder.Read(static_cast<size_t>(unit_begin(i)), absl::MakeSpan(bytes));
        if (status != CoreStatus::kOk) {
          return AtDataOffset(
              status == CoreStatus::kReadFailed ? decoder.error() : Describe(status, decoder.position()),
              decoder.position());
        }
        if (digester != nullptr) unit.leaf = DigestLeaf(bytes);
        if (!options.any_order) return unit;
        if (absl::Status taken = take(i, bytes); !taken.ok()) return taken;
        shelf.Give(std::move(unit.worker));
        return unit;
      },
      [&](uint64_t i, Unit unit) {
        if (digester != nullptr) digester->Update(unit.leaf);
        if (unit.worker == nullptr) return absl::OkStatus();
        absl::Status taken = take(i, unit.worker->bytes);
        shelf.Give(std::move(unit.worker));
        return taken;
      });
}

}  // namespace modelvault
