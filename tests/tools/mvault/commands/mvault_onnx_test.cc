// ONNX models through mvault: in one file, with external data, and as floats to be fitted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/fitting/fitting_files.h"
#include "tests/tools/formats/onnx/onnx_bytes.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/vault/test_vault.h"
#include "tools/formats/model_formats.h"

namespace modelvault {
namespace {

using namespace onnx;  // NOLINT: messages are made of many pieces.
using testing::AllOf;
using testing::HasSubstr;

constexpr size_t kRows = 32, kCols = 128;

// Some weights one up or down, as a fine-tune's.
std::string Changed(std::string weights, TestRandom* random) {
  for (char& weight : weights) {
    if (random->Below(8) == 0) weight = static_cast<char>(weight + (random->Below(2) == 0 ? 1 : -1));
  }
  return weights;
}

struct Weights {
  std::string embed, head, half;
};

std::map<std::string, Weights> Models() {
  TestRandom random(15);
  const Weights base = {random.Bytes(kRows * kCols), random.Bytes(kRows * kCols), random.Bytes(2 * kCols)};
  std::map<std::string, Weights> models = {{"base", base}};
  for (const char* const name : {"cardiology", "radiology"}) {
    models[name] = {Changed(base.embed, &random), Changed(base.head, &random), Changed(base.half, &random)};
  }
  return models;
}

// The model in one file, with values of all kinds.
std::string OneFile(const std::string& name, const Weights& weights) {
  const std::string inner = Initializer(Tensor("head", kInt8, {kRows, kCols}, weights.head));
  return Model(Bytes(2, name) + Initializer(Tensor("embed", kInt8, {kRows, kCols}, weights.embed)) +
               Node("if", 6, inner) + Node("half", 5, Tensor("", kFloat16, {kCols}, weights.half)) +
               Initializer(Head("steps", kFloat, {2}) + Bytes(kFloatData, "aaaabbbb")) +
               Initializer(Head("sizes", kInt64, {2}) + Bytes(kInt64Data, Varint(300) + Varint(name.size()))));
}

// What `restore` has to give back, and what the other commands tell of the vault.
void ExpectVault(const std::string& vault, const std::vector<std::string>& tensors) {
  const ProgramRun verified = Mvault({"verify", vault});
  EXPECT_EQ(verified.exit_code, 0) << verified;
  const ProgramRun listed = Mvault({"ls", vault});
  EXPECT_EQ(listed.exit_code, 0) << listed;
  EXPECT_THAT(listed.out, AllOf(HasSubstr("cardiology"), HasSubstr("radiology")));
  const ProgramRun told = Mvault({"info", vault, "radiology"});
  EXPECT_EQ(told.exit_code, 0) << told;
  const ProgramRun different = Mvault({"diff", vault, "base", "radiology"});
  EXPECT_EQ(different.exit_code, 1) << different;
  for (const std::string& tensor : tensors) {
    EXPECT_THAT(told.out, HasSubstr(tensor));
    EXPECT_THAT(different.out, HasSubstr(tensor));
  }
}

TEST(MvaultOnnxTest, FilesComeBack) {
  for (const bool whole_file : {false, true}) {
    const TempFolder folder;
    std::filesystem::create_directory(folder.File("variants"));
    const std::map<std::string, Weights> models = Models();
    for (const auto& [name, weights] : models) {
      folder.Write((name == "base" ? "" : "variants/") + name + ".onnx", OneFile(name, weights));
    }
    std::vector<std::string> pack = {
        "pack", "--base", folder.File("base.onnx"), "--variants", folder.File("variants"), "-o", folder.File("v.mvlt")};
    if (whole_file) pack.push_back("--whole-file");
    const ProgramRun packed = Mvault(pack);
    ASSERT_EQ(packed.exit_code, 0) << packed;
    EXPECT_LT(folder.Read("v.mvlt").size(), 5 * kRows * kCols);
    ExpectVault(folder.File("v.mvlt"), {"embed", "head", "half"});
    for (const auto& [name, weights] : models) {
      const ProgramRun restored = Mvault({"restore", folder.File("v.mvlt"), name, "-o", folder.File("out.onnx")});
      ASSERT_EQ(restored.exit_code, 0) << restored;
      EXPECT_TRUE(folder.Read("out.onnx") == OneFile(name, weights)) << name;
    }
  }
}

// The same with external data, by path: the head has a folder of its own.
std::map<std::string, std::string> Files(const std::string& name, const Weights& weights) {
  const std::string data = name + ".onnx.data";
  const Entries first = {{"location", data}, {"offset", "8"}, {"length", absl::StrCat(kRows * kCols)}};
  const std::string graph =
      Initializer(ExternalTensor("embed", kInt8, {kRows, kCols}, first)) +
      Initializer(ExternalTensor("tied", kInt8, {kCols, kRows}, first)) +
      Initializer(ExternalTensor("head", kInt8, {kRows, kCols}, {{"location", "data/head.bin"}})) +
      Initializer(Tensor("half", kFloat16, {kCols}, weights.half));
  return {{name + ".onnx", Model(graph)}, {data, "ALIGNED." + weights.embed + name}, {"data/head.bin", weights.head}};
}

// Scales of `embed` are in the file of its values; of `half` nothing is said.
TEST(MvaultOnnxTest, InfoTellsHowIntegersStandForReals) {
  const TempFolder folder;
  const std::string scales = std::string("\0\0\0\x3F", 4) + std::string(4 * (kRows - 1), '@');  // 0.5, then 3.0039215.
  for (const auto& [name, weights] : Models()) {
    std::filesystem::create_directory(folder.File(name));
    const std::string values = Initializer(ExternalTensor("embed", kInt8, {kRows, kCols}, {{"location", "w"}}));
    const Entries behind = {{"location", "w"}, {"offset", absl::StrCat(kRows * kCols)}};
    const std::string numbers = Initializer(ExternalTensor("scales", kFloat, {kRows}, behind)) +
                                Initializer(Head("zero", kInt8, {1}) + Bytes(kInt32Data, Varint(7)));
    const std::string graph = values + numbers + Initializer(Tensor("half", kFloat16, {kCols}, weights.half)) +
                              Operation("DequantizeLinear", {"embed", "scales", "zero"}, AxisOf(0));
    folder.Write(name + "/m.onnx", Model(graph));
    folder.Write(name + "/w", weights.embed + scales);
  }
  const auto expect_told = [&](const std::vector<std::string>& info) {
    std::vector<std::string> with_json = info;
    with_json.push_back("--json");
    const ProgramRun json = Mvault(with_json);
    ASSERT_EQ(json.exit_code, 0) << json;
    const nlohmann::json told = json.Json().at("quantisation");
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].at("tensor"), "embed");
    EXPECT_EQ(told[0].at("axis"), 0);
    EXPECT_EQ(told[0].at("scales").size(), kRows);
    EXPECT_EQ(told[0].at("scales")[0], 0.5);
    EXPECT_EQ(told[0].at("zero_points"), nlohmann::json({7}));
    const ProgramRun text = Mvault(info);
    ASSERT_EQ(text.exit_code, 0) << text;
    EXPECT_THAT(text.out, AllOf(HasSubstr("scale times (integer - zero point)"), HasSubstr("0.5 … 3.00392")));
  };
  expect_told({"info", folder.File("base/m.onnx")});
  const std::string vault = folder.File("v.mvlt");
  const ProgramRun packed =
      Mvault({"pack", "--base", folder.File("base"), "--variant", "r=" + folder.File("radiology"), "-o", vault});
  ASSERT_EQ(packed.exit_code, 0) << packed;
  expect_told({"info", vault, "base"});
  expect_told({"info", vault, "r"});
}

TEST(MvaultOnnxTest, ModelsWithExternalDataComeBackAsFolders) {
  const TempFolder folder;
  const std::map<std::string, Weights> models = Models();
  std::vector<std::string> pack = {"pack", "--base", folder.File("base/base.onnx"), "-o", folder.File("v.mvlt")};
  for (const auto& [name, weights] : models) {
    const std::string of_model = (name == "base" ? "" : "variants/") + name;
    std::filesystem::create_directories(folder.File(of_model + "/data"));
    for (const auto& [path, bytes] : Files(name, weights)) folder.Write(absl::StrCat(of_model, "/", path), bytes);
    const std::string model = folder.File(absl::StrCat(of_model, "/", name, ".onnx"));
    if (name != "base") pack.insert(pack.end(), {"--variant", name + "=" + model});
  }
  const ProgramRun packed = Mvault(pack);
  ASSERT_EQ(packed.exit_code, 0) << packed;
  const ProgramRun found = Mvault(
      {"pack", "--base", folder.File("base"), "--variants", folder.File("variants"), "-o", folder.File("found.mvlt")});
  ASSERT_EQ(found.exit_code, 0) << found;
  EXPECT_TRUE(folder.Read("found.mvlt") == folder.Read("v.mvlt"));
  ExpectVault(folder.File("v.mvlt"), {"embed", "head", "half"});
  for (const auto& [name, weights] : models) {
    const ProgramRun restored = Mvault({"restore", folder.File("v.mvlt"), name, "-o", folder.File("out-" + name)});
    ASSERT_EQ(restored.exit_code, 0) << restored;
    size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.File("out-" + name))) {
      files += entry.is_regular_file() ? 1 : 0;
    }
    EXPECT_EQ(files, 3u);
    for (const auto& [path, bytes] : Files(name, weights)) {
      EXPECT_TRUE(folder.Read(absl::StrCat("out-", name, "/", path)) == bytes) << name << " " << path;
    }
  }
  // What came back is a model again: its folder, or the file in it.
  const ProgramRun again = Mvault(
      {"pack", "--base", folder.File("out-base"), "--variant", "cardiology=" + folder.File("out-cardiology"),
       "--variant", "radiology=" + folder.File("out-radiology/radiology.onnx"), "-o", folder.File("again.mvlt")});
  ASSERT_EQ(again.exit_code, 0) << again;
  EXPECT_TRUE(folder.Read("again.mvlt") == folder.Read("v.mvlt"));
}

TEST(MvaultOnnxTest, AModelThatNamesAFileOutsideItsFolderIsRefused) {
  const TempFolder folder;
  folder.Write("secret", std::string(kCols, 's'));
  std::filesystem::create_directory(folder.File("model"));
  const std::string model = folder.Write(
      "model/m.onnx", Model(Initializer(ExternalTensor("w", kInt8, {kCols}, {{"location", "../secret"}}))));
  const ProgramRun packed = Mvault({"pack", "--base", model, "--variant", "v=" + model, "-o", folder.File("v.mvlt")});
  EXPECT_EQ(packed.exit_code, 3) << packed;
  EXPECT_THAT(packed.err, AllOf(HasSubstr("model/m.onnx: tensor 'w' at offset 10: external location '../secret'"),
                                HasSubstr("expected the path of a file below the model's folder")));
  EXPECT_FALSE(std::filesystem::exists(folder.File("v.mvlt")));
}

// The safetensors file at `path` as ONNX. With `values` these are appended there, for a file called `data`.
std::string Converted(const std::string& path, const std::string& data = "", std::string* values = nullptr) {
  std::string graph;
  const auto file = OpenModelFile(FileSystem::Default(), path);
  EXPECT_THAT(file, IsOk());
  for (const ModelTensor& tensor : file->tensors()) {
    std::string bytes(static_cast<size_t>(tensor.size()), '\0');
    EXPECT_EQ(tensor.dtype, DType::kF32);
    EXPECT_THAT(file->ReadData(tensor.begin, absl::MakeSpan(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size())),
                IsOk());
    if (values == nullptr) {
      graph += Initializer(Tensor(tensor.name, kFloat, tensor.shape, bytes));
      continue;
    }
    const Entries place = {{"location", data}, {"offset", absl::StrCat(values->size())}};
    graph += Initializer(ExternalTensor(tensor.name, kFloat, tensor.shape, place));
    *values += bytes;
  }
  return Model(graph);
}

TEST(MvaultOnnxTest, FloatsAreFittedAsThoseOfSafetensors) {
  const FittingFiles models;
  const TempFolder folder;
  std::filesystem::create_directory(folder.File("onnx"));
  std::filesystem::create_directory(folder.File("safetensors"));
  folder.Write("base.onnx", Converted(models.File("base.safetensors")));
  std::filesystem::copy_file(models.File("base.safetensors"), folder.File("base.safetensors"));
  for (const std::string name : {"alpha", "beta"}) {
    const std::string from = models.File("variants/" + name + ".safetensors");
    folder.Write("onnx/" + name + ".onnx", Converted(from));
    std::filesystem::copy_file(from, folder.File("safetensors/" + name + ".safetensors"));
    std::filesystem::create_directories(folder.File("external/" + name));
    std::string values;
    folder.Write("external/" + name + "/model.onnx", Converted(from, "model.bin", &values));
    folder.Write("external/" + name + "/model.bin", values);
  }
  for (const std::string variants : {"onnx", "external", "safetensors"}) {
    const std::string base = variants == "safetensors" ? "base.safetensors" : "base.onnx";
    const ProgramRun run =
        Mvault({"fit", "--base", folder.File(base), "--variants", folder.File(variants), "--curvature",
                models.File("curvature.safetensors"), "--budget", "12000", "-o", folder.File(variants + ".mvlt")});
    ASSERT_EQ(run.exit_code, 0) << run;
  }
  EXPECT_TRUE(folder.Read("onnx.mvlt") == folder.Read("safetensors.mvlt"));
  EXPECT_TRUE(folder.Read("external.mvlt") == folder.Read("safetensors.mvlt"));
}

}  // namespace
}  // namespace modelvault
