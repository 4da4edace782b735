// The committed vault: it opens, it is whole, and docs/format.md shows its bytes. tests/regenerate makes both anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/vault/format_document.h"
#include "tests/vault/test_vault.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

using testing::HasSubstr;

constexpr char kGoldenPath[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/v1.0.mvlt";

std::vector<uint8_t> GoldenBytes() {
  std::vector<uint8_t> bytes;
  const auto file = FileSystem::Default().OpenForRead(kGoldenPath);
  EXPECT_THAT(file, IsOk());
  if (!file.ok()) return bytes;
  bytes.resize((*file)->size());
  EXPECT_THAT((*file)->ReadAt(0, absl::MakeSpan(bytes)), IsOk());
  return bytes;
}

TEST(GoldenVaultTest, IsWhole) {
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), kGoldenPath));
  EXPECT_THAT(ReadAll(*vault), IsOk());
  EXPECT_FALSE(vault->variants().empty());
}

TEST(GoldenVaultTest, LiesWhereTheDocumentSays) {
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), kGoldenPath));
  const auto begin = [&](Section section) {
    return absl::StrCat("0x", absl::Hex(vault->header().section(section).offset));
  };
  EXPECT_THAT(
      Unwrapped(FormatDocument()),
      HasSubstr(absl::StrCat("MODEL begins at ", begin(Section::kModel), ", CHUNKS at ", begin(Section::kChunks),
                             ", BASE at ", begin(Section::kBase), ", the blobs end before INDEX at ",
                             begin(Section::kIndex), ", MANIFEST begins at ", begin(Section::kManifest), ".")));
  EXPECT_THAT(FormatDocument(), HasSubstr("`tests/vault/golden/v1.0.mvlt`"));
}

TEST(GoldenVaultTest, IsWhatTheDocumentShows) {
  const std::vector<uint8_t> golden = GoldenBytes();
  const std::map<uint64_t, uint8_t> dump = DumpedBytes(FormatDocument());
  EXPECT_EQ(dump.size(), golden.size());
  for (const auto& [offset, byte] : dump) {
    ASSERT_LT(offset, golden.size());
    EXPECT_EQ(int{byte}, int{golden[offset]}) << "at offset " << offset;
  }
}

}  // namespace
}  // namespace modelvault
