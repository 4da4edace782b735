// A safetensors file as the codec sees it.
#ifndef MODELVAULT_TOOLS_PACKING_MODEL_FILE_H_
#define MODELVAULT_TOOLS_PACKING_MODEL_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/data_source.h"
#include "codec/layout_encoder.h"
#include "codec/tensor_spec.h"
#include "tools/formats/safetensors.h"

namespace modelvault {

// The codec's view of a tensor; a dtype the codec has no arithmetic for becomes opaque bytes.
TensorSpec SpecOf(const TensorInfo& tensor);
std::vector<TensorSpec> SpecsOf(absl::Span<const TensorInfo> tensors);

// How a variant's tensors lie beside its base's. Base tensors may be missing or named repeatedly, and tensors have none
// (codec/layout_encoder.h); one that is named has the variant tensor's shape, or one of the two is opaque.
struct VariantMatch {
  bool own_layout = false;           // Anything but the base's tensors in their order, of their dtypes and sizes.
  std::vector<LayoutEntry> tensors;  // In the variant's data order.
};

// Pairs tensors by name. InvalidArgument if names or shapes differ, naming the first tensor that does.
absl::StatusOr<VariantMatch> MatchVariant(absl::Span<const TensorInfo> base, absl::Span<const TensorInfo> variant,
                                          absl::string_view variant_path);

// The data section of an open file, which must outlive it. Thread-safe.
class FileDataSource : public DataSource {
 public:
  explicit FileDataSource(const SafetensorsFile* file) : file_(file) {}
  uint64_t size() const override { return file_->data_size(); }
  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) override { return file_->ReadData(offset, out); }

 private:
  const SafetensorsFile* file_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_MODEL_FILE_H_
