// The committed vault gives back the committed files: the format has not moved under it.
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

TEST(GoldenRestoreTest, TheFilesComeBack) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, Restorer::Open(FileSystem::Default(), absl::StrCat(kGolden, "v1.0.mvlt")));
  ASSERT_OK_AND_ASSIGN(const auto base, restorer->OpenBase());
  EXPECT_EQ(RestoredFile(*base, restorer->vault().base_header()),
            ReadFile(absl::StrCat(kGolden, "inputs/base.safetensors")));
  ASSERT_THAT(restorer->vault().variants(), SizeIs(3));
  for (const VaultVariant& variant : restorer->vault().variants()) {
    SCOPED_TRACE(variant.name);
    ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant(variant.name));
    ASSERT_OK_AND_ASSIGN(const std::string header, restorer->vault().variant_header(variant.name));
    EXPECT_EQ(RestoredFile(*model, header), ReadFile(absl::StrCat(kGolden, "inputs/", variant.name, ".safetensors")));
  }
}

}  // namespace
}  // namespace modelvault
