// GGUF files through mvault: as they are, quantised in blocks, and as floats to be fitted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "codec/core/bytes.h"
#include "codec/core/prediction.h"
#include "tests/tools/fitting/fitting_files.h"
#include "tests/tools/formats/gguf/gguf_writer.h"
#include "tests/tools/formats/open_model.h"
#include "tests/tools/mvault/format_round_trip.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/tools/packing/model_files.h"
#include "tools/formats/gguf/ggml_types.h"
#include "tools/formats/model_formats.h"

namespace modelvault {
namespace {

constexpr uint32_t kF32 = 0, kF16 = 1, kQ40 = 2, kQ80 = 8, kQ6K = 14;

uint32_t Bits(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

std::string F16Bytes(float value) { return LeBytes(F32ToF16(Bits(value)), 2); }

// As ggml rounds them: a scale for 32 weights, the largest of which becomes 127.
std::string Q80(const std::vector<float>& values) {
  std::string bytes;
  for (size_t first = 0; first < values.size(); first += 32) {
    float largest = 0;
    for (size_t i = first; i < first + 32; ++i) largest = std::max(largest, std::abs(values[i]));
    const float scale = largest / 127;
    bytes += F16Bytes(scale);
    for (size_t i = first; i < first + 32; ++i) {
      bytes.push_back(static_cast<char>(scale > 0 ? std::lround(values[i] / scale) : 0));
    }
  }
  return bytes;
}

// The largest becomes -8, stored as 0; weights i and i + 16 of a block share a byte.
std::string Q40(const std::vector<float>& values) {
  std::string bytes;
  for (size_t first = 0; first < values.size(); first += 32) {
    float largest = 0;
    for (size_t i = first; i < first + 32; ++i) largest = std::abs(values[i]) > std::abs(largest) ? values[i] : largest;
    const float scale = largest / -8;
    const auto nibble = [&](size_t i) {
      return scale == 0 ? 8 : std::clamp(static_cast<int>(std::lround(values[i] / scale)) + 8, 0, 15);
    };
    bytes += F16Bytes(scale);
    for (size_t i = first; i < first + 16; ++i) bytes.push_back(static_cast<char>(nibble(i) | nibble(i + 16) << 4));
  }
  return bytes;
}

std::string F32Bytes(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) bytes += LeBytes(Bits(value), 4);
  return bytes;
}

float Uniform(TestRandom* random) { return static_cast<float>(random->Below(20001)) / 10000 - 1; }

// Weights, roughly normal, a width for each row.
std::vector<float> Weights(size_t rows, size_t cols, TestRandom* random) {
  std::vector<float> values;
  for (size_t i = 0; i < rows * cols; ++i) {
    const float width = 0.02f + 0.1f * static_cast<float>(i / cols % 7);
    values.push_back(width * (Uniform(random) + Uniform(random) + Uniform(random)));
  }
  return values;
}

// A fine-tune of them: small changes everywhere.
std::vector<float> Tuned(std::vector<float> values, TestRandom* random) {
  for (float& value : values) value += 0.004f * (Uniform(random) + Uniform(random));
  return values;
}

using Floats = std::vector<std::pair<std::string, std::vector<float>>>;  // Rows of 64 weights.

Floats TunedModel(const Floats& base, TestRandom* random) {
  Floats tuned = base;
  for (auto& [name, values] : tuned) values = Tuned(values, random);
  return tuned;
}

std::string Blocks(const std::vector<float>& values, uint32_t type) { return type == kQ80 ? Q80(values) : Q40(values); }

std::string GgufFile(const Floats& model, uint32_t type, const std::string& title) {
  GgufWriter writer;
  writer.Key("general.name", 8, GgufText(title));
  for (const auto& [name, values] : model) {
    if (values.size() == 64) {
      writer.Tensor(name, {64}, kF32, F32Bytes(values));
    } else {
      writer.Tensor(name, {values.size() / 64, 64}, type, Blocks(values, type));
    }
  }
  return writer.File();
}

// The same tensors, with blocks of a type that nothing is known of.
std::string OpaqueFile(const Floats& model, uint32_t type) {
  FileModel file;
  for (const auto& [name, values] : model) {
    const uint64_t rows = values.size() / 64;
    if (rows == 1) {
      file.tensors.push_back({name, "F32", {64}, F32Bytes(values)});
    } else {
      file.tensors.push_back({name, "BLOCKS", {rows, 64}, Blocks(values, type)});
    }
  }
  return Serialize(file);
}

// A base and fine-tunes of it.
std::map<std::string, Floats> FloatModels() {
  TestRandom random(17);
  const Floats base = {
      {"embed", Weights(96, 64, &random)}, {"norm", Weights(1, 64, &random)}, {"w", Weights(128, 64, &random)}};
  std::map<std::string, Floats> models = {{"base", base}};
  for (const char* name : {"cardiology", "radiology"}) models[name] = TunedModel(base, &random);
  return models;
}

TEST(MvaultGgufTest, QuantisedModelsComeBackAndAreSmallerForWhatIsKnownOfThem) {
  for (const uint32_t type : {kQ80, kQ40}) {
    SCOPED_TRACE(FindGgmlType(type)->name);
    ModelFiles known, opaque;
    for (const auto& [name, model] : FloatModels()) {
      known[name] = GgufFile(model, type, name);
      opaque[name] = OpaqueFile(model, type);
    }
    const size_t size = ExpectRoundTrip(known, ".gguf", "embed.scales");
    EXPECT_LT(size, ExpectRoundTrip(opaque, ".safetensors", "BLOCKS"));
    ExpectRoundTrip(known, ".gguf", "bytes.1", {"--whole-file"});
  }
}

TEST(MvaultGgufTest, BlocksThatNothingIsKnownOfComeBack) {
  TestRandom random(4);
  ModelFiles models;
  std::string blocks = random.Bytes(8 * 210);
  for (const char* name : {"base", "radiology"}) {
    models[name] = GgufWriter().Alignment(64).Tensor("w", {4, 512}, kQ6K, blocks).File();
    blocks[100] = static_cast<char>(blocks[100] + 1);
  }
  ExpectRoundTrip(models, ".gguf", "Q6_K");
}

// The safetensors file at `path` with F32 as they are, or as F16, in the two formats.
struct BothFormats {
  std::string gguf, safetensors;
};
BothFormats Converted(const std::string& path, bool halve) {
  BothFormats files;
  GgufWriter writer;
  FileModel model;
  const auto file = OpenModelFile(FileSystem::Default(), path);
  EXPECT_THAT(file, IsOk());
  for (const ModelTensor& tensor : file->tensors()) {
    std::string bytes = TensorBytes(*file, tensor);
    if (halve) {
      std::string halves;
      for (size_t at = 0; at < bytes.size(); at += 4) {
        halves += LeBytes(F32ToF16(LoadLe32(reinterpret_cast<const uint8_t*>(&bytes[at]))), 2);
      }
      bytes = halves;
    }
    writer.Tensor(tensor.name, tensor.shape, halve ? kF16 : kF32, bytes);
    model.tensors.push_back({tensor.name, halve ? "F16" : "F32", tensor.shape, bytes});
  }
  return {writer.File(), Serialize(model)};
}

TEST(MvaultGgufTest, FloatsAreFittedAsThoseOfSafetensors) {
  const FittingFiles models;
  const TempFolder folder;
  for (const char* format : {"gguf", "safetensors"}) {
    const auto write = [&](const std::string& name, const std::string& from, bool halve) {
      const BothFormats files = Converted(models.File(from), halve);
      folder.Write(name + "." + format, format == std::string("gguf") ? files.gguf : files.safetensors);
    };
    std::filesystem::create_directory(folder.File(format));
    write("base", "base.safetensors", false);
    for (const char* name : {"alpha", "beta"}) {
      write(std::string(format) + "/" + name, std::string("variants/") + name + ".safetensors", true);
    }
    const ProgramRun run = Mvault({"fit", "--base", folder.File(std::string("base.") + format), "--variants",
                                   folder.File(format), "--curvature", models.File("curvature.safetensors"), "--budget",
                                   "12000", "-o", folder.File(std::string(format) + ".mvlt")});
    ASSERT_EQ(run.exit_code, 0) << run;
  }
  EXPECT_TRUE(folder.Read("gguf.mvlt") == folder.Read("safetensors.mvlt"));
}

TEST(MvaultGgufTest, QuantisedModelsAreNotFitted) {
  const TempFolder folder;
  const std::map<std::string, Floats> models = FloatModels();
  const std::string base = folder.Write("base.gguf", GgufFile(models.at("base"), kQ80, "base"));
  const std::string variant = folder.Write("v.gguf", GgufFile(models.at("radiology"), kQ80, "radiology"));
  const ProgramRun run = Mvault({"fit", "--base", base, "--variant", "v=" + variant, "-o", folder.File("v.mvlt")});
  EXPECT_EQ(run.exit_code, 3) << run;
  EXPECT_THAT(run.err,
              testing::HasSubstr("base.gguf: weights in blocks with scales (embed.scales) are quantised already"));
}

}  // namespace
}  // namespace modelvault
