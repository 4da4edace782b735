// Two families of three real TFLite files, each of which was trained for its own word: they come back, and cost less
// than with any general compressor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "restore/file_assembler.h"
#include "restore/named_vault.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tools/formats/model_formats.h"
#include "tools/packing/pack.h"

namespace modelvault {
namespace {

// The base, the variants, and the bytes that others make of all three.
struct Family {
  std::string name;
  std::vector<std::string> files;
  uint64_t xz;           // xz -9e of each file.
  uint64_t patches;      // xz -9e of the base, zstd -19 --ultra --long=27 --patch-from of the others.
  uint64_t differences;  // xz -9e of the base, bsdiff of the others.
};

class WakeWordTest : public testing::TestWithParam<Family> {
 protected:
  static std::string Path(const std::string& file) {
    return absl::StrCat(MODELVAULT_CORPUS_DIR "/wake-word/", file, ".tflite");
  }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    EXPECT_TRUE(in.good()) << path;
    return std::string(std::istreambuf_iterator<char>(in), {});
  }

  // Packs the family and compares every file; the vault's size.
  uint64_t PackAndRestore(const PackOptions& options) {
    FileSystem& files = FileSystem::Default();
    const TempFolder temp;
    std::vector<VariantInput> variants;
    for (size_t i = 1; i < GetParam().files.size(); ++i) {
      variants.push_back({GetParam().files[i], Path(GetParam().files[i])});
    }
    const std::string path = temp.File("v.mvlt");
    const auto report = PackVault(files, Path(GetParam().files[0]), variants, path, options);
    EXPECT_THAT(report, IsOk());
    // No format is known: what is stored says all.
    const ModelFormats none({});
    const absl::StatusOr<NamedVault> vault = NamedVault::Open(files, path, none);
    EXPECT_THAT(vault, IsOk());
    if (!report.ok() || !vault.ok()) return 0;
    for (const std::string& file : GetParam().files) {
      const auto model = vault->OpenModel(file == GetParam().files[0] ? "base" : file);
      EXPECT_THAT(model, IsOk());
      if (!model.ok()) continue;
      std::string bytes, data;
      FileAssembler assembler(model->frame, *model, [&](absl::Span<const uint8_t> more) {
        bytes.append(more.begin(), more.end());
        return absl::OkStatus();
      });
      EXPECT_THAT(model->model->Restore({},
                                        [&](uint64_t, absl::Span<const uint8_t> more) {
                                          data.append(more.begin(), more.end());
                                          return assembler.Append(more);
                                        }),
                  IsOk());
      EXPECT_THAT(assembler.Finish(), IsOk());
      EXPECT_TRUE(bytes == Read(Path(file))) << file;
      EXPECT_EQ(data == bytes, options.whole_file) << file;
    }
    return report->bytes.file;
  }
};

TEST_P(WakeWordTest, AFamilyComesBackAndCostsLessThanWithOthers) {
  const uint64_t size = PackAndRestore({});
  EXPECT_GT(size, 0u);
  EXPECT_LT(size, GetParam().xz);
  EXPECT_LT(size, GetParam().patches);
  EXPECT_LT(size, GetParam().differences);
}

TEST_P(WakeWordTest, AWholeFileIsWhatTheBoardRestores) {
  PackOptions options;
  options.whole_file = true;
  EXPECT_GT(PackAndRestore(options), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Families, WakeWordTest,
    testing::Values(
        Family{"v1", {"v1-alexa", "v1-hey_jarvis", "v1-okay_nabu"}, 201128, 193751, 213432},
        Family{"v2", {"v2-choo_choo_homie", "v2-hey_home_assistant", "v2-hey_peppa_pig"}, 98272, 91994, 96397}),
    [](const auto& family) { return family.param.name; });

}  // namespace
}  // namespace modelvault
