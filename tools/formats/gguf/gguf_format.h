// GGUF files of the versions 2 and 3, read by our own parser: the format is small, and no library of Debian's reads it.
//
//   magic "GGUF", u32 version, u64 tensors, u64 keys; keys with typed values; a name, a shape, a type and an offset for
//   each tensor; zeros up to a multiple of the alignment (general.alignment, 32 without it); the tensors' bytes, from
//   where offsets count
//
// All integers are little-endian; a string is a u64 length and its bytes, not terminated.
#ifndef MODELVAULT_TOOLS_FORMATS_GGUF_GGUF_FORMAT_H_
#define MODELVAULT_TOOLS_FORMATS_GGUF_GGUF_FORMAT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/formats/described/described_format.h"

namespace modelvault {

// Thread-safe. Tensors of plain numbers are typed as such. Those of Q8_0 and Q4_0 are woven of a tensor of their name,
// I8 or, two elements a byte, U8, and NAME.scales of F16. All other types are opaque, under the names that ggml gives
// them. Shapes have the outermost dimension first, in the file it is the last.
class GgufFormat : public DescribedFormat {
 public:
  absl::string_view name() const override { return "gguf"; }
  std::vector<absl::string_view> extensions() const override { return {".gguf"}; }
  bool Recognises(absl::Span<const uint8_t> head) const override;
  absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile& file,
                                                     const std::vector<FilePart>& files) const override;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_GGUF_GGUF_FORMAT_H_
