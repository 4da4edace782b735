#include "restore/file_placer.h"

#include <algorithm>

#include "codec/text_bytes.h"

namespace modelvault {

FilePlacer::FilePlacer(absl::string_view frame, const ModelStructure& structure, Sink sink)
    : frame_(frame.substr(static_cast<size_t>(structure.description_size))),
      pieces_(structure.pieces),
      sink_(std::move(sink)) {
  uint64_t end = 0;
  for (const FramePiece& piece : pieces_) piece_ends_.push_back(end += piece.size);
}

FilePlacer::Before FilePlacer::FrameBefore(uint64_t data_offset) const {
  const auto after = std::partition_point(pieces_.begin(), pieces_.end(),
                                          [&](const FramePiece& piece) { return piece.data_offset <= data_offset; });
  const size_t count = static_cast<size_t>(after - pieces_.begin());
  return {count, count == 0 ? 0 : piece_ends_[count - 1]};
}

absl::Status FilePlacer::Place(uint64_t data_offset, absl::Span<const uint8_t> data) const {
  while (!data.empty()) {
    const Before before = FrameBefore(data_offset);
    uint64_t count = data.size();
    if (before.pieces < pieces_.size()) count = std::min(count, pieces_[before.pieces].data_offset - data_offset);
    const absl::Span<const uint8_t> now = data.first(static_cast<size_t>(count));
    if (absl::Status status = sink_(data_offset + before.bytes, now); !status.ok()) return status;
    data.remove_prefix(now.size());
    data_offset += count;
  }
  return absl::OkStatus();
}

absl::Status FilePlacer::PlaceFrame() const {
  uint64_t begin = 0;
  for (size_t i = 0; i < pieces_.size(); begin = piece_ends_[i++]) {
    const absl::string_view bytes = frame_.substr(static_cast<size_t>(begin), static_cast<size_t>(pieces_[i].size));
    if (bytes.empty()) continue;
    if (absl::Status status = sink_(pieces_[i].data_offset + begin, BytesOf(bytes)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace modelvault
