// A small part of a model, read at places that follow from its tensors alone, so that two models can be compared
// without reading them whole.
#ifndef MODELVAULT_TOOLS_PACKING_MODEL_SAMPLE_H_
#define MODELVAULT_TOOLS_PACKING_MODEL_SAMPLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/model_tensor.h"
#include "restore/model_file.h"
#include "vault/file_system.h"

namespace modelvault {

// Elements that are read together: 4 KiB of BF16. In elements, so that tensors of two types have the same places.
inline constexpr uint64_t kSampleBlock = 2048;
// Bytes of a model.
inline constexpr uint64_t kDefaultSampleSize = uint64_t{1} << 20;
inline constexpr uint64_t kMinSampleSize = 4 << 10;
inline constexpr uint64_t kMaxSampleSize = uint64_t{64} << 20;

// Bytes of an element; of opaque tensors each byte counts as one.
uint64_t SampledElementSize(const ModelTensor& tensor);
// Blocks that a tensor has; the last may be shorter.
uint64_t SampleBlocks(const ModelTensor& tensor);

struct ModelSample {
  std::string path;
  const ModelFormat* format = nullptr;
  std::vector<ModelTensor> tensors;
  uint64_t file_size = 0;
  std::string frame;
  // Of each tensor: its sampled blocks, joined in the order of NextBlock(). Empty where none is.
  std::vector<std::vector<uint8_t>> bytes;

  uint64_t data_size() const { return DataSize(tensors); }
  uint64_t sampled_size() const;
};

// The next block to be sampled of `count`, at least 1: spread evenly however many are taken, and none twice in `count`
// calls. A smaller sample of a tensor is what a larger one begins with. `*cursor` begins at 0 and is for this alone.
uint64_t NextBlock(uint64_t count, uint64_t* cursor);

// How many blocks of a tensor are sampled: its part of `sample_size` where the model has `data_size` bytes, at random
// but by its name and size alone whether that is rounded up.
uint64_t SampledBlocks(const ModelTensor& tensor, uint64_t data_size, uint64_t sample_size);

// Reads about `sample_size` bytes of a model file by positioned reads of a block, and its frame. Errors are the
// format's and the file system's.
absl::StatusOr<ModelSample> SampleModel(FileSystem& file_system, const std::string& path, uint64_t sample_size);
absl::StatusOr<ModelSample> SampleModel(const ModelFile& file, uint64_t sample_size);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_MODEL_SAMPLE_H_
