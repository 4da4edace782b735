#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/core_build/emulator_runner.h"
#include "tests/temp_folder.h"
#include "tools/formats/safetensors.h"

namespace modelvault {
namespace {

constexpr uint32_t kSeed = 7;

// A small model: INT8 matrices of awkward shapes, float tensors, a scalar, an empty tensor.
class TinyModel {
 public:
  explicit TinyModel(std::mt19937* random) : random_(random) {
    Add("embed", "I8", {96, 64}, 1);
    Add("wide", "I8", {3, 700}, 1);
    Add("line", "I8", {129}, 1);
    Add("bias", "I32", {33}, 4);
    Add("norm", "F32", {65}, 4);
    Add("scalar", "F32", {}, 4);
    Add("nothing", "F32", {0, 5}, 4);
    std::normal_distribution<float> weight(0.0f, 30.0f);
    ForEachWeight([&](int) { return static_cast<int>(weight(*random_)); });
    for (const char* name : {"bias", "norm", "scalar"}) FillRandomly(name);
  }

  // Replaces each INT8 weight by change(weight), saturated.
  template <typename Change>
  void ForEachWeight(Change change) {
    for (const ModelTensor& tensor : tensors_) {
      if (tensor.dtype != DType::kI8) continue;
      for (uint64_t i = tensor.begin; i < tensor.end; ++i) {
        char& byte = data_[static_cast<size_t>(i)];
        const int changed = change(static_cast<int8_t>(byte));
        byte = static_cast<char>(changed < -128 ? -128 : changed > 127 ? 127 : changed);
      }
    }
  }

  void FillRandomly(const std::string& name) {
    for (const ModelTensor& tensor : tensors_) {
      if (tensor.name != name) continue;
      for (uint64_t i = tensor.begin; i < tensor.end; ++i)
        data_[static_cast<size_t>(i)] = static_cast<char>((*random_)());
    }
  }

  // Keeps the upper halves of an F32 tensor's elements: it becomes BF16, and what follows moves up.
  void MakeBf16(const std::string& name) {
    std::string moved;
    for (ModelTensor& tensor : tensors_) {
      const std::string bytes = data_.substr(static_cast<size_t>(tensor.begin), static_cast<size_t>(tensor.size()));
      tensor.begin = moved.size();
      if (tensor.name == name) {
        tensor.dtype = DType::kBf16;
        for (size_t i = 0; i < bytes.size(); i += 4) moved += bytes.substr(i + 2, 2);
      } else {
        moved += bytes;
      }
      tensor.end = moved.size();
    }
    data_ = moved;
  }

  std::string Write(const TempFolder& folder, const std::string& name) const {
    const auto header = SafetensorsHeaderFor(tensors_, {});
    EXPECT_TRUE(header.ok()) << header.status();
    return folder.Write(name, header.value_or("") + data_);
  }

 private:
  void Add(const std::string& name, const std::string& dtype, std::vector<uint64_t> shape, uint64_t element_size) {
    const uint64_t begin = data_.size();
    const uint64_t size = ElementCount(shape).value() * element_size;
    tensors_.push_back(SafetensorsTensor(name, dtype, std::move(shape), begin, begin + size));
    data_.resize(static_cast<size_t>(begin + size));
  }

  std::mt19937* random_;
  std::vector<ModelTensor> tensors_;
  std::string data_;
};

TEST(EmulatorTest, TheBoardGivesBackEveryKindOfVariant) {
  std::mt19937 random(kSeed);
  const TempFolder folder;
  const TinyModel base(&random);
  std::map<std::string, std::string> files = {{"", base.Write(folder, "base.safetensors")}};
  files["same"] = base.Write(folder, "same.safetensors");
  {
    TinyModel ternary = base;
    ternary.ForEachWeight([&](int w) { return random() % 20 == 0 ? w + (random() % 2 == 0 ? 2 : -2) : w; });
    files["ternary"] = ternary.Write(folder, "ternary.safetensors");
  }
  // Differences in every eighth column only, in several variants: the vault learns the columns.
  for (int i = 0; i < 6; ++i) {
    TinyModel striped = base;
    int column = 0;
    striped.ForEachWeight([&](int w) { return column++ % 8 == 0 && random() % 2 == 0 ? w - 1 : w; });
    const std::string name = "striped" + std::to_string(i);
    files[name] = striped.Write(folder, name + ".safetensors");
  }
  {
    TinyModel signs = base;
    signs.ForEachWeight([&](int w) { return w + (random() % 2 == 0 ? 3 : -3); });
    files["signs"] = signs.Write(folder, "signs.safetensors");
  }
  {
    TinyModel residual = base;
    residual.ForEachWeight([&](int w) { return w + static_cast<int>(random() % 9) - 4; });
    residual.FillRandomly("norm");
    files["residual"] = residual.Write(folder, "residual.safetensors");
  }
  {
    TinyModel magnitudes = base;
    magnitudes.ForEachWeight([&](int w) { return random() % 40 == 0 ? w + static_cast<int>(random() % 60) - 30 : w; });
    files["magnitudes"] = magnitudes.Write(folder, "magnitudes.safetensors");
  }
  {
    TinyModel narrow = base;
    narrow.MakeBf16("norm");
    narrow.MakeBf16("scalar");
    files["narrow"] = narrow.Write(folder, "narrow.safetensors");
  }
  {
    TinyModel unrelated = base;
    for (const char* name : {"embed", "wide", "line", "bias", "norm", "scalar"}) unrelated.FillRandomly(name);
    files["unrelated"] = unrelated.Write(folder, "unrelated.safetensors");
  }
  SCOPED_TRACE(testing::Message() << "random seed " << kSeed);
  RunOnBoard(files);
  // Many segments and chunks, and hence blobs with directories; the smallest tile, and an odd one.
  RunOnBoard(files, "--segment-size 4KiB --chunk-size 256", 256);
  RunOnBoard(files, "--segment-size 4KiB", 1337);
}

}  // namespace
}  // namespace modelvault
