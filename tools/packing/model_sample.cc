#include "tools/packing/model_sample.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "codec/split_mix_64.h"
#include "tools/formats/model_formats.h"

namespace modelvault {
namespace {

// In [0, 1), the same on every machine.
double Draw(const ModelTensor& tensor) {
  uint64_t hash = SplitMix64::Mix(SampleBlocks(tensor) + SplitMix64::kStep);
  for (const char c : tensor.name) hash = SplitMix64::Mix(hash + static_cast<uint8_t>(c) + SplitMix64::kStep);
  return static_cast<double>(hash >> 11) / static_cast<double>(uint64_t{1} << 53);
}

}  // namespace

uint64_t SampledElementSize(const ModelTensor& tensor) {
  return tensor.dtype == DType::kOpaque ? 1 : ElementSize(static_cast<uint8_t>(tensor.dtype));
}

uint64_t SampleBlocks(const ModelTensor& tensor) {
  const uint64_t size = kSampleBlock * SampledElementSize(tensor);
  return tensor.size() / size + (tensor.size() % size != 0 ? 1 : 0);
}

uint64_t ModelSample::sampled_size() const {
  uint64_t sum = 0;
  for (const std::vector<uint8_t>& part : bytes) sum += part.size();
  return sum;
}

uint64_t NextBlock(uint64_t count, uint64_t* cursor) {
  // Counting with the bits in reverse order halves the largest gap again and again; numbers past the end are skipped.
  const int bits = std::max(1, static_cast<int>(std::bit_width(count - 1)));
  for (;;) {
    uint64_t reversed = 0;
    for (int b = 0; b < bits; ++b) reversed |= (*cursor >> b & 1) << (bits - 1 - b);
    ++*cursor;
    if (reversed >= count) continue;
    // The first block of a tensor is not always typical: padding tokens, masked positions.
    return (reversed + count / 3) % count;
  }
}

uint64_t SampledBlocks(const ModelTensor& tensor, uint64_t data_size, uint64_t sample_size) {
  const uint64_t blocks = SampleBlocks(tensor);
  if (sample_size >= data_size) return blocks;
  const double share = static_cast<double>(sample_size) / static_cast<double>(data_size);
  const double wanted = static_cast<double>(blocks) * share;
  return std::min(blocks, static_cast<uint64_t>(std::floor(wanted + Draw(tensor))));
}

absl::StatusOr<ModelSample> SampleModel(const ModelFile& file, uint64_t sample_size) {
  ModelSample sample;
  sample.path = file.path();
  sample.format = &file.format();
  sample.tensors = file.tensors();
  sample.file_size = file.size();
  sample.frame = file.frame();
  sample.bytes.resize(sample.tensors.size());
  for (size_t t = 0; t < sample.tensors.size(); ++t) {
    const ModelTensor& tensor = sample.tensors[t];
    const uint64_t wanted = SampledBlocks(tensor, file.data_size(), sample_size);
    std::vector<uint8_t>& bytes = sample.bytes[t];
    const uint64_t block_size = kSampleBlock * SampledElementSize(tensor);
    bytes.reserve(static_cast<size_t>(std::min(tensor.size(), wanted * block_size)));
    uint64_t cursor = 0;
    for (uint64_t i = 0; i < wanted; ++i) {
      const uint64_t at = NextBlock(SampleBlocks(tensor), &cursor) * block_size;
      const size_t size = static_cast<size_t>(std::min(block_size, tensor.size() - at));
      bytes.resize(bytes.size() + size);
      absl::Status status = file.ReadData(tensor.begin + at, absl::MakeSpan(bytes).last(size));
      if (!status.ok()) return status;
    }
  }
  return sample;
}

absl::StatusOr<ModelSample> SampleModel(FileSystem& file_system, const std::string& path, uint64_t sample_size) {
  const absl::StatusOr<ModelFile> file = OpenModelFile(file_system, path);
  if (!file.ok()) return file.status();
  return SampleModel(*file, sample_size);
}

}  // namespace modelvault
