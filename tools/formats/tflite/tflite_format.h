// TensorFlow Lite models: a FlatBuffer, and, in files that would be too long for one, weights behind it.
#ifndef MODELVAULT_TOOLS_FORMATS_TFLITE_TFLITE_FORMAT_H_
#define MODELVAULT_TOOLS_FORMATS_TFLITE_TFLITE_FORMAT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "restore/model_file.h"
#include "tools/formats/described/described_format.h"
#include "vault/file_system.h"

namespace modelvault {

// Typed are the buffers of the tensors of all subgraphs, each once. A tensor without a name, or with that of an earlier
// one, is called NAME@SUBGRAPH.NUMBER. Types that the coders do not know (INT4 and smaller ones, packed, strings,
// complex numbers) are opaque. A sparse tensor's bytes are taken as elements in one row. Typed are, too, the scales of
// a tensor that has many, as NAME.scales. Everything else is opaque bytes: operators, zero points, metadata,
// signatures.
//
// The FlatBuffer is verified before anything in it is read. Refused, with the offset, are what the verifier refuses,
// buffers that there are not, or that lie outside the file, negative dimensions, and what DescribeFrame refuses.
class TfliteFormat : public DescribedFormat {
 public:
  absl::string_view name() const override { return "TFLite"; }
  std::vector<absl::string_view> extensions() const override { return {".tflite"}; }
  bool names_are_generated() const override { return true; }
  bool has_quantisation() const override { return true; }
  bool Recognises(absl::Span<const uint8_t> head) const override;
  absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile& file,
                                                     const std::vector<FilePart>& files) const override;
  absl::StatusOr<std::vector<TensorQuantisation>> ReadQuantisation(const RandomAccessFile& file,
                                                                   const std::vector<FilePart>& files) const override;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_TFLITE_TFLITE_FORMAT_H_
