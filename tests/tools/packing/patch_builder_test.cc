#include "tools/packing/patch_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "firmware_riscv/update/patch_reader.h"
#include "tests/status_matchers.h"
#include "tests/vault/test_vault.h"
#include "tools/packing/update_cost.h"

namespace modelvault {
namespace {

constexpr size_t kHeader = 128;
// A block that is one copy from where it is: a checksum, a piece of it and no change of distance.
constexpr size_t kPlainBlock = 4 + 2 + 1;

// What is returned has been applied and compared.
BuiltPatch Build(const std::string& from, const std::string& to, uint32_t block = 4096) {
  absl::StatusOr<BuiltPatch> patch = BuildPatch(from, to, block);
  EXPECT_TRUE(patch.ok()) << patch.status();
  if (!patch.ok()) return {};
  EXPECT_EQ(patch->copied_bytes + patch->data_bytes, to.size());
  return *patch;
}

TEST(PatchBuilderTest, AnEqualVaultCostsItsBlocks) {
  const std::string vault = TestRandom(1).Bytes(8 * 4096);
  const BuiltPatch patch = Build(vault, vault);
  EXPECT_EQ(patch.blocks, 8u);
  EXPECT_EQ(patch.data_bytes, 0u);
  EXPECT_EQ(patch.bytes.size(), kHeader + 8 * kPlainBlock);
}

TEST(PatchBuilderTest, SizesAroundABlockWork) {
  TestRandom random(2);
  for (const size_t old_size : {1, 255, 256, 257, 2000}) {
    for (const size_t new_size : {1, 255, 256, 257, 2000}) {
      const std::string old_vault = random.Bytes(old_size);
      std::string new_vault = old_vault.substr(0, new_size);
      new_vault += random.Bytes(new_size - new_vault.size());
      const BuiltPatch patch = Build(old_vault, new_vault, 256);
      EXPECT_EQ(patch.blocks, (new_size + 255) / 256);
    }
  }
}

TEST(PatchBuilderTest, WhatMovedIsCopied) {
  TestRandom random(3);
  const std::string a = random.Bytes(9001), b = random.Bytes(7003), c = random.Bytes(5005), fresh = random.Bytes(333);
  const BuiltPatch patch = Build(a + b + c, c + fresh + a + b);
  EXPECT_EQ(patch.data_bytes, fresh.size());
  EXPECT_LE(patch.bytes.size(), kHeader + fresh.size() + patch.blocks * kPlainBlock + 4 * 8);
}

TEST(PatchBuilderTest, ScatteredBytesCostThemselvesAndAPieceEach) {
  const std::string old_vault = TestRandom(4).Bytes(40960);
  std::string new_vault = old_vault;
  for (size_t at = 100; at < new_vault.size(); at += 1000) new_vault[at] = static_cast<char>(new_vault[at] + 1);
  const BuiltPatch patch = Build(old_vault, new_vault);
  EXPECT_EQ(patch.data_bytes, 41u);
  EXPECT_LE(patch.bytes.size(), kHeader + 10 * kPlainBlock + 41 * (2 + 3));
}

TEST(PatchBuilderTest, ARunOfAnAnchorAndAStrideIsFoundWhereverItIs) {
  TestRandom random(5);
  const std::string old_vault = random.Bytes(4096);
  for (size_t from = 0; from < 32; ++from) {
    const BuiltPatch patch = Build(old_vault, random.Bytes(100) + old_vault.substr(from, 47) + random.Bytes(100));
    EXPECT_GE(patch.copied_bytes, 47u) << from;
  }
}

// Block by block, as a board with one slot does. What is returned was compared with the new vault by BuildPatch().
std::string WrittenOver(std::string vault, const std::string& patch) {
  struct Text {
    std::string bytes;
    static mv_error Read(void* self, uint32_t offset, uint8_t* out, uint32_t size) {
      static_cast<Text*>(self)->bytes.copy(reinterpret_cast<char*>(out), size, offset);
      return MV_OK;
    }
  };
  Text from = {patch}, over = {std::move(vault)};
  const PatchSource source = {Text::Read, &from, static_cast<uint32_t>(patch.size()), true};
  mv_region region = {};
  region.size = static_cast<uint32_t>(over.bytes.size());
  region.read = Text::Read;
  region.context = &over;
  PatchReader reader(source);
  EXPECT_EQ(reader.Open(), MV_OK);
  EXPECT_TRUE(reader.header().in_place);
  size_t at = 0;
  for (uint32_t size = reader.next_size(); size > 0; size = reader.next_size()) {
    std::string block(size, '\0');
    EXPECT_EQ(reader.Next(&region, reinterpret_cast<uint8_t*>(block.data())), MV_OK);
    over.bytes.replace(at, size, block);
    at += size;
  }
  return over.bytes.substr(0, at);
}

TEST(PatchBuilderTest, APatchInPlaceReadsOnlyWhatIsStillThere) {
  TestRandom random(8);
  const std::string a = random.Bytes(3000), b = random.Bytes(2000), fresh = random.Bytes(100);
  for (const std::string& new_vault : {a + b, b, fresh + a + b, b + a, a.substr(0, 1000) + fresh + b}) {
    absl::StatusOr<BuiltPatch> patch = BuildPatch(a + b, new_vault, 256, {}, PatchKind::kInPlace);
    ASSERT_TRUE(patch.ok()) << patch.status();
    EXPECT_EQ(WrittenOver(a + b, patch->bytes), new_vault);
    EXPECT_EQ(patch->copied_bytes + patch->data_bytes, new_vault.size());
  }
  EXPECT_EQ(BuildPatch(a + b, b, 256, {}, PatchKind::kInPlace)->data_bytes, 0u);
  // By 100 bytes towards the back: so many of each block come from the one before, and all of the last one's 28.
  EXPECT_EQ(BuildPatch(a, fresh + a, 256, {}, PatchKind::kInPlace)->data_bytes, 12 * 100u + 28);
}

TEST(PatchBuilderTest, RandomEditsComeOut) {
  TestRandom random(6);
  for (int round = 0; round < 200; ++round) {
    const std::string old_vault = random.Bytes(1 + random.Below(5000));
    std::string new_vault = old_vault;
    for (uint64_t edit = 0; edit < 5; ++edit) {
      const size_t at = random.Below(new_vault.size() + 1);
      new_vault.erase(at, random.Below(300));
      new_vault.insert(random.Below(new_vault.size() + 1), random.Bytes(random.Below(100)));
      new_vault.insert(random.Below(new_vault.size() + 1),
                       old_vault.substr(std::min(at, old_vault.size()), random.Below(500)));
    }
    if (new_vault.empty()) continue;
    const uint32_t block = 256u << random.Below(4);
    Build(old_vault, new_vault, block);
    const absl::StatusOr<BuiltPatch> over = BuildPatch(old_vault, new_vault, block, {}, PatchKind::kInPlace);
    ASSERT_TRUE(over.ok()) << over.status();
    EXPECT_EQ(WrittenOver(old_vault + std::string(8192, '\xFF'), over->bytes), new_vault);
  }
}

TEST(PatchBuilderTest, WhatCannotBeIsRefused) {
  for (const uint32_t block : {0u, 1u, 128u, 300u, 1u << 21}) {
    EXPECT_THAT(BuildPatch("old", "new", block), StatusIs(absl::StatusCode::kInvalidArgument)) << block;
  }
  EXPECT_THAT(BuildPatch("", "new", 4096), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(BuildPatch("old", "", 4096), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(UpdateCostTest, ErasesAndProgramsAreCounted) {
  std::string vault = TestRandom(7).Bytes(4096 * 3 + 100);
  vault.replace(4096, 4096, 4096, '\xFF');
  const UpdateCost all = EstimateUpdate(vault, "", 10000, 1152, 4096);
  EXPECT_EQ(all.sectors, 4u);
  EXPECT_EQ(all.written, 4u);
  EXPECT_EQ(all.erases, 4u + 3 * 2);                  // And three records.
  EXPECT_EQ(all.programs, 2 * 128u + 4 + 4 + 3 * 4);  // Units; marks; records.
  EXPECT_DOUBLE_EQ(all.uart_s, 0.1);
  const double computing = (3.0 * 10000 + 3.0 * 12388) * (1 / 38e6 + 3.6 / 120e6);
  EXPECT_NEAR(all.typical_s, 10 * 0.045 + 276 * (30e-6 + 31 * 2.5e-6) + computing, 1e-9);
  EXPECT_NEAR(all.worst_s, 10 * 0.4 + 276 * (50e-6 + 31 * 12e-6) + computing, 1e-9);

  std::string held = vault;
  held[5000] = 1;
  const UpdateCost some = EstimateUpdate(vault, held, 10000, 1152, 4096);
  EXPECT_EQ(some.sectors, 4u);
  EXPECT_EQ(some.written, 1u);
  EXPECT_EQ(some.erases, 1u + 6);
  const UpdateCost over = EstimateUpdate(vault, held, 10000, 1152, 4096, PatchKind::kInPlace);
  EXPECT_EQ(over.written, 1u);
  EXPECT_EQ(over.erases, 2u + 6);
  EXPECT_EQ(over.programs, 2u + 3 * 4);  // Its second sector is erased: marks alone.
}

TEST(UpdateCostTest, LargeSectorsAreErasedInLargePieces) {
  const UpdateCost cost = EstimateUpdate(std::string(100, 'x'), "", 1, 1, 128 << 10);
  EXPECT_NEAR(cost.typical_s, 7 * 2 * 0.15, 0.02);
  EXPECT_NEAR(cost.worst_s, 7 * 2 * 2.0, 0.02);
}

}  // namespace
}  // namespace modelvault
