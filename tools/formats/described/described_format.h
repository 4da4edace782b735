// Formats whose parsers tell where the typed tensors of a file are, and no more: what is common to all of them makes a
// frame that describes itself (restore/described_frame.h).
#ifndef MODELVAULT_TOOLS_FORMATS_DESCRIBED_DESCRIBED_FORMAT_H_
#define MODELVAULT_TOOLS_FORMATS_DESCRIBED_DESCRIBED_FORMAT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/model_tensor.h"
#include "restore/model_file.h"
#include "vault/file_system.h"

namespace modelvault {

// What one tensor has of each block of a weave.
struct WovenPart {
  ModelTensor tensor;  // begin and end are not looked at.
  uint32_t bytes = 0;  // Of a block.
};

// A tensor of a file, or several whose blocks alternate.
struct TypedRange {
  // begin and end are the bytes' places in the file (of several files: in all of them, joined). A name that is empty,
  // occurs before or is not UTF-8 is changed so that it can be told from the others.
  ModelTensor tensor;
  // Two parts and more: the range is a weave of them. The tensor, an opaque one, tells its place, its name in messages,
  // and what becomes of it where it has more than kMaxWeaveSize bytes, and so is not taken apart.
  std::vector<WovenPart> parts;
};

// Opaque bytes in one piece that a frame holds, at most: more of them become a tensor of opaque bytes.
inline constexpr uint64_t kMaxFramePiece = uint64_t{1} << 20;

// The frame of `file` with these tensors, which come in any order. The same range twice is taken once, under its first
// name; tensors without bytes are left out. kInvalidArgument, naming the file, the tensor and the offset, for ranges
// that lie outside the file or overlap others, and for shapes whose elements do not fit 64 bits or have another size.
absl::StatusOr<std::string> DescribeFrame(const RandomAccessFile& file, absl::string_view format,
                                          std::vector<TypedRange> ranges, const FrameOptions& options);

// A format of which only this is to be said. Thread-safe.
class DescribedFormat : public ModelFormat {
 public:
  // The tensors of a file, or, with `files`, of several, joined. Everything between them is opaque. The file is
  // hostile; of what they say of places DescribeFrame checks all.
  virtual absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile& file,
                                                             const std::vector<FilePart>& files) const = 0;

  absl::StatusOr<std::string> ReadFrame(const RandomAccessFile& file, const FrameOptions& options) const override;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_DESCRIBED_DESCRIBED_FORMAT_H_
