#include "tools/mvault/board/energy_account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace modelvault {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

testing::Matcher<double> Near(double value) { return DoubleNear(value, 1e-9 * (1 + std::abs(value))); }

EnergyTable Table() {
  EnergyTable table;
  const std::pair<EnergyRow, double> rows[] = {
      {EnergyRow::kFlashByte, 1000},  {EnergyRow::kFlashWake, 2e6},    {EnergyRow::kRamWord, 20},
      {EnergyRow::kInstruction, 40},  {EnergyRow::kMultiplication, 3}, {EnergyRow::kDivision, 5},
      {EnergyRow::kWaitingCycle, 30}, {EnergyRow::kMcuActive, 500},    {EnergyRow::kMcuAsleep, 100},
      {EnergyRow::kRamKibKept, 2},    {EnergyRow::kFlashStandby, 50},  {EnergyRow::kFlashPowerDown, 10},
  };
  for (const auto& [row, value] : rows) table.rows[static_cast<size_t>(row)].value = value;
  return table;
}

// 1,000,000 instructions in 2,000,000 cycles, 600,000 of which wait for 50,000 words of flash.
CycleCounts Counts() {
  CycleCounts counts;
  counts.instructions = 1'000'000;
  counts.executing = 1'400'000;
  counts.data_wait = 480'000;
  counts.fetch_wait = 120'000;
  counts.flash_reads = 40'000;
  counts.flash_read_bytes = 100'000;  // Fewer than handed over: not every access asks for a whole word.
  counts.flash_accesses = 40'000;
  counts.flash_fetches = 10'000;
  counts.ram_reads = 200'000;
  counts.ram_writes = 100'000;
  counts.ram_fetches = 500'000;
  counts.multiplications = 80'000;
  counts.divisions = 20'000;
  counts.branches = 150'000;
  return counts;
}

TEST(EnergyTest, IsEventsTimesTheTable) {
  const EnergyParts parts = EnergyOf(Counts(), Table(), 100);
  EXPECT_THAT(parts.flash, Near(50'000 * 4 * 1000e-6));                                // 200
  EXPECT_THAT(parts.ram, Near(800'000 * 20e-6));                                       // 16
  EXPECT_THAT(parts.multiply, Near((100'000 * 40 + 80'000 * 3 + 20'000 * 5) * 1e-6));  // 4.34
  EXPECT_THAT(parts.instructions, Near(900'000 * 40e-6));                              // 36
  EXPECT_THAT(parts.waiting, Near(1'000'000 * 30e-6));                                 // 30
  EXPECT_THAT(parts.fixed, Near(550 * 0.020));                                         // 20 ms: 11
  EXPECT_THAT(parts.total(), Near(297.34));
}

TEST(EnergyTest, OnlyWhatFlowsAllTheTimeDependsOnTheClock) {
  const EnergyParts fast = EnergyOf(Counts(), Table(), 100), slow = EnergyOf(Counts(), Table(), 50);
  EXPECT_THAT(slow.fixed, Near(2 * fast.fixed));
  EXPECT_THAT(slow.total() - slow.fixed, Near(fast.total() - fast.fixed));
}

TEST(EnergyTest, FewerWaitStatesAreFewerWaitingCycles) {
  const CycleCounts changed = AtWaitStates(Counts(), 5);
  EXPECT_EQ(changed.cycles(), 1'400'000u + 50'000 * 5);
  EXPECT_EQ(changed.data_wait, 200'000u);
  EXPECT_EQ(changed.fetch_wait, 50'000u);
  EXPECT_EQ(changed.instructions, Counts().instructions);
  EXPECT_EQ(AtWaitStates(Counts(), 12).cycles(), Counts().cycles());
}

BoardPhases Phases() {
  BoardPhases phases;
  const auto add = [&](int phase, uint64_t instructions, uint64_t begun) {
    phases[phase].counts.instructions = instructions;
    phases[phase].counts.executing = 2 * instructions;
    phases[phase].counts.flash_accesses = 3 * instructions;
    phases[phase].begun = begun;
  };
  add(static_cast<int>(Phase::kOther), 1, 3);
  add(static_cast<int>(Phase::kOpen), 10, 1);
  add(static_cast<int>(Phase::kVerifyDecode), 100, 68);
  add(static_cast<int>(Phase::kVerifyHash), 200, 68);
  add(static_cast<int>(Phase::kUseDecode), 1000, 68);
  add(static_cast<int>(Phase::kUseElse), 2000, 68);
  add(static_cast<int>(Phase::kConsole), 5, 7);
  add(31, 403, 4);  // No name of ours: "phase 31".
  return phases;
}

TEST(EnergyGroupsTest, PhasesAreGroupedByTheirNamesUpToAColon) {
  std::vector<std::string> names;
  for (const EnergyGroup& group : GroupPhases(Phases())) {
    names.push_back(group.name + " " + std::to_string(group.times) + " " + std::to_string(group.counts.instructions));
  }
  EXPECT_THAT(names,
              ElementsAre("start-up 3 1", "open 1 10", "verify 0 300", "use 0 3000", "console 7 5", "phase 31 4 403"));
  EXPECT_EQ(GroupPhases(Phases())[2].divisor(), 1u);
  EXPECT_EQ(GroupPhases(Phases())[5].divisor(), 4u);
}

TEST(EnergyGroupsTest, ABootIsOpeningAndBothPasses) {
  EXPECT_EQ(BootOf(Phases()).counts.instructions, 10u + 300 + 3000);
  EXPECT_EQ(BootOf(Phases()).counts.flash_accesses, 3u * 3310);
}

TEST(EnergyGroupsTest, WhatThePhaseIsBegunForIsToldOnce) {
  const std::vector<EnergyGroup> works = RepeatedWork(Phases());
  ASSERT_EQ(works.size(), 2u);
  EXPECT_EQ(works[0].name, "boot");
  EXPECT_EQ(works[1].name, "phase 31");
  EXPECT_EQ(works[1].times, 1u);
  EXPECT_EQ(works[1].counts.instructions, 100u);  // 403 / 4, rounded down.
  EXPECT_EQ(works[1].counts.executing, 201u);
  EXPECT_EQ(works[1].counts.flash_accesses, 302u);
}

TEST(EnergyPeriodTest, IsWorkAndWhatFlowsInThePause) {
  // 20 ms of work in 1.02 s: a pause of 1 s.
  const EnergyOfPeriod period = EnergyPerPeriod(Counts(), Table(), 100, 1.02);
  EXPECT_THAT(*period.awake, Near(297.34 + 100 * 30 + 500 + 50));  // 30 pJ * 100 MHz are 3,000 uW.
  EXPECT_THAT(*period.asleep, Near(297.34 + 100 + 50));
  EXPECT_THAT(*period.powered_down, Near(297.34 + 100 + 10 + 2));
}

TEST(EnergyPeriodTest, WorkThatTakesLongerHasNone) {
  const EnergyOfPeriod period = EnergyPerPeriod(Counts(), Table(), 100, 0.0199);
  EXPECT_FALSE(period.awake.has_value());
  EXPECT_FALSE(period.asleep.has_value());
  EXPECT_FALSE(period.powered_down.has_value());
}

TEST(EnergyPeriodTest, PoweringDownPaysFromAPauseOn) {
  EXPECT_THAT(ShortestPowerDown(Table()), Near(2.0 / (50 - 10)));
  // At that pause both are the same.
  const EnergyOfPeriod period = EnergyPerPeriod(Counts(), Table(), 100, 0.020 + 0.05);
  EXPECT_THAT(*period.powered_down, Near(*period.asleep));
  EnergyTable table = Table();
  table.rows[static_cast<size_t>(EnergyRow::kFlashPowerDown)].value = 50;
  EXPECT_TRUE(std::isinf(ShortestPowerDown(table)));
}

TEST(KeptEnergyTest, WeightsStreamedAgainstKept) {
  const KeptEnergy kept = KeptWeights(Counts(), 10'240'001, Table(), 100);
  const double words = 2'560'001;  // The last one is not full.
  EXPECT_THAT(kept.streamed, Near(297.34));
  EXPECT_THAT(kept.flash_alone, Near(words * 4 * 1000e-6));
  EXPECT_THAT(kept.kept, Near(words * 20e-6));  // 51.20002
  EXPECT_THAT(kept.fill, Near(297.34 + words * 20e-6));
  EXPECT_THAT(kept.holding_uw, Near(words * 4 / 1024 * 2));
  // 348.54002 / 246.13998 = 1.4: after one pass it has not paid yet.
  EXPECT_EQ(kept.break_even, 2u);
  EXPECT_THAT(kept.longest_pause_s, Near((297.34 - words * 20e-6) / (words * 4 / 512)));
}

TEST(KeptEnergyTest, KeepingMayNeverPay) {
  const KeptEnergy never = KeptWeights(Counts(), 100 << 20, Table(), 100);  // 524 uJ to read.
  EXPECT_FALSE(never.break_even.has_value());
  EXPECT_EQ(never.longest_pause_s, 0);
  EnergyTable table = Table();
  table.rows[static_cast<size_t>(EnergyRow::kRamKibKept)].value = 0;
  EXPECT_TRUE(std::isinf(KeptWeights(Counts(), 1024, table, 100).longest_pause_s));
}

TEST(KeptEnergyTest, DataFromFlashAgainstDataFromRam) {
  const KeptEnergy kept = KeptData(Counts(), Table(), 100);
  EXPECT_THAT(kept.streamed, Near(297.34));
  EXPECT_THAT(kept.flash_alone, Near(160));  // 40,000 words.
  // No waiting for them: 480,000 cycles, which are 4.8 ms, less.
  const double saved = 160 + 480'000 * 30e-6 + 550 * 0.0048 - 40'000 * 20e-6;
  EXPECT_THAT(kept.kept, Near(297.34 - saved));
  EXPECT_THAT(kept.fill, Near(160 + 0.8));
  EXPECT_THAT(kept.holding_uw, Near(160'000.0 / 1024 * 2));
  EXPECT_EQ(kept.break_even, 1u);  // 160.8 / 176.24
  EXPECT_THAT(kept.longest_pause_s, Near(saved / (160'000.0 / 512)));
}

}  // namespace
}  // namespace modelvault
