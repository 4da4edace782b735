// Models that are not one safetensors file, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/temp_folder.h"
#include "tests/tools/formats/tflite_models.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/tools/packing/model_files.h"

namespace modelvault {
namespace {

using testing::AllOf;
using testing::HasSubstr;

namespace fs = std::filesystem;

// Every file below a folder, by its path there.
std::map<std::string, std::string> FilesIn(const TempFolder& temp, const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(temp.File(folder))) {
    if (!entry.is_regular_file()) continue;
    const std::string name = fs::relative(entry.path(), temp.File(folder)).string();
    files[name] = temp.Read(folder + "/" + name);
  }
  return files;
}

class MvaultShardsTest : public testing::Test {
 protected:
  MvaultShardsTest() {
    TestRandom random(3);
    FileModel base;
    base.tensors = {MakeTensor("embed", "I8", {40, 64}, &random), MakeTensor("norm", "F32", {64}, &random),
                    MakeTensor("head", "I8", {16, 64}, &random), MakeTensor("bias", "BF16", {16}, &random)};
    Write("base", base);
    Write("variants/legal", Ternary(base, 9, &random));
    Write("variants/sales", Ternary(base, 30, &random));
  }

  void Write(const std::string& folder, const FileModel& model) {
    fs::create_directories(temp_.File(folder));
    FileModel first, second;
    first.tensors = {model.tensors[0], model.tensors[1]};
    second.tensors = {model.tensors[2], model.tensors[3]};
    temp_.Write(folder + "/m-00001-of-00002.safetensors", Serialize(first));
    temp_.Write(folder + "/m-00002-of-00002.safetensors", Serialize(second));
    temp_.Write(folder + "/config.json", absl::StrCat("{\"name\": \"", folder, "\"}\n"));
    temp_.Write(folder + "/empty.txt", "");
    temp_.Write(folder + "/.hidden", "not carried");
    WriteIndex(folder, "m-00001-of-00002.safetensors");
  }

  void WriteIndex(const std::string& folder, const std::string& shard_of_norm) {
    temp_.Write(folder + "/m.safetensors.index.json",
                absl::StrCat("{\"metadata\": {\"total_size\": 1},\n \"weight_map\": {\"embed\": "
                             "\"m-00001-of-00002.safetensors\", \"norm\": \"",
                             shard_of_norm,
                             "\", \"head\": \"m-00002-of-00002.safetensors\", \"bias\": "
                             "\"m-00002-of-00002.safetensors\"}}\n"));
  }

  // What `pack` says of the base beside a changed variant "legal".
  ProgramRun PackLegal() {
    return Mvault({"pack", "--base", temp_.File("base"), "--variant", "legal=" + temp_.File("variants/legal"), "-o",
                   temp_.File("v.mvlt")});
  }
  void ExpectRefused(int code, const std::string& why) {
    const ProgramRun run = PackLegal();
    EXPECT_EQ(run.exit_code, code) << run;
    EXPECT_THAT(run.err, HasSubstr(why));
  }

  TempFolder temp_;
};

TEST_F(MvaultShardsTest, AFolderComesBackAsItWas) {
  ProgramRun run = Mvault({"pack", "--base", temp_.File("base"), "--variants", temp_.File("variants"), "-o",
                           temp_.File("v.mvlt"), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_EQ(run.Json()["variants"].size(), 2u);
  for (const std::string name : {"legal", "sales", "base"}) {
    SCOPED_TRACE(name);
    run = Mvault({"restore", temp_.File("v.mvlt"), name, "-o", temp_.File("out-" + name)});
    ASSERT_EQ(run.exit_code, 0) << run;
    auto expected = FilesIn(temp_, name == "base" ? name : "variants/" + name);
    expected.erase(".hidden");
    EXPECT_EQ(FilesIn(temp_, "out-" + name), expected);
  }
  run = Mvault({"restore", temp_.File("v.mvlt"), "legal", "-o", temp_.File("out-legal")});
  EXPECT_EQ(run.exit_code, 8) << run;
  EXPECT_THAT(run.err, HasSubstr("out-legal: is there already"));
  run = Mvault({"restore", temp_.File("v.mvlt"), "legal", "--tensor", "norm", "-o", temp_.File("norm.safetensors")});
  EXPECT_EQ(run.exit_code, 0) << run;
  // A vault that is changed, and what reads it.
  run = Mvault(
      {"add", temp_.File("v.mvlt"), "--variant", "more=" + temp_.File("variants/sales/m.safetensors.index.json")});
  EXPECT_EQ(run.exit_code, 0) << run;
  run = Mvault({"replace", temp_.File("v.mvlt"), "--variant", "more=" + temp_.File("variants/legal")});
  EXPECT_EQ(run.exit_code, 0) << run;
  run = Mvault({"diff", temp_.File("v.mvlt"), "more", "legal"});
  EXPECT_EQ(run.exit_code, 0) << run;
  for (const char* const command : {"verify", "ls", "info"}) {
    EXPECT_EQ(Mvault({command, temp_.File("v.mvlt")}).exit_code, 0) << command;
  }
}

TEST_F(MvaultShardsTest, AFolderOfVariantsIsNoModel) {
  ProgramRun run = Mvault(
      {"pack", "--base", temp_.File("base"), "--variants", temp_.File("variants/legal"), "-o", temp_.File("v.mvlt")});
  EXPECT_EQ(run.exit_code, 3) << run;
  EXPECT_THAT(run.err, HasSubstr("is one model in shards, not a folder of models: give --variant NAME="));
  run = Mvault({"pack", "--base", temp_.File("variants"), "--variants", temp_.File("variants"), "-o", temp_.File("v")});
  EXPECT_EQ(run.exit_code, 3) << run;
  EXPECT_THAT(run.err, HasSubstr("is a directory, and no model"));
}

TEST_F(MvaultShardsTest, ShardsThatAreMissingOrStrayAreTold) {
  temp_.Write("variants/legal/m-00003-of-00002.safetensors", temp_.Read("base/m-00001-of-00002.safetensors"));
  ExpectRefused(3, "m-00003-of-00002.safetensors: is no shard of the model");
  fs::remove(temp_.File("variants/legal/m-00003-of-00002.safetensors"));
  fs::create_directory(temp_.File("variants/legal/onnx"));
  ExpectRefused(3, "variants/legal/onnx: is a folder in that of a model");
  fs::remove(temp_.File("variants/legal/onnx"));
  EXPECT_EQ(PackLegal().exit_code, 0);
  fs::remove(temp_.File("variants/legal/m-00002-of-00002.safetensors"));
  ExpectRefused(7, "1 of its shards are missing, the first is m-00002-of-00002.safetensors");
}

// As download caches keep a model: links to files that have other names.
TEST_F(MvaultShardsTest, LinksAmongTheFilesAreFollowed) {
  for (const std::string name : {"m-00002-of-00002.safetensors", "config.json", "m.safetensors.index.json"}) {
    const std::string file = temp_.File("variants/legal/" + name);
    fs::rename(file, temp_.File("moved-" + name));
    fs::create_symlink(temp_.File("moved-" + name), file);
  }
  EXPECT_EQ(PackLegal().exit_code, 0);
  fs::remove(temp_.File("moved-config.json"));
  ExpectRefused(7, "variants/legal/config.json");
}

TEST_F(MvaultShardsTest, WhatIsWrongWithOneVariantIsLeftOut) {
  fs::remove(temp_.File("variants/legal/m-00002-of-00002.safetensors"));
  std::vector<std::string> pack = {
      "pack", "--base", temp_.File("base"), "--variants", temp_.File("variants"), "-o", temp_.File("v.mvlt")};
  const ProgramRun run = Mvault(pack);
  EXPECT_EQ(run.exit_code, 7) << run;
  EXPECT_THAT(run.err, HasSubstr("; to go on without it: --without legal"));
  pack.insert(pack.end(), {"--without", "legal"});
  EXPECT_EQ(Mvault(pack).exit_code, 0);
}

TEST_F(MvaultShardsTest, AnIndexThatLiesIsRefused) {
  WriteIndex("variants/legal", "m-00002-of-00002.safetensors");
  ExpectRefused(3,
                "tensor 'norm' is in m-00001-of-00002.safetensors, the index has it in m-00002-of-00002.safetensors");
  for (const char* const path :
       {"../base/m.safetensors", "/etc/m.safetensors", "a\\\\b.safetensors", "norm.txt", "a\\u0000.safetensors"}) {
    WriteIndex("variants/legal", path);
    ExpectRefused(3, "tensor 'norm': its shard");
  }
  temp_.Write("variants/legal/m.safetensors.index.json", "{\"weight_map\": {\"a\": 1}}");
  ExpectRefused(3, "tensor 'a': its shard is no text");
  temp_.Write("variants/legal/m.safetensors.index.json", "{\"weight_map\": [");
  ExpectRefused(3, "bad index of shards: it is not UTF-8 JSON");
  temp_.Write("variants/legal/m.safetensors.index.json", std::string("{\"weight_map\": ") + std::string(100000, '['));
  ExpectRefused(3, "bad index of shards: it is not UTF-8 JSON");
  temp_.Write("variants/legal/m.safetensors.index.json", "{\"weight_map\": {}, \"weight_map\": 5}");
  ExpectRefused(3, "it has no object 'weight_map'");
}

// Names that a converter made are not what tells models apart.
TEST(MvaultFormatsTest, TfliteFilesComeBackWhateverTheirTensorsAreCalled) {
  const TempFolder temp;
  const auto model = [](uint64_t seed, const std::string& prefix) {
    TestRandom random(seed);
    return MakeTflite({{{prefix + "/conv", 9, {16, 32}, 1, std::vector<float>(16, 0.5f), std::vector<int64_t>(16), 0},
                        {prefix + "/bias", 2, {16}, 2, {0.25f}, {-3}},
                        {prefix + "/out", 9, {1, 16}, 0, {0.125f}, {-128}}}},
                      {{}, {random.Bytes(512)}, {random.Bytes(64)}});
  };
  const std::string base = temp.Write("base.tflite", model(1, "model_1"));
  const std::string other = temp.Write("other.tflite", model(2, "model_2"));
  for (const bool whole : {false, true}) {
    std::vector<std::string> pack = {"pack", "--base", base, "--variant", "other=" + other, "-o", temp.File("v.mvlt")};
    if (whole) pack.push_back("--whole-file");
    ProgramRun run = Mvault(pack);
    ASSERT_EQ(run.exit_code, 0) << run;
    run = Mvault({"restore", temp.File("v.mvlt"), "other", "-o", temp.File("back.tflite")});
    ASSERT_EQ(run.exit_code, 0) << run;
    EXPECT_EQ(temp.Read("back.tflite"), temp.Read("other.tflite"));
    run = Mvault({"info", temp.File("v.mvlt"), "other", "--json"});
    ASSERT_EQ(run.exit_code, 0) << run;
    EXPECT_EQ(run.Json()["quantisation"].size(), 3u);
    EXPECT_EQ(run.Json()["quantisation"][1]["zero_points"][0], -3);
    EXPECT_EQ(run.Json()["header_bytes"].get<uint64_t>() < 300, whole) << "nothing but a description";
    EXPECT_EQ(run.Json()["data_bytes"].get<uint64_t>() == temp.Read("other.tflite").size(), whole);
  }
  const ProgramRun run = Mvault({"info", other});
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.out, AllOf(HasSubstr("TFLite, "), HasSubstr("3 tensors of 640 bytes"), HasSubstr("model_2/conv"),
                             HasSubstr("-128")));
  EXPECT_EQ(Mvault({"info", other, "name"}).exit_code, 2);
}

TEST(MvaultFormatsTest, AVaultHasOneFormat) {
  const TempFolder temp;
  TestRandom random(4);
  FileModel model;
  model.tensors = {MakeTensor("w", "I8", {8, 16}, &random)};
  const std::string safetensors = temp.Write("a.safetensors", Serialize(model));
  const std::string tflite = temp.Write("b.tflite", MakeTflite({{{"w", 9, {8, 16}, 1}}}, {{}, {random.Bytes(128)}}));
  ProgramRun run = Mvault({"pack", "--base", safetensors, "--variant", "b=" + tflite, "-o", temp.File("v.mvlt")});
  EXPECT_EQ(run.exit_code, 3) << run;
  EXPECT_THAT(run.err, HasSubstr(absl::StrCat(tflite, ": is a model in the format TFLite, the base ", safetensors,
                                              " one in the format safetensors; a vault's models are of one format")));
  ASSERT_EQ(Mvault({"pack", "--base", tflite, "--variant", "b=" + tflite, "-o", temp.File("v.mvlt")}).exit_code, 0);
  run = Mvault({"add", temp.File("v.mvlt"), "--variant", "a=" + safetensors});
  EXPECT_EQ(run.exit_code, 3) << run;
  EXPECT_THAT(run.err, HasSubstr("one in the format TFLite"));
}

TEST(MvaultFormatsTest, OpaqueCarriesWhatIsNoModel) {
  const TempFolder temp;
  TestRandom random(5);
  const std::string model = MakeTflite({{{"w", 9, {8, 16}, 1}}}, {{}, {random.Bytes(128)}});
  const std::string base = temp.Write("base.tflite", model);
  const std::string cut = temp.Write("cut.tflite", model.substr(0, model.size() - 50));
  temp.Write("empty", "");
  const auto pack = [&](const std::string& b, const std::string& v, bool opaque) {
    std::vector<std::string> arguments = {"pack", "--base", b, "--variant", "v=" + v, "-o", temp.File("v.mvlt")};
    if (opaque) arguments.push_back("--opaque");
    return Mvault(arguments);
  };
  EXPECT_EQ(pack(base, cut, false).exit_code, 3);
  EXPECT_EQ(pack(cut, base, false).exit_code, 3);
  for (const auto& [b, v] : {std::pair(base, cut), {cut, base}, {cut, temp.File("empty")}, {base, base}}) {
    SCOPED_TRACE(b + " " + v);
    ProgramRun run = pack(b, v, true);
    ASSERT_EQ(run.exit_code, 0) << run;
    run = Mvault({"restore", temp.File("v.mvlt"), "v", "-o", temp.File("back")});
    ASSERT_EQ(run.exit_code, 0) << run;
    EXPECT_EQ(temp.Read("back"), temp.Read(fs::path(v).filename()));
  }
  // The vault knows that its base is opaque.
  ASSERT_EQ(pack(cut, base, true).exit_code, 0);
  EXPECT_EQ(Mvault({"add", temp.File("v.mvlt"), "--variant", "w=" + base}).exit_code, 0);
  ASSERT_EQ(pack(base, base, false).exit_code, 0);
  EXPECT_EQ(Mvault({"add", temp.File("v.mvlt"), "--variant", "w=" + cut}).exit_code, 3);
  EXPECT_EQ(Mvault({"add", temp.File("v.mvlt"), "--variant", "w=" + cut, "--opaque"}).exit_code, 0);
}

}  // namespace
}  // namespace modelvault
