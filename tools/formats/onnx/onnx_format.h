#ifndef MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_FORMAT_H_
#define MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_FORMAT_H_

// ONNX models: one message of Protocol Buffers, and files beside it that hold the values of some of its tensors
// (docs/formats.md).

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "restore/model_file.h"
#include "tools/formats/described/described_format.h"
#include "vault/file_system.h"

namespace modelvault {

class OnnxFormat : public DescribedFormat {
 public:
  absl::string_view name() const override { return "ONNX"; }
  std::vector<absl::string_view> extensions() const override { return {".onnx"}; }
  bool has_other_files() const override { return true; }
  bool names_are_generated() const override { return true; }

  // The format has no magic. A file begins with the version of the format, and goes on with fields of a model only.
  bool Recognises(absl::Span<const uint8_t> head) const override;

  // The files that tensors name, in the order of first use. Errors name the tensor.
  absl::StatusOr<std::vector<OtherFile>> OpenOthers(FileSystem& file_system,
                                                    const RandomAccessFile& file) const override;

  // Of several files the first is the message; the others have the paths that tensors name.
  absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile& file,
                                                     const std::vector<FilePart>& files) const override;

  bool has_quantisation() const override { return true; }
  absl::StatusOr<std::vector<TensorQuantisation>> ReadQuantisation(const RandomAccessFile& file,
                                                                   const std::vector<FilePart>& files) const override;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_FORMAT_H_
