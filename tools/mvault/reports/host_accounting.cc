#include "tools/mvault/reports/host_accounting.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "codec/host/pieces.h"

namespace modelvault {
namespace {

// Bytes [begin, end) of a model are stored as `stored`.
CoreStatus AddBlocks(const VariantLayout& layout, uint64_t begin, uint64_t end, const std::vector<uint8_t>& stored,
                     std::vector<BlockBytes>* tensors) {
  ByteReader reader({stored.data(), stored.size()});
  PieceCursor pieces(&layout, static_cast<size_t>(begin), static_cast<size_t>(end));
  for (Piece piece; pieces.Next(&piece);) {
    const size_t before = reader.position();
    ByteView block;
    if (const CoreStatus status = NextBlock(&reader, &block); status != CoreStatus::kOk) return status;
    (*tensors)[piece.tensor].bytes += reader.position() - before;
    ++(*tensors)[piece.tensor].blocks;
  }
  return reader.remaining() == 0 ? CoreStatus::kOk : CoreStatus::kBadStream;
}

}  // namespace

absl::Status AddHostChunks(const NamedVault& vault, uint64_t begin, uint64_t end, std::vector<BlockBytes>* tensors) {
  const VaultHeader& header = vault.vault().header();
  const VariantLayout layout(&vault.restorer().shared());
  std::vector<uint8_t> stored;
  for (uint64_t chunk = begin; chunk < end; ++chunk) {
    if (absl::Status read = vault.vault().ReadBaseChunk(chunk, &stored); !read.ok()) return read;
    const uint64_t at = chunk * header.chunk_size;
    const CoreStatus status =
        AddBlocks(layout, at, at + header.chunk_raw_size(static_cast<size_t>(chunk)), stored, tensors);
    if (status != CoreStatus::kOk) {
      return absl::DataLossError(
          absl::StrFormat("%s: base chunk %d: %s", vault.vault().path(), chunk, CoreStatusName(status)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<BlockBytes>> HostVariantBytes(const VaultModel& model, const NamedVault& vault,
                                                         const VaultBlob& blob) {
  const uint64_t segment_size = vault.vault().header().segment_size;
  std::vector<BlockBytes> tensors(model.layout().tensor_count());
  std::vector<uint8_t> stored;
  for (uint64_t segment = 0; segment < blob.segment_count(); ++segment) {
    if (absl::Status read = vault.vault().ReadSegment(blob, segment, &stored); !read.ok()) return read;
    const uint64_t begin = segment * segment_size;
    const CoreStatus status =
        AddBlocks(model.layout(), begin, std::min(begin + segment_size, model.data_size()), stored, &tensors);
    if (status != CoreStatus::kOk) {
      return absl::DataLossError(absl::StrFormat("%s: variant '%s', segment %d: %s", vault.vault().path(), model.name(),
                                                 segment, CoreStatusName(status)));
    }
  }
  return tensors;
}

}  // namespace modelvault
