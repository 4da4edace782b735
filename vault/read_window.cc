#include "vault/read_window.h"

#include <algorithm>
#include <cstddef>

#include "vault/error_place.h"

namespace modelvault {

bool ReadWindow::Has(uint64_t begin, uint64_t end) const {
  return begin >= begin_ && begin <= end && end <= begin_ + bytes_.size();
}

absl::Status ReadWindow::Load(uint64_t begin, uint64_t end) {
  end = std::min(end, file_->size());
  begin = std::min(begin, end);
  if (Has(begin, end)) return absl::OkStatus();
  bytes_.resize(static_cast<size_t>(end - begin));
  begin_ = begin;
  absl::Status status = AtFileOffset(file_->ReadAt(begin, absl::MakeSpan(bytes_)), begin);
  if (!status.ok()) bytes_.clear();
  return status;
}

absl::Status ReadWindow::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  const uint64_t end = offset + out.size();
  if (end < offset || !Has(offset, end)) return AtFileOffset(file_->ReadAt(offset, out), offset);
  std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset - begin_), out.size(), out.begin());
  return absl::OkStatus();
}

}  // namespace modelvault
