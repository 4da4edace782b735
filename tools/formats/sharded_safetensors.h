// Models in several safetensors files: a folder with an index that says which tensor is in which of them.
#ifndef MODELVAULT_TOOLS_FORMATS_SHARDED_SAFETENSORS_H_
#define MODELVAULT_TOOLS_FORMATS_SHARDED_SAFETENSORS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "restore/model_file.h"
#include "tools/formats/described/described_format.h"
#include "vault/file_system.h"

namespace modelvault {

// How the names of indices end.
inline constexpr char kShardIndexExtension[] = ".index.json";

// A folder with one index is a model: the index, its shards, and whatever files are beside them (a configuration, a
// vocabulary), as opaque bytes, hidden ones apart. Refused are shards that are missing (NotFound), safetensors files
// that the index does not name, folders in the folder, and tensors that are not in the shard where the index has them.
class ShardedSafetensorsFormat : public DescribedFormat {
 public:
  absl::string_view name() const override { return "safetensors in shards"; }
  std::vector<absl::string_view> extensions() const override { return {kShardIndexExtension}; }
  bool Recognises(absl::Span<const uint8_t> head) const override;
  bool has_other_files() const override { return true; }
  absl::StatusOr<std::vector<OtherFile>> OpenOthers(FileSystem& file_system,
                                                    const RandomAccessFile& index) const override;
  absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile& file,
                                                     const std::vector<FilePart>& files) const override;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_SHARDED_SAFETENSORS_H_
