#include "firmware_riscv/boot/flash_driver.h"

#include <gtest/gtest.h>

#include "tests/firmware_riscv/boot/simulated_flash.h"

namespace modelvault {
namespace {

TEST(FlashDriverTest, AProgramClearsBitsAndAnEraseSetsThem) {
  SimulatedFlash flash;
  const mv_flash driver = flash.Driver();
  EXPECT_EQ(mv_flash_program(&driver, 1, 8, 0xFFFF0000u), MV_OK);
  EXPECT_EQ(LoadLe32(flash.Sector(1) + 8), 0xFFFF0000u);
  EXPECT_EQ(mv_flash_program(&driver, 1, 8, 0x0F0F0000u), MV_OK);
  EXPECT_EQ(LoadLe32(flash.Sector(1) + 8), 0x0F0F0000u);
  EXPECT_EQ(mv_flash_erase(&driver, 1), MV_OK);
  EXPECT_EQ(LoadLe32(flash.Sector(1) + 8), 0xFFFFFFFFu);
}

TEST(FlashDriverTest, AProgramThatWouldSetABitIsRejectedAndNothingIsWritten) {
  SimulatedFlash flash;
  const mv_flash driver = flash.Driver();
  ASSERT_EQ(mv_flash_program(&driver, 0, 0, 0xFFFFFFFEu), MV_OK);
  const int operations = flash.operations();
  EXPECT_EQ(mv_flash_program(&driver, 0, 0, 0x00000001u), MV_FLASH_SETS_BIT);
  EXPECT_EQ(flash.operations(), operations);
  EXPECT_EQ(LoadLe32(flash.Sector(0)), 0xFFFFFFFEu);
}

TEST(FlashDriverTest, PlacesOutsideTheSectorsAreRejected) {
  SimulatedFlash flash;
  const mv_flash driver = flash.Driver();
  EXPECT_EQ(mv_flash_erase(&driver, MV_SELECTION_SECTORS), MV_FLASH_BAD_PLACE);
  EXPECT_EQ(mv_flash_program(&driver, MV_SELECTION_SECTORS, 0, 0), MV_FLASH_BAD_PLACE);
  EXPECT_EQ(mv_flash_program(&driver, 0, SimulatedFlash::kSectorSize, 0), MV_FLASH_BAD_PLACE);
  EXPECT_EQ(mv_flash_program(&driver, 0, 2, 0), MV_FLASH_BAD_PLACE);
  EXPECT_EQ(flash.operations(), 0);
  EXPECT_EQ(mv_flash_program(&driver, 0, SimulatedFlash::kSectorSize - 4, 0), MV_OK);
}

TEST(FlashDriverTest, FailuresAreReported) {
  SimulatedFlash flash;
  const mv_flash driver = flash.Driver();
  flash.Break(/*reports=*/true);
  EXPECT_EQ(mv_flash_erase(&driver, 0), MV_FLASH_FAILED);
  EXPECT_EQ(mv_flash_program(&driver, 0, 0, 0), MV_FLASH_FAILED);
}

TEST(FlashDriverTest, WhatDoesNotReadBackIsAFailure) {
  SimulatedFlash flash;
  const mv_flash driver = flash.Driver();
  ASSERT_EQ(mv_flash_program(&driver, 1, SimulatedFlash::kSectorSize - 4, 0x7FFFFFFFu), MV_OK);
  flash.Break(/*reports=*/false);
  EXPECT_EQ(mv_flash_program(&driver, 0, 0, 0x12345678u), MV_FLASH_FAILED);
  EXPECT_EQ(mv_flash_program(&driver, 0, 0, 0xFFFFFFFFu), MV_OK);  // That is what is there.
  EXPECT_EQ(mv_flash_erase(&driver, 0), MV_OK);
  EXPECT_EQ(mv_flash_erase(&driver, 1), MV_FLASH_FAILED);
}

}  // namespace
}  // namespace modelvault
