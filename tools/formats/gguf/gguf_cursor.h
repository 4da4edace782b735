// Reads a GGUF file's fields one after the other.
#ifndef MODELVAULT_TOOLS_FORMATS_GGUF_GGUF_CURSOR_H_
#define MODELVAULT_TOOLS_FORMATS_GGUF_GGUF_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"

namespace modelvault {

// The first failure sticks: everything behind it reads as zeros and empty text.
class GgufCursor {
 public:
  // `file` must outlive this.
  explicit GgufCursor(const RandomAccessFile& file) : file_(file) {}

  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }
  uint64_t offset() const { return offset_; }
  uint64_t left() const { return file_.size() - offset_; }

  // `what` is the field's name in messages.
  uint32_t U32(absl::string_view what);
  uint64_t U64(absl::string_view what);
  // A string of at most kMaxText bytes.
  std::string Text(absl::string_view what);
  void Skip(uint64_t size, absl::string_view what);

  // kInvalidArgument, naming the file and the offset where the cursor is.
  void Fail(absl::string_view problem);

  static constexpr uint64_t kMaxText = 65535;

 private:
  // The next `size` bytes, which stay valid until the next call; nullptr after a failure.
  const uint8_t* Next(size_t size, absl::string_view what);

  const RandomAccessFile& file_;
  uint64_t offset_ = 0;
  absl::Status status_;
  std::vector<uint8_t> buffer_;  // Bytes of the file from buffer_offset_ on.
  uint64_t buffer_offset_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_GGUF_GGUF_CURSOR_H_
