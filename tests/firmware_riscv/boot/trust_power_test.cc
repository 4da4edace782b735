// The campaign of power cuts in revocations, in the device's state and in the choice of a variant, and proof that it
// looks: with each step left out that makes them survive, it fails. MODELVAULT_WHOLE_CAMPAIGN=1 in the environment runs
// all of it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

// The templates' bodies, for other steps than the firmware's.
#include "firmware_riscv/app/device_trust.cc"
#include "firmware_riscv/boot/boot.cc"
#include "firmware_riscv/boot/boot_selection.cc"
#include "firmware_riscv/boot/device_state.cc"
#include "tests/firmware_riscv/boot/trust_campaign.h"

namespace modelvault {
namespace {

bool Whole() { return std::getenv("MODELVAULT_WHOLE_CAMPAIGN") != nullptr; }

template <UpdateSteps kSteps>
TrustHarm RunCampaign(const TrustCampaignOptions& options) {
  return TrustCampaign<kSteps>(options).Run(TrustingLife());
}

TEST(TrustPowerTest, ACutAtAnyFlashOperationHarmsNothing) {
  const TrustHarm harm = RunCampaign<kAllSteps>({.stride = Whole() ? 1 : 3});
  std::cout << harm << "\n";
  EXPECT_EQ(harm.total(), 0) << harm;
  EXPECT_GT(harm.cuts, 100);
}

TEST(TrustPowerTest, ASecondCutHarmsNothing) {
  const TrustHarm harm = RunCampaign<kAllSteps>({.stride = Whole() ? 1 : 41, .second_stride = Whole() ? 1 : 29});
  std::cout << harm << "\n";
  EXPECT_EQ(harm.total(), 0) << harm;
  EXPECT_GT(harm.cuts, 100);
}

// The marks of a choice that hangs the board: an attempt that cannot be counted, then a rejection that cannot be made.
TEST(TrustPowerTest, MarksThatCannotBeMadeLeaveNoBoardHanging) {
  const TrustHarm harm = RunCampaign<kAllSteps>({.chapter = 8, .begin = 10, .stride = 100, .second_stride = 5});
  EXPECT_EQ(harm.total(), 0) << harm;
}

// Each of these leaves out one step, and the campaign ends where it sees the harm.
template <UpdateSteps kSteps>
int Harmed(int chapter, int begin = 0, int second_stride = 0) {
  const TrustHarm harm =
      RunCampaign<kSteps>({.chapter = chapter, .begin = begin, .second_stride = second_stride, .to_first_harm = true});
  std::cout << harm << "\n";
  return harm.total();
}

TEST(TrustStepsTest, AListIsProvenBeforeItTakesThePlaceOfAnother) {
  EXPECT_GT(Harmed<UpdateSteps{.prove_list = false}>(3, 6), 0);
}

TEST(TrustStepsTest, TheNumberOfAListIsRemembered) { EXPECT_GT(Harmed<UpdateSteps{.raise_number = false}>(3), 0); }

TEST(TrustStepsTest, WithoutTheListThatWasThereOnlyTheBaseBoots) {
  EXPECT_GT(Harmed<UpdateSteps{.ask_for_list = false}>(3), 0);
}

TEST(TrustStepsTest, TheVersionOfAVaultThatWorkedIsRemembered) {
  EXPECT_GT(Harmed<UpdateSteps{.raise_version = false}>(8), 0);
}

TEST(TrustStepsTest, TheKeySetThatHasSignedIsRemembered) {
  EXPECT_GT(Harmed<UpdateSteps{.keep_key_set = false}>(9), 0);
}

TEST(TrustStepsTest, WhatThereIsToFallBackToIsSpared) { EXPECT_GT(Harmed<UpdateSteps{.spare_fallback = false}>(1), 0); }

TEST(TrustStepsTest, ASectorThatReadsErasedIsErasedBeforeARecord) {
  EXPECT_GT(Harmed<UpdateSteps{.erase_record = false}>(4), 0);
}

TEST(TrustStepsTest, ARecordWithoutTheMarkBehindItIsNone) {
  EXPECT_GT(Harmed<UpdateSteps{.whole_mark = false}>(0, 15), 0);
}

TEST(TrustStepsTest, AnAttemptIsCountedBeforeItBegins) { EXPECT_GT(Harmed<UpdateSteps{.mark_attempt = false}>(8), 0); }

TEST(TrustStepsTest, TheNewestRecordOfTheStateIsKept) { EXPECT_GT(Harmed<UpdateSteps{.keep_newest = false}>(9, 8), 0); }

TEST(TrustStepsTest, ARecordOfTheStateThatMayNotBeWholeIsWrittenAnew) {
  EXPECT_GT(Harmed<UpdateSteps{.secure_newest = false}>(3), 0);
}

}  // namespace
}  // namespace modelvault
