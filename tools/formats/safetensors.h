#ifndef MODELVAULT_TOOLS_FORMATS_SAFETENSORS_H_
#define MODELVAULT_TOOLS_FORMATS_SAFETENSORS_H_

// Reads and writes the safetensors format: an 8-byte little-endian length, a JSON header of that length, then the
// tensors' bytes. Files are hostile: everything the header says is checked before it is used, and what is accepted is
// exactly described by its tensors. Anything wrong with a file is kInvalidArgument and names the file, the tensor, and
// what was expected and found; a failing disk is kUnavailable. Names have 1 to kMaxTensorNameSize bytes of UTF-8
// without a NUL. Types that the coders do not know are kOpaque; the bits of the common ones among them are known all
// the same.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/model_tensor.h"
#include "restore/model_file.h"
#include "tools/formats/described/described_format.h"
#include "vault/file_system.h"

namespace modelvault {

inline constexpr uint64_t kMaxSafetensorsHeaderSize = 100'000'000;  // JSON bytes; the reference reader's limit
inline constexpr size_t kMaxTensorNameSize = 1024;                  // bytes
inline constexpr size_t kMaxTensorRank = 64;

using SafetensorsMetadata = std::map<std::string, std::string>;

// A tensor of the type that the format calls `dtype`, e.g. "I8" or "F8_E4M3".
ModelTensor SafetensorsTensor(std::string name, std::string dtype, std::vector<uint64_t> shape, uint64_t begin,
                              uint64_t end);

struct SafetensorsHeader {
  // In data order: by begin, then end, then name. Together they cover the data section without hole or overlap.
  std::vector<ModelTensor> tensors;
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
absl::StatusOr<std::string> SafetensorsHeaderFor(absl::Span<const ModelTensor> tensors,
                                                 const SafetensorsMetadata& metadata);

// The tensors of the safetensors file that begins at `begin` of `file`, with their places in `file`; messages call it
// `file_name`.
absl::StatusOr<std::vector<TypedRange>> SafetensorsRanges(const RandomAccessFile& file, uint64_t begin, uint64_t size,
                                                          absl::string_view file_name);

// How names of such files end.
inline constexpr char kSafetensorsExtension[] = ".safetensors";

// The format: the frame is the header, the data section all that follows it. Only a whole file is described.
class SafetensorsFormat : public ModelFormat {
 public:
  absl::string_view name() const override { return "safetensors"; }
  std::vector<absl::string_view> extensions() const override { return {kSafetensorsExtension}; }
  bool Recognises(absl::Span<const uint8_t> head) const override;
  absl::StatusOr<std::string> ReadFrame(const RandomAccessFile& file, const FrameOptions& options) const override;
  absl::StatusOr<ModelStructure> ParseFrame(absl::Span<const uint8_t> frame, uint64_t data_size,
                                            absl::string_view file_name) const override;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_SAFETENSORS_H_
