#include "firmware_riscv/boot/device_state.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>
#include <string>

#include "firmware_riscv/boot/slot_boot.h"
#include "tests/firmware_riscv/update/nor_chip.h"

namespace modelvault {
namespace {

constexpr uint32_t kSector = 512;

struct Fuses {
  uint64_t value = 0;
  int advances = 0;

  mv_counter Counter() {
    return {[](void* self) { return static_cast<Fuses*>(self)->value; },
            [](void* self, uint64_t to) {
              static_cast<Fuses*>(self)->value = to;
              ++static_cast<Fuses*>(self)->advances;
              return MV_OK;
            },
            this};
  }
};

class DeviceStateTest : public testing::Test {
 protected:
  // As after a reset.
  DeviceState Start(const mv_counter* counter = nullptr) { return DeviceState(&region_, counter); }
  // The vault in `slot` runs.
  DeviceState Running(unsigned slot, uint64_t version, const mv_counter* counter = nullptr) {
    DeviceState state = Start(counter);
    state.SetProven(slot, version);
    return state;
  }
  // Slot 1 has a vault of version 7 on trial.
  void Update() {
    DeviceState state = Running(0, 1);
    bool trusted = true;
    ASSERT_EQ(state.BeginUpdate(42, &trusted), MV_OK);
    EXPECT_FALSE(trusted);
    ASSERT_EQ(state.Switch(7), MV_OK);
  }

  NorChip chip_{kStateSectors * kSector, kSector};
  mv_region region_ = chip_.Region(0, kStateSectors* kSector);
};

TEST_F(DeviceStateTest, ANewBoardHasNoRecordAndFloors) {
  const DeviceState state = Start();
  EXPECT_EQ(state.record().sequence, 0u);
  EXPECT_EQ(state.record().phase, SlotPhase::kStable);
  EXPECT_EQ(state.record().active, 0);
  EXPECT_EQ(state.least_version(), 0u);
  EXPECT_EQ(chip_.operations(), 0);
}

TEST_F(DeviceStateTest, ARecordLiesAsItIsDescribed) {
  Update();
  uint8_t digest[32];
  std::memset(digest, 0xAB, sizeof(digest));
  DeviceState state = Running(1, 7);
  ASSERT_EQ(state.AcceptKeySet(digest), MV_OK);
  ASSERT_EQ(state.RaiseRevocation(0x0102030405060708), MV_OK);
  ASSERT_EQ(state.MarkAttempt(), MV_OK);
  uint8_t bytes[kSector];
  for (unsigned sector = 0; sector < kStateSectors; ++sector) {
    ASSERT_EQ(mv_region_read(&region_, sector * kSector, bytes, sizeof(bytes)), MV_OK);
    if (LoadLe32(bytes + 4) == state.record().sequence) break;
  }
  EXPECT_EQ(std::string(reinterpret_cast<char*>(bytes), 4), "MVD1");
  EXPECT_EQ(LoadLe32(bytes + 4), 4u);
  EXPECT_EQ(LoadLe32(bytes + 8), 3u);
  EXPECT_EQ(LoadLe32(bytes + 12), 32u);
  EXPECT_EQ(LoadLe32(bytes + 16), 0x00010101u);  // Trial, slot 1, the other is whole.
  EXPECT_EQ(LoadLe32(bytes + 20), 0u);
  EXPECT_EQ(LoadLe64(bytes + 24), 0u);
  EXPECT_EQ(LoadLe64(bytes + 32), 0x0102030405060708u);
  EXPECT_EQ(LoadLe64(bytes + 40), 0u);
  EXPECT_EQ(std::memcmp(bytes + 48, digest, 32), 0);
  EXPECT_EQ(LoadLe64(bytes + 80), UINT64_MAX);
  EXPECT_EQ(LoadLe64(bytes + 88), XXH64(bytes, 88, 0));
  for (unsigned i = 0; i < 2; ++i) {  // The record's own mark, and the attempt's.
    const uint8_t* const mark = bytes + 96 + 32 * i;
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(mark), 4), "MARK");
    EXPECT_EQ(LoadLe32(mark + 4), i);
    uint8_t hashed[16];
    std::memcpy(hashed, mark, 8);
    std::memcpy(hashed + 8, bytes + 88, 8);
    EXPECT_EQ(LoadLe64(mark + 8), XXH64(hashed, 16, 0));
    EXPECT_EQ(LoadLe64(mark + 16), UINT64_MAX);
  }
  EXPECT_EQ(bytes[96 + 64], 0xFF);
}

TEST_F(DeviceStateTest, WhatCannotBeWrittenIsReportedAndNotBelieved) {
  Update();
  DeviceState state = Running(1, 7);
  const auto program = region_.program;
  region_.program = [](void*, uint32_t, const uint8_t*) { return MV_FLASH_FAILED; };
  EXPECT_EQ(state.RaiseRevocation(5), MV_FLASH_FAILED);
  EXPECT_EQ(state.record().least_revocation, 0u);
  EXPECT_EQ(Start().record().active, 1);
  region_.program = program;
  EXPECT_EQ(state.RaiseRevocation(5), MV_OK);
  EXPECT_EQ(Start().record().least_revocation, 5u);
}

TEST_F(DeviceStateTest, AConfirmationForgetsAttempts) {
  Update();
  DeviceState state = Running(1, 7);
  ASSERT_EQ(state.MarkAttempt(), MV_OK);
  ASSERT_EQ(state.MarkAttempt(), MV_OK);
  ASSERT_EQ(Start().record().count, 2u);
  ASSERT_EQ(state.Confirm(7), MV_OK);
  EXPECT_EQ(state.record().count, 0u);
  EXPECT_EQ(Start().record().count, 0u);
}

TEST_F(DeviceStateTest, AllFieldsAreThereAfterAReset) {
  Update();
  DeviceState state = Running(1, 7);
  uint8_t digest[32] = {9};
  ASSERT_EQ(state.AcceptKeySet(digest), MV_OK);
  ASSERT_EQ(state.RaiseRevocation(5), MV_OK);
  ASSERT_EQ(state.MarkAttempt(), MV_OK);
  ASSERT_EQ(state.MarkAttempt(), MV_OK);
  const DeviceRecord record = Start().record();
  EXPECT_EQ(record.phase, SlotPhase::kTrial);
  EXPECT_EQ(record.active, 1);
  EXPECT_TRUE(record.other_whole);
  EXPECT_EQ(record.count, 2u);
  EXPECT_EQ(record.least_version, 0u);
  EXPECT_EQ(record.least_revocation, 5u);
  EXPECT_EQ(record.key_set[0], 9);
}

TEST_F(DeviceStateTest, WhatIsSoAlreadyIsNotWritten) {
  Update();
  uint8_t digest[32] = {9};
  DeviceState state = Running(1, 7);
  ASSERT_EQ(state.AcceptKeySet(digest), MV_OK);
  ASSERT_EQ(state.RaiseRevocation(5), MV_OK);
  ASSERT_EQ(state.Confirm(7), MV_OK);
  const int operations = chip_.operations();
  state = Running(1, 7);
  EXPECT_EQ(state.AcceptKeySet(digest), MV_OK);
  EXPECT_EQ(state.RaiseRevocation(4), MV_OK);
  EXPECT_EQ(state.Confirm(6), MV_OK);
  EXPECT_EQ(state.least_version(), 7u);
  EXPECT_EQ(chip_.operations(), operations);
}

TEST_F(DeviceStateTest, AFloorIsOnlyForWhatRuns) {
  DeviceState state = Start();
  EXPECT_EQ(state.Confirm(1), MV_NOT_FINISHED);  // Nothing was proven.
  state.SetProven(0, 3);
  EXPECT_EQ(state.Confirm(4), MV_NOT_FINISHED);
  EXPECT_EQ(chip_.operations(), 0);
  EXPECT_EQ(state.Confirm(3), MV_OK);
  EXPECT_EQ(Start().least_version(), 3u);
}

TEST_F(DeviceStateTest, TheFloorIsTheLargerOfRecordAndCounter) {
  Fuses fuses;
  const mv_counter counter = fuses.Counter();
  DeviceState state = Running(0, 5, &counter);
  ASSERT_EQ(state.Confirm(5), MV_OK);
  EXPECT_EQ(fuses.value, 5u);
  ASSERT_EQ(state.Confirm(5), MV_OK);
  EXPECT_EQ(fuses.advances, 1);
  // The sectors are wiped.
  for (unsigned sector = 0; sector < kStateSectors; ++sector) {
    ASSERT_EQ(mv_region_erase(&region_, sector * kSector), MV_OK);
  }
  EXPECT_EQ(Start().least_version(), 0u);
  EXPECT_EQ(Start(&counter).least_version(), 5u);
  fuses.value = 4;
  state = Running(0, 6, &counter);
  ASSERT_EQ(state.Confirm(6), MV_OK);
  EXPECT_EQ(fuses.value, 6u);
}

TEST_F(DeviceStateTest, AnUpdateOfTheSamePatchGoesOn) {
  bool trusted = true;
  DeviceState state = Running(0, 1);
  ASSERT_EQ(state.BeginUpdate(42, &trusted), MV_OK);
  // More marks than there is room for.
  for (uint32_t count = 1; count <= 30; ++count) ASSERT_EQ(state.MarkProgress(count), MV_OK);
  EXPECT_EQ(Start().record().count, 30u);
  state = Running(0, 1);
  ASSERT_EQ(state.BeginUpdate(42, &trusted), MV_OK);
  EXPECT_EQ(state.record().count, 30u);
  EXPECT_EQ(Start().record().count, 30u);
  EXPECT_FALSE(trusted);
  ASSERT_EQ(state.BeginUpdate(43, &trusted), MV_OK);
  EXPECT_EQ(state.record().count, 0u);
  EXPECT_FALSE(trusted);
  ASSERT_EQ(state.MarkProgress(3), MV_OK);
  ASSERT_EQ(state.RestartUpdate(), MV_OK);
  EXPECT_EQ(Start().record().count, 0u);
  EXPECT_EQ(Start().record().patch, 43u);
}

TEST_F(DeviceStateTest, OnlyASlotThatIsStillWholeIsTrusted) {
  Update();
  bool trusted = true;
  EXPECT_EQ(Running(1, 7).BeginUpdate(43, &trusted), MV_NOT_FINISHED);  // On trial.
  EXPECT_FALSE(trusted);
  ASSERT_EQ(Running(1, 7).Confirm(7), MV_OK);
  EXPECT_EQ(Start().BeginUpdate(43, &trusted), MV_NOT_FINISHED);  // Nothing was proven.
  DeviceState state = Running(1, 7);
  ASSERT_EQ(state.BeginUpdate(43, &trusted), MV_OK);
  EXPECT_TRUE(trusted);
  ASSERT_EQ(state.BeginUpdate(43, &trusted), MV_OK);
  EXPECT_FALSE(trusted);
}

TEST_F(DeviceStateTest, WhatRunsInsteadOfATrialIsTheChoiceOnceItIsConfirmed) {
  Update();
  DeviceState state = Running(0, 1);
  bool trusted = true;
  ASSERT_EQ(state.Confirm(1), MV_OK);
  EXPECT_EQ(Start().record().active, 0);
  EXPECT_EQ(Start().record().phase, SlotPhase::kStable);
  EXPECT_FALSE(Start().record().other_whole);
  ASSERT_EQ(state.BeginUpdate(43, &trusted), MV_OK);
  EXPECT_FALSE(trusted);
}

TEST_F(DeviceStateTest, AConfirmationDoesNotGiveUpAnUpdateThatWasCutOff) {
  bool trusted = true;
  ASSERT_EQ(Running(0, 1).BeginUpdate(42, &trusted), MV_OK);
  ASSERT_EQ(Running(0, 1).Confirm(1), MV_OK);
  EXPECT_EQ(Start().record().phase, SlotPhase::kUpdating);
  EXPECT_EQ(Start().record().patch, 42u);
  EXPECT_EQ(Start().least_version(), 1u);
}

TEST_F(DeviceStateTest, StepsOfOtherPhasesAreRefused) {
  DeviceState state = Running(0, 1);
  EXPECT_EQ(state.MarkAttempt(), MV_NOT_FINISHED);
  EXPECT_EQ(state.MarkProgress(1), MV_NOT_FINISHED);
  EXPECT_EQ(state.RestartUpdate(), MV_NOT_FINISHED);
  EXPECT_EQ(state.Switch(2), MV_NOT_FINISHED);
  EXPECT_EQ(chip_.operations(), 0);
}

TEST_F(DeviceStateTest, AnyFlippedBitOfTheNewestRecordLeavesTheOneBefore) {
  ASSERT_EQ(Running(0, 3).Confirm(3), MV_OK);
  ASSERT_EQ(Running(0, 4).Confirm(4), MV_OK);
  uint8_t bytes[kSector];
  unsigned newest = 0;
  for (unsigned sector = 0; sector < kStateSectors; ++sector) {
    ASSERT_EQ(mv_region_read(&region_, sector * kSector, bytes, sizeof(bytes)), MV_OK);
    if (LoadLe32(bytes + 4) == 2) newest = sector;
  }
  ASSERT_EQ(mv_region_read(&region_, newest * kSector, bytes, sizeof(bytes)), MV_OK);
  for (uint32_t bit = 0; bit < 8 * kStateBodySize; ++bit) {
    std::string flipped(reinterpret_cast<char*>(bytes), kStateBodySize);
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    chip_.Put(newest * kSector, flipped);
    EXPECT_EQ(Start().least_version(), 3u) << "bit " << bit;
  }
}

// A host whose slots verify with these versions; 0: not.
struct Vaults {
  uint64_t versions[kSlots];
  int verified = 0;

  SlotHost Host() {
    return {[](void* self, unsigned slot, uint64_t* version) {
              Vaults* const vaults = static_cast<Vaults*>(self);
              ++vaults->verified;
              *version = vaults->versions[slot];
              return *version != 0 ? MV_OK : MV_CHECKSUM_MISMATCH;
            },
            this};
  }
};

TEST_F(DeviceStateTest, TheActiveSlotIsStartedAndElseTheOther) {
  Vaults vaults = {{3, 0}};
  DeviceState state = Start();
  SlotChoice choice = ChooseSlot(&state, vaults.Host());
  EXPECT_EQ(choice.source, SlotSource::kActive);
  EXPECT_EQ(choice.slot, 0u);
  EXPECT_EQ(choice.version, 3u);
  EXPECT_EQ(state.proven(), 0u);
  EXPECT_EQ(vaults.verified, 1);
  vaults.versions[0] = 0;
  choice = ChooseSlot(&state, vaults.Host());
  EXPECT_EQ(choice.source, SlotSource::kNothing);
  EXPECT_EQ(choice.error, MV_CHECKSUM_MISMATCH);
  vaults.versions[1] = 2;
  choice = ChooseSlot(&state, vaults.Host());
  EXPECT_EQ(choice.source, SlotSource::kOther);
  EXPECT_EQ(choice.slot, 1u);
  EXPECT_EQ(chip_.operations(), 0);
}

TEST_F(DeviceStateTest, AVaultBelowTheFloorIsNotStarted) {
  Vaults vaults = {{4, 0}};
  DeviceState state = Running(0, 4);
  ASSERT_EQ(state.Confirm(4), MV_OK);
  vaults.versions[0] = 3;
  const SlotChoice choice = ChooseSlot(&state, vaults.Host());
  EXPECT_EQ(choice.source, SlotSource::kNothing);
  vaults.versions[1] = 4;
  EXPECT_EQ(ChooseSlot(&state, vaults.Host()).source, SlotSource::kOther);
  vaults.versions[1] = 3;
  EXPECT_EQ(ChooseSlot(&state, vaults.Host()).error, MV_ROLLED_BACK);
}

TEST_F(DeviceStateTest, ATrialHasItsAttemptsAndIsThenGivenUp) {
  Update();
  Vaults vaults = {{1, 7}};
  for (uint32_t i = 0; i < kMaxSlotAttempts; ++i) {
    DeviceState state = Start();
    EXPECT_EQ(ChooseSlot(&state, vaults.Host()).source, SlotSource::kTrial);
    EXPECT_EQ(state.proven(), 1u);
  }
  DeviceState state = Start();
  EXPECT_EQ(ChooseSlot(&state, vaults.Host()).source, SlotSource::kOther);
  EXPECT_EQ(state.proven(), 0u);
  vaults.versions[0] = 0;  // Nothing else is left.
  EXPECT_EQ(ChooseSlot(&state, vaults.Host()).source, SlotSource::kTrial);
}

TEST_F(DeviceStateTest, ASlotThatIsBeingWrittenIsNotLookedAt) {
  bool trusted = true;
  DeviceState state = Running(0, 1);
  ASSERT_EQ(state.BeginUpdate(42, &trusted), MV_OK);
  Vaults vaults = {{0, 7}};
  EXPECT_EQ(ChooseSlot(&state, vaults.Host()).source, SlotSource::kNothing);
  EXPECT_EQ(vaults.verified, 1);
}

}  // namespace
}  // namespace modelvault
