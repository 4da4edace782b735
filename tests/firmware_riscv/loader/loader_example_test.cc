// firmware_riscv/example, the loader in a C firmware, in the emulator.
#include <gtest/gtest.h>

#include "tests/firmware_riscv/app/board_fixture.h"

namespace modelvault {
namespace {

TEST(LoaderExampleTest, AFirmwareInCProvesEveryModel) {
  EmulatedBoard board(MODELVAULT_LOADER_EXAMPLE, TheSmallVault().bytes);
  EXPECT_EQ(board.Run().exit_code, 0);
}

TEST(LoaderExampleTest, AndFailsWhereOneIsDamaged) {
  EmulatedBoard board(MODELVAULT_LOADER_EXAMPLE, TheSmallVault().bytes);
  // In the last variant's blob, which ends where the index begins.
  const uint64_t index = LoadLe64(reinterpret_cast<const uint8_t*>(TheSmallVault().bytes.data()) + 72 + 3 * 24);
  board.WriteVault(index - 40, "damage");
  EXPECT_EQ(board.Run().exit_code, 1);
}

}  // namespace
}  // namespace modelvault
