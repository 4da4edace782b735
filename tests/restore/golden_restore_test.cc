// The committed vaults give back the committed files: the format has not moved under them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "restore/restorer.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::SizeIs;

constexpr char kGolden[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The model's whole file: its header, then its data.
std::string RestoredFile(const VaultModel& model, std::string header) {
  EXPECT_THAT(model.Restore({},
                            [&](uint64_t, absl::Span<const uint8_t> bytes) {
                              header.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                              return absl::OkStatus();
                            }),
              IsOk());
  return header;
}

struct Golden {
  const char* vault;
  const char* inputs;  // Of the variants.
  size_t variants;
};

class GoldenRestoreTest : public testing::TestWithParam<Golden> {};

INSTANTIATE_TEST_SUITE_P(Versions, GoldenRestoreTest,
                         testing::Values(Golden{"v1.0.mvlt", "inputs/", 3}, Golden{"v1.1.mvlt", "inputs-1.1/", 1}));

TEST_P(GoldenRestoreTest, TheFilesComeBack) {
  ASSERT_OK_AND_ASSIGN(const auto restorer,
                       Restorer::Open(FileSystem::Default(), absl::StrCat(kGolden, GetParam().vault)));
  ASSERT_OK_AND_ASSIGN(const auto base, restorer->OpenBase());
  EXPECT_EQ(RestoredFile(*base, restorer->vault().base_header()),
            ReadFile(absl::StrCat(kGolden, "inputs/base.safetensors")));
  ASSERT_THAT(restorer->vault().variants(), SizeIs(GetParam().variants));
  for (const VaultVariant& variant : restorer->vault().variants()) {
    SCOPED_TRACE(variant.name);
    ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant(variant.name));
    ASSERT_OK_AND_ASSIGN(const std::string header, restorer->vault().variant_header(variant.name));
    EXPECT_EQ(RestoredFile(*model, header),
              ReadFile(absl::StrCat(kGolden, GetParam().inputs, variant.name, ".safetensors")));
  }
}

}  // namespace
}  // namespace modelvault
