// What of a folder are models.
#include "tools/formats/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tools/formats/model_formats.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ModelFolderTest : public testing::Test {
 protected:
  // Empty files: what is in them does not count.
  void Make(const std::vector<std::string>& files) {
    for (const std::string& file : files) {
      std::filesystem::create_directories(std::filesystem::path(temp_.File(file)).parent_path());
      temp_.Write(file, "");
    }
  }

  // "NAME: FILE" of each, the file below the folder.
  std::vector<std::string> Found(const std::vector<std::string>& without = {}) {
    const auto models = FindModels(FileSystem::Default(), temp_.path(), without);
    EXPECT_THAT(models, IsOk());
    std::vector<std::string> found;
    if (!models.ok()) return found;
    for (const ModelInFolder& model : *models) {
      EXPECT_THAT(model.path, StartsWith(temp_.path() + "/"));
      found.push_back(absl::StrCat(model.name, ": ", model.path.substr(temp_.path().size() + 1)));
    }
    return found;
  }
  void ExpectRefused(const std::string& why) {
    EXPECT_THAT(FindModels(FileSystem::Default(), temp_.path()),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(why)));
  }

  // The only model in the folder "m", "" for none.
  absl::StatusOr<std::string> MainFile() {
    return KnownModelFormats().FindMainFile(FileSystem::Default(), temp_.File("m"));
  }

  TempFolder temp_;
};

TEST_F(ModelFolderTest, FilesOfEveryFormatAre) {
  Make({"a.safetensors", "b.tflite", "c.gguf", "d.npy", "e.npz", "f.pt", "g.pth", "h.bin", "i.onnx", "j.v2.onnx",
        ".k.onnx", "l.json", "m.txt", "onnx", "n.onnx.data", "o.ONNX"});
  EXPECT_THAT(Found(), ElementsAre("a: a.safetensors", "b: b.tflite", "c: c.gguf", "d: d.npy", "e: e.npz", "f: f.pt",
                                   "g: g.pth", "h: h.bin", "i: i.onnx", "j.v2: j.v2.onnx"));
}

TEST_F(ModelFolderTest, FoldersWithOneModelAre) {
  Make({"bare/model.safetensors", "bare/config.json", "external/m.onnx", "external/weights.bin", "external/data/w.bin",
        "hidden/.m.onnx", "hidden/m.gguf", "none/readme.txt", "shards/m.safetensors.index.json",
        "shards/m-1.safetensors", "shards/m-2.safetensors", "shards/extra.bin", "v1.onnx/m.onnx", ".trash/m.onnx"});
  std::filesystem::create_directory(temp_.File("empty"));
  EXPECT_THAT(Found(),
              ElementsAre("bare: bare", "external: external", "hidden: hidden", "shards: shards", "v1.onnx: v1.onnx"));
}

TEST_F(ModelFolderTest, TheOnlyModelIsTheMainFile) {
  std::filesystem::create_directory(temp_.File("m"));
  EXPECT_THAT(MainFile(), IsOkAndHolds(""));
  Make({"m/a.bin", "m/.b.onnx"});
  EXPECT_THAT(MainFile(), IsOkAndHolds("a.bin"));
  Make({"m/a.onnx"});
  EXPECT_THAT(MainFile(), IsOkAndHolds("a.onnx")) << "its data may be anywhere beside it";
  Make({"m/a.npz", "m/z.safetensors"});
  EXPECT_THAT(MainFile(), IsOkAndHolds("a.onnx"));
}

TEST_F(ModelFolderTest, MoreThanOneModelIsAmbiguous) {
  const auto expect = [&](const std::string& first, const std::string& second) {
    const std::string what =
        absl::StrCat("/m: holds several models, such as ", first, " and ", second, ": name the file that is meant");
    EXPECT_THAT(MainFile(), StatusIs(StatusCode::kInvalidArgument, HasSubstr(what)));
    EXPECT_THAT(KnownModelFormats().Open(FileSystem::Default(), temp_.File("m")),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(what)));
    ExpectRefused(what + "; to go on without it: --without m");
    EXPECT_THAT(Found({"m"}), ElementsAre("m: m"));
  };
  Make({"m/a.tflite", "m/b.safetensors"});
  expect("a.tflite", "b.safetensors");
  Make({"m/d.onnx", "m/e.onnx"});
  expect("d.onnx", "e.onnx");
  std::filesystem::remove(temp_.File("m/e.onnx"));
  Make({"m/c.safetensors.index.json"});
  expect("c.safetensors.index.json", "d.onnx");
}

TEST_F(ModelFolderTest, AFolderThatIsOneModelIsToldHowToGiveIt) {
  Make({"m.safetensors.index.json", "m-1.safetensors"});
  ExpectRefused(absl::StrCat(temp_.path(), ": is one model in shards, not a folder of models: give --variant NAME="));
}

TEST_F(ModelFolderTest, WhatCannotBeReadIsAnError) {
  EXPECT_THAT(FindModels(FileSystem::Default(), temp_.File("none")), StatusIs(StatusCode::kNotFound));
  Make({"file"});
  EXPECT_THAT(FindModels(FileSystem::Default(), temp_.File("file")),
              StatusIs(StatusCode::kNotFound, HasSubstr("Not a directory")));
  EXPECT_THAT(Found(), IsEmpty());
}

}  // namespace
}  // namespace modelvault
