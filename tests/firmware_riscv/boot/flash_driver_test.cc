#include "firmware_riscv/boot/flash_driver.h"

#include <gtest/gtest.h>

#include "tests/firmware_riscv/boot/simulated_flash.h"

namespace modelvault {
namespace {

// Programs a unit of which all but the first word stays as it is erased.
mv_error ProgramWord(const mv_flash* driver, unsigned sector, uint32_t offset, uint32_t word) {
  uint8_t unit[MV_SELECTION_UNIT];
  memset(unit, 0xFF, sizeof(unit));
  StoreLe32(unit, word);
  return mv_flash_program(driver, sector, offset, unit);
}

TEST(FlashDriverTest, AProgramClearsBitsAndAnEraseSetsThem) {
  SimulatedFlash flash;
  const mv_flash driver = flash.Driver();
  EXPECT_EQ(ProgramWord(&driver, 1, 32, 0xFFFF0000u), MV_OK);
  EXPECT_EQ(LoadLe32(flash.Sector(1) + 32), 0xFFFF0000u);
  EXPECT_EQ(ProgramWord(&driver, 1, 32, 0x0F0F0000u), MV_OK);
  EXPECT_EQ(LoadLe32(flash.Sector(1) + 32), 0x0F0F0000u);
  EXPECT_EQ(mv_flash_erase(&driver, 1), MV_OK);
  EXPECT_EQ(LoadLe32(flash.Sector(1) + 32), 0xFFFFFFFFu);
}

TEST(FlashDriverTest, AProgramThatWouldSetABitIsRejectedAndNothingIsWritten) {
  SimulatedFlash flash;
  const mv_flash driver = flash.Driver();
  ASSERT_EQ(ProgramWord(&driver, 0, 0, 0xFFFFFFFEu), MV_OK);
  const int operations = flash.operations();
  EXPECT_EQ(ProgramWord(&driver, 0, 0, 0x00000001u), MV_FLASH_SETS_BIT);
  EXPECT_EQ(flash.operations(), operations);
  EXPECT_EQ(LoadLe32(flash.Sector(0)), 0xFFFFFFFEu);
}

TEST(FlashDriverTest, PlacesOutsideTheSectorsAreRejected) {
  SimulatedFlash flash;
  const mv_flash driver = flash.Driver();
  EXPECT_EQ(mv_flash_erase(&driver, MV_SELECTION_SECTORS), MV_FLASH_BAD_PLACE);
  EXPECT_EQ(ProgramWord(&driver, MV_SELECTION_SECTORS, 0, 0), MV_FLASH_BAD_PLACE);
  EXPECT_EQ(ProgramWord(&driver, 0, SimulatedFlash::kSectorSize, 0), MV_FLASH_BAD_PLACE);
  EXPECT_EQ(ProgramWord(&driver, 0, 4, 0), MV_FLASH_BAD_PLACE);
  EXPECT_EQ(flash.operations(), 0);
  EXPECT_EQ(ProgramWord(&driver, 0, SimulatedFlash::kSectorSize - MV_SELECTION_UNIT, 0), MV_OK);
}

TEST(FlashDriverTest, FailuresAreReported) {
  SimulatedFlash flash;
  const mv_flash driver = flash.Driver();
  flash.Break(/*reports=*/true);
  EXPECT_EQ(mv_flash_erase(&driver, 0), MV_FLASH_FAILED);
  EXPECT_EQ(ProgramWord(&driver, 0, 0, 0), MV_FLASH_FAILED);
}

TEST(FlashDriverTest, WhatDoesNotReadBackIsAFailure) {
  SimulatedFlash flash;
  const mv_flash driver = flash.Driver();
  ASSERT_EQ(ProgramWord(&driver, 1, SimulatedFlash::kSectorSize - MV_SELECTION_UNIT, 0x7FFFFFFFu), MV_OK);
  flash.Break(/*reports=*/false);
  EXPECT_EQ(ProgramWord(&driver, 0, 0, 0x12345678u), MV_FLASH_FAILED);
  EXPECT_EQ(ProgramWord(&driver, 0, 0, 0xFFFFFFFFu), MV_OK);  // That is what is there.
  EXPECT_EQ(mv_flash_erase(&driver, 0), MV_OK);
  EXPECT_EQ(mv_flash_erase(&driver, 1), MV_FLASH_FAILED);
}

// A part that writes this and then says how it went.
struct OddPart {
  uint8_t bytes[64];
  uint8_t last_byte;
  mv_error says;

  mv_flash Driver() {
    memset(bytes, 0xFF, sizeof(bytes));
    mv_flash driver = {};
    driver.sector[0] = driver.sector[1] = bytes;
    driver.sector_size = sizeof(bytes);
    driver.context = this;
    driver.program = [](void* self, unsigned, uint32_t offset, const uint8_t* unit) {
      OddPart* const part = static_cast<OddPart*>(self);
      memcpy(part->bytes + offset, unit, MV_SELECTION_UNIT);
      part->bytes[offset + MV_SELECTION_UNIT - 1] = part->last_byte;
      return part->says;
    };
    return driver;
  }
};

TEST(FlashDriverTest, AFailureIsOneThoughAllIsWritten) {
  OddPart part = {{}, 0xFF, MV_FLASH_FAILED};
  const mv_flash driver = part.Driver();
  EXPECT_EQ(ProgramWord(&driver, 0, 0, 5), MV_FLASH_FAILED);
}

TEST(FlashDriverTest, EveryByteIsReadBackAndLookedAtBefore) {
  OddPart part = {{}, 0x7F, MV_OK};
  const mv_flash driver = part.Driver();
  EXPECT_EQ(ProgramWord(&driver, 0, 32, 5), MV_FLASH_FAILED);
  EXPECT_EQ(ProgramWord(&driver, 0, 32, 5), MV_FLASH_SETS_BIT);
}

TEST(FlashDriverTest, ReadsThroughACacheAreTrueWhereTheDriverInvalidatesIt) {
  SimulatedFlash flash(/*part_unit=*/4, /*cached=*/true);
  const mv_flash driver = flash.Driver();
  EXPECT_EQ(ProgramWord(&driver, 1, 32, 0x12345678u), MV_OK);
  EXPECT_EQ(LoadLe32(driver.sector[1] + 32), 0x12345678u);
  EXPECT_EQ(mv_flash_erase(&driver, 1), MV_OK);
  EXPECT_EQ(LoadLe32(driver.sector[1] + 32), 0xFFFFFFFFu);
}

TEST(FlashDriverTest, AStaleCacheIsNotTakenForTheFlash) {
  SimulatedFlash flash(/*part_unit=*/4, /*cached=*/true);
  flash.ForgetToInvalidate();
  mv_flash driver = flash.Driver();
  EXPECT_EQ(ProgramWord(&driver, 1, 32, 0x12345678u), MV_FLASH_FAILED);
  driver = flash.Driver();
  EXPECT_EQ(LoadLe32(driver.sector[1] + 32), 0x12345678u);
  EXPECT_EQ(mv_flash_erase(&driver, 1), MV_FLASH_FAILED);
}

TEST(FlashDriverTest, TheWatchdogIsFedWhileAnErasedSectorIsLookedThrough) {
  static int fed;
  const std::string sector(20000, '\xFF');
  const uint8_t* const bytes = reinterpret_cast<const uint8_t*>(sector.data());
  mv_flash driver = {};
  driver.sector[0] = driver.sector[1] = bytes;
  driver.sector_size = static_cast<uint32_t>(sector.size());
  driver.erase = [](void*, unsigned) { return MV_OK; };
  driver.feed = [](void*) { ++fed; };
  fed = 0;
  EXPECT_EQ(mv_flash_erase(&driver, 0), MV_OK);
  EXPECT_EQ(fed, 5);
}

}  // namespace
}  // namespace modelvault
