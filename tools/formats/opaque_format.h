// Files that are carried without being understood.
#ifndef MODELVAULT_TOOLS_FORMATS_OPAQUE_FORMAT_H_
#define MODELVAULT_TOOLS_FORMATS_OPAQUE_FORMAT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/formats/described/described_format.h"
#include "vault/file_system.h"

namespace modelvault {

inline constexpr char kOpaqueFormatName[] = "opaque bytes";

// Any file, as one tensor "file" of opaque bytes. It recognises nothing: a file is opened as one by those who are asked
// to.
class OpaqueFormat : public DescribedFormat {
 public:
  absl::string_view name() const override { return kOpaqueFormatName; }
  std::vector<absl::string_view> extensions() const override { return {}; }
  bool Recognises(absl::Span<const uint8_t>) const override { return false; }
  absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile& file,
                                                     const std::vector<FilePart>&) const override {
    TypedRange all;
    all.tensor.name = "file";
    all.tensor.opaque_type = "bytes";
    all.tensor.end = file.size();
    return std::vector<TypedRange>{all};
  }
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_OPAQUE_FORMAT_H_
