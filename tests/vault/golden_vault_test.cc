// The committed vault of format 0.1: it opens, it is whole, and docs/format.md shows its bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/vault/format_document.h"
#include "tests/vault/test_vault.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

constexpr char kGoldenPath[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/v0.1.mvlt";

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

TEST(GoldenVaultTest, IsWhatTheDocumentShows) {
  const std::vector<uint8_t> golden = GoldenBytes();
  const std::map<uint64_t, uint8_t> dump = DumpedBytes(FormatDocument());
  for (uint64_t offset = 0; offset < kHeaderSize; ++offset) {
    EXPECT_EQ(dump.count(offset), 1u) << "the header's byte " << offset << " is not shown";
  }
  for (const auto& [offset, byte] : dump) {
    ASSERT_LT(offset, golden.size());
    EXPECT_EQ(int{byte}, int{golden[offset]}) << "at offset " << offset;
  }
}

}  // namespace
}  // namespace modelvault
