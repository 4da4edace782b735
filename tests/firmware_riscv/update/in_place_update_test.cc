#include "firmware_riscv/update/in_place_update.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/firmware_riscv/update/nor_chip.h"
#include "tests/firmware_riscv/update/update_campaign.h"
#include "tools/packing/patch_builder.h"
#include "vault/crypto.h"

namespace modelvault {
namespace {

class InPlaceUpdateTest : public testing::Test {
 protected:
  static constexpr uint32_t kSector = 512;
  static constexpr uint32_t kSlotSize = 8 * kSector;

  InPlaceUpdateTest() { chip_.Put(3 * kSector, old_); }

  SlotHost Host() {
    SlotHost host = {};
    host.context = this;
    host.crypto = &HostCrypto();
    host.verify = [](void* self, unsigned slot, uint64_t* version) {
      return slot != 0 ? MV_NOT_FOUND : CheckCampaignVault(static_cast<InPlaceUpdateTest*>(self)->Vault(), version);
    };
    return host;
  }
  std::string Vault() {
    std::string bytes(kSlotSize, '\0');
    EXPECT_EQ(mv_region_read(&vault_, 0, reinterpret_cast<uint8_t*>(bytes.data()), kSlotSize), MV_OK);
    return bytes;
  }
  static std::string Patch(const std::string& from, const std::string& to, PatchKind kind = PatchKind::kInPlace) {
    uint64_t version = 0;
    static_cast<void>(CheckCampaignVault(to, &version));
    return BuildPatch(from, to, kSector, {{}, version}, kind)->bytes;
  }
  mv_error Apply(std::string patch, bool rereadable = true, bool choose = true) {
    const PatchSource source = {[](void* text, uint32_t offset, uint8_t* out, uint32_t size) {
                                  const std::string& all = *static_cast<std::string*>(text);
                                  if (offset + size > all.size()) return MV_READ_FAILED;
                                  all.copy(reinterpret_cast<char*>(out), size, offset);
                                  return MV_OK;
                                },
                                &patch, static_cast<uint32_t>(patch.size()), rereadable};
    DeviceState state(&sectors_, nullptr);
    if (choose) choice_ = ChooseSlot(&state, Host());
    uint8_t buffer[kSector];
    return UpdateInPlace(&state, {&vault_, &spare_}, Host(), source, {buffer, kSector}, &report_);
  }
  bool IsOpen() { return IsInPlace(DeviceState(&sectors_, nullptr)); }

  const std::string old_ = CampaignVault(1, 3000);
  const std::string new_ = CampaignVault(2, 3300);
  NorChip chip_{3 * kSector + kSlotSize + kSector, kSector};
  mv_region sectors_ = chip_.Region(0, 3 * kSector);
  mv_region vault_ = chip_.Region(3 * kSector, kSlotSize);
  mv_region spare_ = chip_.Region(3 * kSector + kSlotSize, kSector);
  SlotChoice choice_;
  UpdateReport report_;
};

TEST_F(InPlaceUpdateTest, TheNewVaultIsWrittenOverTheOldOne) {
  ASSERT_EQ(Apply(Patch(old_, new_)), MV_OK);
  EXPECT_EQ(Vault().substr(0, new_.size()), new_);
  EXPECT_EQ(report_.sectors, 7u);
  EXPECT_EQ(report_.left_alone, 2u);  // The third and the fourth.
  EXPECT_EQ(report_.written, 5u);
  EXPECT_FALSE(IsOpen());
  // The same patch again: it is done.
  const int operations = chip_.operations();
  EXPECT_EQ(Apply(Patch(old_, new_)), MV_OK);
  EXPECT_EQ(choice_.version, 2u);
  EXPECT_EQ(chip_.operations(), operations);
}

TEST_F(InPlaceUpdateTest, AfterACutNothingStartsUntilTheSamePatchIsDone) {
  chip_.CutAfter(100, ChipCut::kInside);
  EXPECT_THROW(static_cast<void>(Apply(Patch(old_, new_))), PowerIsCut);
  chip_.PowerUp(Mood::kEach, 1);
  EXPECT_TRUE(IsOpen());
  EXPECT_EQ(Apply(Patch(old_, CampaignVault(3, 3000))), MV_OTHER_VAULT);
  EXPECT_EQ(choice_.source, SlotSource::kNothing);
  EXPECT_EQ(choice_.error, MV_NOT_FINISHED);
  EXPECT_EQ(Apply(Patch(old_, new_).substr(0, 200)), MV_BAD_PATCH);
  EXPECT_TRUE(IsOpen());
  ASSERT_EQ(Apply(Patch(old_, new_), true, /*choose=*/false), MV_OK);
  EXPECT_GT(report_.done_before, 0u);
  EXPECT_EQ(Vault().substr(0, new_.size()), new_);
  EXPECT_FALSE(IsOpen());
}

TEST_F(InPlaceUpdateTest, NothingIsWrittenForAPatchThatDoesNotDo) {
  EXPECT_EQ(Apply(Patch(old_, new_, PatchKind::kTwoSlots)), MV_BAD_PATCH);
  EXPECT_EQ(Apply(Patch(CampaignVault(4, 3000), new_)), MV_OTHER_VAULT);
  EXPECT_EQ(Apply(Patch(old_, CampaignVault(2, kSlotSize + 1))), MV_BAD_PATCH);
  EXPECT_EQ(Apply(Patch(old_, new_), /*rereadable=*/false), MV_BAD_ARGUMENT);
  EXPECT_EQ(Apply(Patch(old_, new_), true, /*choose=*/false), MV_NOT_FINISHED);
  std::string patch = Patch(old_, new_);
  patch.back() = static_cast<char>(patch.back() ^ 1);
  EXPECT_EQ(Apply(patch), MV_CHECKSUM_MISMATCH);
  spare_.size = 0;
  EXPECT_EQ(Apply(Patch(old_, new_)), MV_BAD_ARGUMENT);
  EXPECT_EQ(chip_.operations(), 0);
  EXPECT_EQ(Vault().substr(0, old_.size()), old_);
}

TEST_F(InPlaceUpdateTest, NoUpdateOfAnotherSlotBeginsMeanwhile) {
  chip_.CutAfter(100, ChipCut::kBefore);
  EXPECT_THROW(static_cast<void>(Apply(Patch(old_, new_))), PowerIsCut);
  chip_.PowerUp(Mood::kNew, 1);
  DeviceState state(&sectors_, nullptr);
  state.SetProven(0, 1);
  bool trusted = false;
  EXPECT_EQ(state.BeginUpdate(7, &trusted), MV_NOT_FINISHED);
  EXPECT_EQ(state.Confirm(0), MV_NOT_FINISHED);
  EXPECT_TRUE(IsOpen());
}

}  // namespace
}  // namespace modelvault
