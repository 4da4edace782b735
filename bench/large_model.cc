#include "bench/large_model.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bench/random_weights.h"
#include "vault/ordered_parallel.h"

namespace modelvault::bench {
namespace {

constexpr uint64_t kWidth = 4096;
constexpr uint64_t kHidden = 11008;
constexpr uint64_t kVocabulary = 32000;
constexpr uint64_t kBlockSize = 1 << 20;  // Generated at a time; whole groups of 128 weights.
constexpr uint32_t kOneIn = 50;
constexpr uint8_t kMaxScale = 6;

// Adds tensors as long as the data section stays within its size.
class TensorList {
 public:
  explicit TensorList(uint64_t data_size) : left_(data_size) {}

  void AddMatrix(const std::string& name, uint64_t rows, uint64_t cols) {
    rows = std::min(rows, left_ / (cols + 4));
    if (rows == 0) return;
    Add(name, "I8", {rows, cols}, rows * cols);
    Add(name + ".scale", "F32", {rows}, 4 * rows);
  }
  void AddNorm(const std::string& name) {
    if (left_ >= 4 * kWidth) Add(name, "F32", {kWidth}, 4 * kWidth);
  }

  uint64_t left() const { return left_; }
  std::vector<ModelTensor> Take() { return std::move(tensors_); }

 private:
  void Add(const std::string& name, const char* dtype, std::vector<uint64_t> shape, uint64_t size) {
    tensors_.push_back(SafetensorsTensor(name, dtype, std::move(shape), at_, at_ + size));
    at_ += size;
    left_ -= size;
  }

  uint64_t at_ = 0;
  uint64_t left_;
  std::vector<ModelTensor> tensors_;
};

uint64_t SeedOf(uint64_t what, uint64_t tensor, uint64_t block) {
  return Random(Random(Random(what).Next() ^ tensor).Next() ^ block).Next();
}

// Every fourth row is a copy of one of three, here and there a step off: what untrained tokens look like.
void RepeatRows(uint64_t begin, absl::Span<uint8_t> bytes) {
  for (size_t at = 0; at + kWidth <= bytes.size(); at += kWidth) {
    const uint64_t row = (begin + at) / kWidth;
    if (row % 4 != 3) continue;
    Random common(row / 4 % 3);
    FillBell(Bell::kWide, &common, bytes.subspan(at, kWidth));
    Random own(SeedOf(2, 0, row));
    for (size_t j = own.Below(64); j < kWidth; j += 1 + own.Below(64)) ++bytes[at + j];
  }
}

struct Block {
  size_t tensor;
  uint64_t begin;  // In the tensor.
  uint64_t size;
};

std::vector<uint8_t> MakeBlock(const std::vector<ModelTensor>& tensors, const Block& block, unsigned variant,
                               const GapSampler& gaps) {
  const ModelTensor& tensor = tensors[block.tensor];
  Random random(SeedOf(1, block.tensor, block.begin));
  std::vector<uint8_t> bytes(static_cast<size_t>(block.size));
  if (tensor.dtype == DType::kF32) {
    FillFloats(absl::EndsWith(tensor.name, ".scale") ? 0.01f : 1.0f, &random, absl::MakeSpan(bytes));
    if (variant > 0 && absl::EndsWith(tensor.name, "ffn_norm")) {
      Random other(SeedOf(2 + variant, block.tensor, block.begin));
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(byte + (other.Below(16) == 0 ? 1 : 0));
    }
    return bytes;
  }
  FillBell(block.tensor % 3 == 0 ? Bell::kWide : Bell::kNarrow, &random, absl::MakeSpan(bytes));
  if (block.tensor == 0) RepeatRows(block.begin, absl::MakeSpan(bytes));
  if (variant == 0 || Random(SeedOf(2 + variant, block.tensor, 1)).Below(8) == 0) return bytes;
  Random trits(SeedOf(2 + variant, block.tensor, block.begin));
  std::vector<uint8_t> changed(bytes.size());
  ApplyRandomTrits(gaps, kMaxScale, &trits, bytes, absl::MakeSpan(changed));
  return changed;
}

}  // namespace

std::vector<ModelTensor> LargeModelTensors(uint64_t data_size) {
  TensorList list(std::max(data_size, kWidth + 4));
  list.AddMatrix("embed", std::max<uint64_t>(1, std::min(kVocabulary, data_size / 8 / kWidth)), kWidth);
  for (int layer = 0; list.left() >= kHidden + 4; ++layer) {
    const std::string prefix = absl::StrCat("layers.", layer, ".");
    list.AddNorm(prefix + "attn_norm");
    for (const char* name : {"wq", "wk", "wv", "wo"}) list.AddMatrix(prefix + name, kWidth, kWidth);
    list.AddNorm(prefix + "ffn_norm");
    list.AddMatrix(prefix + "w1", kHidden, kWidth);
    list.AddMatrix(prefix + "w3", kHidden, kWidth);
    list.AddMatrix(prefix + "w2", kWidth, kHidden);
  }
  return list.Take();
}

absl::Status WriteLargeModel(FileSystem& file_system, absl::string_view path, uint64_t data_size, unsigned variant,
                             int threads) {
  const std::vector<ModelTensor> tensors = LargeModelTensors(data_size);
  const SafetensorsMetadata metadata = {{"role", variant == 0 ? "base" : absl::StrCat("variant ", variant)}};
  const absl::StatusOr<std::string> header = SafetensorsHeaderFor(tensors, metadata);
  if (!header.ok()) return header.status();
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system.CreateAtomic(path);
  if (!file.ok()) return file.status();
  absl::Status status = (*file)->Append({reinterpret_cast<const uint8_t*>(header->data()), header->size()});
  if (!status.ok()) return status;
  std::vector<Block> blocks;
  for (size_t t = 0; t < tensors.size(); ++t) {
    for (uint64_t begin = 0; begin < tensors[t].size(); begin += kBlockSize) {
      blocks.push_back({t, begin, std::min(kBlockSize, tensors[t].size() - begin)});
    }
  }
  const GapSampler gaps(kOneIn);
  status = OrderedParallel<std::vector<uint8_t>>(
      blocks.size(), threads,
      [&](uint64_t i) -> absl::StatusOr<std::vector<uint8_t>> { return MakeBlock(tensors, blocks[i], variant, gaps); },
      [&](uint64_t, std::vector<uint8_t> bytes) { return (*file)->Append(bytes); });
  if (!status.ok()) return status;
  return (*file)->Commit();
}

}  // namespace modelvault::bench
