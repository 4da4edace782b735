// Files that NumPy writes: one array (.npy), or several in a ZIP archive (.npz).
#ifndef MODELVAULT_TOOLS_FORMATS_ARCHIVE_NUMPY_FORMATS_H_
#define MODELVAULT_TOOLS_FORMATS_ARCHIVE_NUMPY_FORMATS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/formats/described/described_format.h"

namespace modelvault {

// Thread-safe. The tensor is called "array".
class NpyFormat : public DescribedFormat {
 public:
  absl::string_view name() const override { return "npy"; }
  std::vector<absl::string_view> extensions() const override { return {".npy"}; }
  bool Recognises(absl::Span<const uint8_t> head) const override;
  absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile& file,
                                                     const std::vector<FilePart>& files) const override;
};

// Thread-safe. A tensor is called as its array, the member's name without ".npy". Members that are compressed, or no
// arrays, are opaque.
class NpzFormat : public DescribedFormat {
 public:
  absl::string_view name() const override { return "npz"; }
  std::vector<absl::string_view> extensions() const override { return {".npz"}; }
  bool Recognises(absl::Span<const uint8_t> head) const override;
  absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile& file,
                                                     const std::vector<FilePart>& files) const override;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ARCHIVE_NUMPY_FORMATS_H_
