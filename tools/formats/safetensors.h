#ifndef MODELVAULT_TOOLS_FORMATS_SAFETENSORS_H_
#define MODELVAULT_TOOLS_FORMATS_SAFETENSORS_H_

// Reads and writes the safetensors format: an 8-byte little-endian length, a JSON header of that length, then the
// tensors' bytes. Files are hostile: everything the header says is checked before it is used, and what is accepted is
// exactly described by its tensors. Anything wrong with a file is kInvalidArgument and names the file, the tensor, and
// what was expected and found; a failing disk is kUnavailable.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vault/file_system.h"

namespace modelvault {

inline constexpr uint64_t kMaxSafetensorsHeaderSize = 100'000'000;  // JSON bytes; the reference reader's limit
inline constexpr size_t kMaxTensorNameSize = 1024;                  // bytes
inline constexpr size_t kMaxTensorRank = 64;

struct TensorInfo {
  std::string name;             // UTF-8, 1 to kMaxTensorNameSize bytes, no NUL
  std::string dtype;            // as in the file, e.g. "I8" or "F16"; DtypeBits() knows the common ones
  std::vector<uint64_t> shape;  // outermost dimension first; empty for a scalar; a dimension may be 0
  uint64_t begin = 0;           // bytes from the start of the data section
  uint64_t end = 0;             // one past the last byte

  uint64_t size() const { return end - begin; }
  bool operator==(const TensorInfo&) const = default;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

// Bits an element takes, or nothing for a dtype that is not known; such tensors are opaque bytes.
std::optional<uint32_t> DtypeBits(absl::string_view dtype);

// Elements in a tensor of this shape: 1 for a scalar, 0 if any dimension is 0; nothing if it does not fit 64 bits.
std::optional<uint64_t> ElementCount(absl::Span<const uint64_t> shape);

// Elements of a tensor from a valid header; bytes where its dtype is not known.
uint64_t Elements(const TensorInfo& tensor);

struct SafetensorsHeader {
  // In data order: by begin, then end, then name. Together they cover the data section without hole or overlap.
  std::vector<TensorInfo> tensors;
  SafetensorsMetadata metadata;
};

// Parses `header_bytes`, which are the length, the JSON and its padding and nothing else, of a file whose data section
// has `data_size` bytes. `file_name` is for messages. Memory stays within a small multiple of the header's size.
//
// Refused: a length other than what follows it, JSON that does not start with '{' or is not well-formed UTF-8, NUL
// bytes, repeated keys, missing or mistyped fields, ranges that lie outside the data section, overlap or leave holes,
// sizes that do not follow from dtype and shape. Accepted: keys of a tensor other than dtype, shape and data_offsets
// (the reference reader ignores them, too), and unknown dtypes.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::Span<const uint8_t> header_bytes, uint64_t data_size,
                                                         absl::string_view file_name);

// The canonical header for `tensors`, laid out one after the other in the order given: its length, compact JSON, and
// spaces up to a multiple of 8 bytes. Of begin and end only their difference counts. Equal input gives equal bytes.
// kInvalidArgument for anything ParseSafetensorsHeader would refuse.
absl::StatusOr<std::string> SafetensorsHeaderFor(absl::Span<const TensorInfo> tensors,
                                                 const SafetensorsMetadata& metadata);

// An open file whose header was found valid. Thread-safe: nothing changes after Open.
class SafetensorsFile {
 public:
  // Reads the header only. `file_system` must outlive the result.
  static absl::StatusOr<SafetensorsFile> Open(FileSystem& file_system, absl::string_view path);

  // The same for a file that is open already.
  static absl::StatusOr<SafetensorsFile> FromFile(std::unique_ptr<RandomAccessFile> file);

  // The 8-byte length, the JSON and its padding, exactly as in the file; the data section follows at data_offset().
  const std::string& header_bytes() const { return header_bytes_; }

  // In data order, see SafetensorsHeader.
  const std::vector<TensorInfo>& tensors() const { return header_.tensors; }

  const SafetensorsMetadata& metadata() const { return header_.metadata; }
  uint64_t data_offset() const { return header_bytes_.size(); }
  uint64_t data_size() const { return file_->size() - header_bytes_.size(); }
  const std::string& path() const { return file_->path(); }
  const RandomAccessFile& file() const { return *file_; }

  // Fills all of `out` with the bytes at `offset` of the data section; the range must lie within it.
  absl::Status ReadData(uint64_t offset, absl::Span<uint8_t> out) const;

 private:
  SafetensorsFile(std::unique_ptr<RandomAccessFile> file, std::string header_bytes, SafetensorsHeader header)
      : file_(std::move(file)), header_bytes_(std::move(header_bytes)), header_(std::move(header)) {}

  std::unique_ptr<RandomAccessFile> file_;
  std::string header_bytes_;
  SafetensorsHeader header_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_SAFETENSORS_H_
