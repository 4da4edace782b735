// Cuts the power between any two stores into flash and looks at what is left in the image.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/firmware_riscv/sim/emulated_board.h"

namespace modelvault {
namespace {

constexpr uint64_t kSector = 0x40000;
constexpr size_t kSectorSize = 0x40000;
constexpr uint64_t kStores = 11;  // Of flash_stores.S.

const std::string kBefore(kSectorSize, '\0');

// The sector after that many stores. The emulator erases at the first command already.
std::string SectorAfter(uint64_t stores) {
  if (stores < 1) return kBefore;
  std::string sector(kSectorSize, '\xff');
  if (stores >= 5) sector.replace(4, 4, "\x78\x56\x34\x12");
  if (stores >= 8) sector.replace(8, 4, "\xf0\xde\xbc\x9a");
  return sector;
}

TEST(FlashCutTest, WithoutACutAllStoresAreCounted) {
  EmulatedBoard board(MODELVAULT_FLASH_STORES);
  const BoardRun run = board.Run();
  ASSERT_EQ(run.exit_code, 0) << run.output;
  EXPECT_EQ(run.counts.at("flash_stores"), kStores);
  EXPECT_EQ(run.counts.at("cut"), false);
  EXPECT_TRUE(board.ReadVault(kSector, kSectorSize) == SectorAfter(kStores));
}

TEST(FlashCutTest, ACutLeavesWhatTheStoresBeforeItWrote) {
  for (uint64_t cut = 1; cut <= kStores + 1; ++cut) {
    SCOPED_TRACE(testing::Message() << "cut=" << cut);
    EmulatedBoard board(MODELVAULT_FLASH_STORES);
    const BoardRun run = board.Run(",cut=" + std::to_string(cut));
    ASSERT_EQ(run.exit_code, 99) << run.output;
    ASSERT_TRUE(run.counts.is_object());
    EXPECT_EQ(run.counts.at("flash_stores"), cut - 1);
    EXPECT_EQ(run.counts.at("cut"), true);
    EXPECT_TRUE(board.ReadVault(kSector, kSectorSize) == SectorAfter(cut - 1));
    EXPECT_TRUE(board.ReadVault(kSector + kSectorSize, kSectorSize) == kBefore);
  }
}

TEST(FlashCutTest, ACutThatIsNeverReachedChangesNothing) {
  EmulatedBoard board(MODELVAULT_FLASH_STORES);
  const BoardRun run = board.Run(",cut=" + std::to_string(kStores + 2));
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_EQ(run.counts.at("flash_stores"), kStores);
}

}  // namespace
}  // namespace modelvault
