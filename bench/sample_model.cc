#include "bench/sample_model.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/random_weights.h"
#include "bench/whole_file.h"
#include "codec/core/codec_format.h"
#include "codec/core/prediction.h"

namespace modelvault::bench {
namespace {

constexpr uint64_t kWidth = 64;
constexpr uint64_t kKeyWidth = 32;
constexpr uint64_t kHidden = 172;
constexpr uint64_t kVocabulary = 512;
constexpr int kLayers = 5;

[[noreturn]] void Die(const absl::Status& status) {
  std::fprintf(stderr, "benchmark: %s\n", status.ToString().c_str());
  std::exit(1);
}

}  // namespace

void SampleModel::Add(const std::string& name, const char* dtype, std::vector<uint64_t> shape) {
  const bool int8 = dtype == std::string("I8");
  uint64_t size = int8 ? 1 : 4;
  for (uint64_t d : shape) size *= d;
  const uint64_t begin = data_.size();
  data_.resize(begin + size);
  Random random(tensors_.size() + 1);
  const auto bytes = absl::MakeSpan(data_).subspan(begin);
  if (int8) {
    FillBell(tensors_.size() % 3 == 0 ? Bell::kWide : Bell::kNarrow, &random, bytes);
    weights_ += size;
  } else {
    FillFloats(1.0f, &random, bytes);
  }
  tensors_.push_back(SafetensorsTensor(name, dtype, std::move(shape), begin, begin + size));
}

SampleModel::SampleModel() {
  const auto matrix = [this](const std::string& name, uint64_t rows, uint64_t cols) {
    Add(name, "I8", {rows, cols});
    Add(name + ".scale", "F32", {rows});
  };
  matrix("embed", kVocabulary, kWidth);
  Add("norm", "F32", {kWidth});
  for (int layer = 0; layer < kLayers; ++layer) {
    const std::string prefix = absl::StrCat("layers.", layer, ".");
    Add(prefix + "attn_norm", "F32", {kWidth});
    matrix(prefix + "wq", kWidth, kWidth);
    matrix(prefix + "wk", kKeyWidth, kWidth);
    matrix(prefix + "wv", kKeyWidth, kWidth);
    matrix(prefix + "wo", kWidth, kWidth);
    Add(prefix + "ffn_norm", "F32", {kWidth});
    matrix(prefix + "w1", kHidden, kWidth);
    matrix(prefix + "w2", kWidth, kHidden);
    matrix(prefix + "w3", kHidden, kWidth);
  }
}

std::vector<uint8_t> UnevenTrits(uint64_t seed, uint64_t cols, absl::Span<const uint8_t> base) {
  // Chances are products of a row's and a column's share, 1 to 4 each, chosen by number so that variants agree.
  const auto share = [](uint64_t line) { return 1 + line * 7 % 4; };
  Random random(seed);
  std::vector<uint8_t> variant(base.begin(), base.end());
  uint16_t scale = 0;
  for (size_t i = 0; i < variant.size(); ++i) {
    if (i % kGroupSize == 0) scale = static_cast<uint16_t>((1 + random.Below(6)) << 8);
    const uint64_t chance = share(i / cols) * share(i % cols);  // 6.25 on average, of 100
    const uint64_t dice = random.Below(200);
    if (dice >= 2 * chance) continue;
    variant[i] = static_cast<uint8_t>(ApplyTrit(static_cast<int8_t>(base[i]), scale, dice % 2 == 0 ? 1 : -1));
  }
  return variant;
}

std::vector<uint8_t> SampleModel::TernaryVariant(unsigned number) const {
  std::vector<uint8_t> variant = data_;
  for (size_t t = 0; t < tensors_.size(); ++t) {
    const ModelTensor& tensor = tensors_[t];
    if (tensor.dtype != DType::kI8) continue;
    const std::vector<uint8_t> changed = UnevenTrits(1000 * (number + 1) + t, tensor.shape[1],
                                                     absl::MakeConstSpan(data_).subspan(tensor.begin, tensor.size()));
    std::copy(changed.begin(), changed.end(), variant.begin() + static_cast<ptrdiff_t>(tensor.begin));
  }
  return variant;
}

std::vector<std::string> SampleModel::WriteFiles(const std::string& folder, unsigned variants) const {
  const absl::StatusOr<std::string> header = SafetensorsHeaderFor(tensors_, {});
  if (!header.ok()) Die(header.status());
  const auto write = [&](const std::string& name, const std::vector<uint8_t>& data) {
    const absl::string_view bytes(reinterpret_cast<const char*>(data.data()), data.size());
    const absl::Status status =
        WriteWholeFile(absl::StrCat(folder, "/", name, ".safetensors"), *header + std::string(bytes));
    if (!status.ok()) Die(status);
  };
  write("base", data_);
  std::vector<std::string> names;
  for (unsigned v = 0; v < variants; ++v) {
    names.push_back(absl::StrFormat("v%03d", v));
    write(names.back(), TernaryVariant(v));
  }
  return names;
}

}  // namespace modelvault::bench
