#include "restore/file_assembler.h"

#include <algorithm>
#include <cstring>

#include "codec/text_bytes.h"

namespace modelvault {
namespace {

constexpr uint64_t kWovenPiece = 64 << 10;  // Bytes of blocks that are put together at a time, at least one block.

}  // namespace

absl::Status FileAssembler::WriteFrame() {
  while (!pieces_.empty() && pieces_.front().data_offset == data_offset_) {
    const size_t size = static_cast<size_t>(pieces_.front().size);
    if (absl::Status status = sink_(BytesOf(frame_.substr(0, size))); !status.ok()) return status;
    frame_.remove_prefix(size);
    pieces_.remove_prefix(1);
  }
  return absl::OkStatus();
}

absl::Status FileAssembler::WriteWeave(const Weave& weave) {
  const size_t block = static_cast<size_t>(weave.block_size());
  const uint64_t step = std::max<uint64_t>(1, kWovenPiece / block);
  std::vector<uint8_t> out;
  for (uint64_t first = 0; first < weave.blocks; first += step) {
    const size_t count = static_cast<size_t>(std::min(step, weave.blocks - first));
    out.resize(count * block);
    size_t part_offset = 0;
    const uint8_t* stream = woven_.data();
    for (const uint32_t part : weave.parts) {
      const uint8_t* from = stream + first * part;
      for (size_t i = 0; i < count; ++i, from += part) std::memcpy(out.data() + i * block + part_offset, from, part);
      part_offset += part;
      stream += weave.blocks * part;
    }
    if (absl::Status status = sink_(out); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status FileAssembler::Append(absl::Span<const uint8_t> data) {
  while (!data.empty()) {
    if (absl::Status status = WriteFrame(); !status.ok()) return status;
    uint64_t count = data.size();
    if (!pieces_.empty()) count = std::min(count, pieces_.front().data_offset - data_offset_);
    const bool woven = !weaves_.empty() && weaves_.front().data_offset <= data_offset_;
    if (!weaves_.empty()) {
      count = std::min(count, (woven ? weaves_.front().end() : weaves_.front().data_offset) - data_offset_);
    }
    const absl::Span<const uint8_t> now = data.first(static_cast<size_t>(count));
    data.remove_prefix(now.size());
    data_offset_ += count;
    if (!woven) {
      if (absl::Status status = sink_(now); !status.ok()) return status;
      continue;
    }
    woven_.reserve(static_cast<size_t>(weaves_.front().size()));
    woven_.insert(woven_.end(), now.begin(), now.end());
    if (data_offset_ < weaves_.front().end()) continue;
    if (absl::Status status = WriteWeave(weaves_.front()); !status.ok()) return status;
    weaves_.remove_prefix(1);
    woven_.clear();
  }
  return absl::OkStatus();
}

}  // namespace modelvault
