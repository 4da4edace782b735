// Files of PyTorch (torch.save: .pt, .pth, .bin): a ZIP archive of a pickle and of the tensors' storages.
#ifndef MODELVAULT_TOOLS_FORMATS_ARCHIVE_TORCH_FORMAT_H_
#define MODELVAULT_TOOLS_FORMATS_ARCHIVE_TORCH_FORMAT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/formats/described/described_format.h"

namespace modelvault {

// Thread-safe. Each storage is a tensor. Its type, and where one tensor is all of it that tensor's name and shape, are
// read off the pickle, of which nothing is executed (torch_pickle.h); what it does not tell is opaque bytes called
// data/KEY. Files from before PyTorch 1.6, which are one pickle, are recognised, and refused.
class TorchFormat : public DescribedFormat {
 public:
  absl::string_view name() const override { return "pytorch"; }
  std::vector<absl::string_view> extensions() const override { return {".pt", ".pth", ".bin"}; }
  bool Recognises(absl::Span<const uint8_t> head) const override;
  absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile& file,
                                                     const std::vector<FilePart>& files) const override;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ARCHIVE_TORCH_FORMAT_H_
