// The campaign of power cuts, and proof that it looks: with each step left out that makes updates survive cuts, it
// fails. MODELVAULT_WHOLE_CAMPAIGN=1 in the environment runs all of it, which takes minutes.
#include <gtest/gtest.h>

#include <cstdlib>

// The templates' bodies, for other steps than the firmware's.
#include "firmware_riscv/boot/device_state.cc"
#include "firmware_riscv/boot/device_state_update.cc"
#include "firmware_riscv/boot/slot_boot.cc"
#include "firmware_riscv/update/in_place_update.cc"
#include "firmware_riscv/update/patch_check.cc"
#include "firmware_riscv/update/slot_update.cc"
#include "tests/firmware_riscv/update/in_place_campaign.h"
#include "tests/firmware_riscv/update/update_campaign.h"

namespace modelvault {
namespace {

bool Whole() { return std::getenv("MODELVAULT_WHOLE_CAMPAIGN") != nullptr; }

template <UpdateSteps kSteps>
Harm RunCampaign(const std::vector<Chapter>& life, const CampaignOptions& options) {
  return Campaign<CampaignBoard<kSteps>>(options).Run(life);
}

TEST(UpdatePowerTest, ACutAtAnyFlashOperationHarmsNothing) {
  const Harm harm = RunCampaign<kAllSteps>(WholeLife(), {.stride = Whole() ? 1 : 3});
  RecordProperty("cuts", harm.cuts);
  std::cout << harm << "\n";
  EXPECT_EQ(harm.total(), 0) << harm;
  EXPECT_GT(harm.cuts, 1000);
}

TEST(UpdatePowerTest, ASecondCutHarmsNothing) {
  const Harm harm = RunCampaign<kAllSteps>(
      WholeLife(), {.stride = Whole() ? 1 : 13, .second_stride = Whole() ? 1 : 11, .all_moods = false});
  std::cout << harm << "\n";
  EXPECT_EQ(harm.total(), 0) << harm;
  EXPECT_GT(harm.cuts, 1000);
}

TEST(UpdatePowerTest, TwoCutsAnywhereInChangesOfTheStateHarmNothing) {
  const Harm harm = RunCampaign<kAllSteps>(StateLife(), {.stride = 1, .second_stride = 1});
  std::cout << harm << "\n";
  EXPECT_EQ(harm.total(), 0) << harm;
  EXPECT_GT(harm.cuts, 1000);
}

template <UpdateSteps kSteps>
Harm RunInPlace(const CampaignOptions& options) {
  return Campaign<InPlaceBoard<kSteps>>(options).Run(InPlaceLife());
}

TEST(InPlacePowerTest, ACutAtAnyFlashOperationHarmsNothing) {
  const Harm harm = RunInPlace<kAllSteps>({.stride = Whole() ? 1 : 3});
  std::cout << harm << "\n";
  EXPECT_EQ(harm.total(), 0) << harm;
  EXPECT_GT(harm.cuts, 500);
}

TEST(InPlacePowerTest, ASecondCutHarmsNothing) {
  const Harm harm =
      RunInPlace<kAllSteps>({.stride = Whole() ? 1 : 17, .second_stride = Whole() ? 1 : 13, .all_moods = false});
  std::cout << harm << "\n";
  EXPECT_EQ(harm.total(), 0) << harm;
  EXPECT_GT(harm.cuts, 500);
}

// Each of these leaves out one step, and the campaign ends where it sees the harm.
template <UpdateSteps kSteps>
int Harmed(const std::vector<Chapter>& life = WholeLife(), int second_stride = 0, int begin = 0) {
  return RunCampaign<kSteps>(life, {.begin = begin, .second_stride = second_stride, .to_first_harm = true}).total();
}

TEST(UpdateStepsTest, TheNewestRecordIsKept) { EXPECT_GT(Harmed<UpdateSteps{.keep_newest = false}>(), 0); }

TEST(UpdateStepsTest, ARecordThatMayNotBeWholeIsWrittenAnew) {
  EXPECT_GT(Harmed<UpdateSteps{.secure_newest = false}>(StateLife(), 1), 0);
}

TEST(UpdateStepsTest, TheFirstMarkIsMadeBehindTheRecord) {
  EXPECT_GT(Harmed<UpdateSteps{.mark_when_whole = false}>(StateLife(), 1), 0);
}

TEST(UpdateStepsTest, ASectorThatReadsErasedIsErasedAllTheSame) {
  EXPECT_GT(Harmed<UpdateSteps{.erase_anyway = false}>(StateLife(), 1), 0);
}

TEST(UpdateStepsTest, TheFloorRisesAfterAGoodStart) { EXPECT_GT(Harmed<UpdateSteps{.floor_after_boot = false}>(), 0); }

TEST(UpdateStepsTest, AVaultIsVerifiedBeforeItIsStarted) { EXPECT_GT(Harmed<UpdateSteps{.verify_slot = false}>(), 0); }

TEST(UpdateStepsTest, AVaultBelowTheFloorIsNotStarted) { EXPECT_GT(Harmed<UpdateSteps{.check_floor = false}>(), 0); }

TEST(UpdateStepsTest, ATrialIsCountedBeforeItBegins) { EXPECT_GT(Harmed<UpdateSteps{.mark_attempt = false}>(), 0); }

TEST(UpdateStepsTest, TheSlotThatRunsIsSpared) { EXPECT_GT(Harmed<UpdateSteps{.spare_running = false}>(), 0); }

TEST(UpdateStepsTest, AnUpdateIsRecordedBeforeItsFirstErase) {
  EXPECT_GT(Harmed<UpdateSteps{.record_first = false}>(), 0);
}

TEST(UpdateStepsTest, AfterACutEverySectorIsWrittenAnew) {
  EXPECT_GT(Harmed<UpdateSteps{.rewrite_after_cut = false}>(), 0);
}

TEST(UpdateStepsTest, MarksFromBeforeACutAreForgotten) {
  EXPECT_GT(Harmed<UpdateSteps{.forget_marks = false}>(WholeLife(), 1, 75), 0);  // Sector 3 ends there.
}

TEST(UpdateStepsTest, ProgressIsMarkedBehindASector) {
  EXPECT_GT(Harmed<UpdateSteps{.mark_after_sector = false}>(), 0);
}

TEST(UpdateStepsTest, TheNewVaultIsProvenBeforeTheSwitch) {
  EXPECT_GT(Harmed<UpdateSteps{.prove_before_switch = false}>(), 0);
}

template <UpdateSteps kSteps>
int HarmedInPlace(int second_stride = 0, int begin = 0) {
  return RunInPlace<kSteps>({.begin = begin, .second_stride = second_stride, .to_first_harm = true}).total();
}

TEST(InPlaceStepsTest, TheJournalIsOpenedBeforeTheFirstErase) {
  EXPECT_GT(HarmedInPlace<UpdateSteps{.record_first = false}>(), 0);
}

TEST(InPlaceStepsTest, NothingStartsBeforeTheUpdateIsDone) {
  EXPECT_GT(HarmedInPlace<UpdateSteps{.finish_first = false}>(), 0);
}

TEST(InPlaceStepsTest, AllThatThePatchMakesIsCheckedFirst) {
  EXPECT_GT(HarmedInPlace<UpdateSteps{.check_whole = false}>(), 0);
}

TEST(InPlaceStepsTest, ASectorIsStagedBeforeItIsErased) {
  EXPECT_GT(HarmedInPlace<UpdateSteps{.stage_sector = false}>(), 0);
}

TEST(InPlaceStepsTest, ThatASectorIsStagedIsMarkedBehindIt) {
  EXPECT_GT(HarmedInPlace<UpdateSteps{.mark_when_staged = false}>(), 0);
}

TEST(InPlaceStepsTest, ThatASectorIsDoneIsMarkedBehindIt) {
  EXPECT_GT(HarmedInPlace<UpdateSteps{.mark_after_sector = false}>(), 0);
}

TEST(InPlaceStepsTest, WhatAMarkWasTakenForIsRecordedBeforeItIsReliedOn) {
  EXPECT_GT(HarmedInPlace<UpdateSteps{.forget_marks = false}>(1, 30), 0);  // The first mark.
}

}  // namespace
}  // namespace modelvault
