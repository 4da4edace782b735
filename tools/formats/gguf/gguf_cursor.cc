#include "tools/formats/gguf/gguf_cursor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "codec/core/bytes.h"

namespace modelvault {
namespace {

constexpr uint64_t kBufferSize = 64 << 10;

}  // namespace

void GgufCursor::Fail(absl::string_view problem) {
  if (!ok()) return;
  status_ = absl::InvalidArgumentError(absl::StrCat(file_.path(), ": bad GGUF at offset ", offset_, ": ", problem));
}

const uint8_t* GgufCursor::Next(size_t size, absl::string_view what) {
  if (ok() && size > left()) Fail(absl::StrCat(what, " of ", size, " bytes, ", left(), " are left in the file"));
  if (!ok()) return nullptr;
  if (offset_ < buffer_offset_ || offset_ - buffer_offset_ > buffer_.size() ||
      size > buffer_.size() - (offset_ - buffer_offset_)) {
    buffer_.resize(static_cast<size_t>(std::min<uint64_t>(left(), std::max<uint64_t>(size, kBufferSize))));
    buffer_offset_ = offset_;
    status_ = file_.ReadAt(offset_, absl::MakeSpan(buffer_));
    if (!ok()) return nullptr;
  }
  const uint8_t* const bytes = buffer_.data() + (offset_ - buffer_offset_);
  offset_ += size;
  return bytes;
}

uint32_t GgufCursor::U32(absl::string_view what) {
  const uint8_t* const bytes = Next(sizeof(uint32_t), what);
  return bytes == nullptr ? 0 : LoadLe32(bytes);
}

uint64_t GgufCursor::U64(absl::string_view what) {
  const uint8_t* const bytes = Next(sizeof(uint64_t), what);
  return bytes == nullptr ? 0 : LoadLe64(bytes);
}

std::string GgufCursor::Text(absl::string_view what) {
  const uint64_t size = U64(what);
  if (size > kMaxText) Fail(absl::StrCat(what, " of ", size, " bytes, at most ", kMaxText, " are taken"));
  const uint8_t* const bytes = Next(ok() ? static_cast<size_t>(size) : 0, what);
  return bytes == nullptr ? "" : std::string(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
}

void GgufCursor::Skip(uint64_t size, absl::string_view what) {
  if (size > left()) Fail(absl::StrCat(what, " of ", size, " bytes, ", left(), " are left in the file"));
  if (ok()) offset_ += size;
}

}  // namespace modelvault
