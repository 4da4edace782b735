#include "restore/model_source.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace modelvault {

absl::Status ModelSource::Load(uint64_t window) {
  const uint64_t begin = window * window_size_;
  const uint64_t end = begin + std::min(window_size_, size() - begin);
  window_.clear();
  window_.reserve(static_cast<size_t>(end - begin));
  absl::Status status = model_->ReadRange(begin, end, {}, [&](uint64_t, absl::Span<const uint8_t> bytes) {
    window_.insert(window_.end(), bytes.begin(), bytes.end());
    return absl::OkStatus();
  });
  if (!status.ok()) window_.clear();
  begin_ = begin;
  return status;
}

absl::Status ModelSource::Read(uint64_t offset, absl::Span<uint8_t> out) {
  if (offset > size() || out.size() > size() - offset) {
    return absl::OutOfRangeError(absl::StrCat("read of ", out.size(), " bytes at offset ", offset, " of '",
                                              model_->name(), "', which has ", size()));
  }
  while (!out.empty()) {
    if (offset < begin_ || offset - begin_ >= window_.size()) {
      if (absl::Status status = Load(offset / window_size_); !status.ok()) return status;
    }
    const size_t at = static_cast<size_t>(offset - begin_);
    const size_t count = std::min(out.size(), window_.size() - at);
    std::copy_n(window_.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
    out.remove_prefix(count);
    offset += count;
  }
  return absl::OkStatus();
}

}  // namespace modelvault
