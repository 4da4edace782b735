// Holds the plugin's counts of cycle_kernels.S against counts made by hand from the cycle table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/firmware_riscv/sim/emulated_board.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Each includes the marker that ends it: one instruction, one cycle, in flash one word.
struct Kernel {
  int phase;
  const char* what;
  uint64_t instructions;
  uint64_t executing;
  uint64_t data_words = 0;
  uint64_t fetched_words = 0;
  uint64_t flash_reads = 0;
  uint64_t flash_read_bytes = 0;
};

constexpr Kernel kKernels[] = {
    {1, "ten additions", 11, 10 + 1},
    {2, "a branch not taken and one taken", 3, 1 + 2 + 1},
    {3, "jumps", 3, 2 + 2 + 1},
    {4, "a call and a return", 3, 2 + 2 + 1},
    {5, "mul", 2, 1 + 1},
    {6, "mulh, mulhsu, mulhu", 4, 3 * 2 + 1},
    {7, "div, divu, rem, remu", 5, 4 * 37 + 1},
    {8, "a load used at once", 3, 2 + 1 + 1},
    {9, "loads not used at once", 6, 5 + 1},
    {10, "loads used by a store and by a load", 5, (2 + 1) + (2 + 1) + 1},
    {11, "a load used at once in the next page", 4, 3 + 1 + 1},
    {12, "a load from a device used at once", 3, 2 + 1 + 1},
    {13, "stores to a device", 6, 5 + 1},
    {14, "a jump to four bytes at 2 mod 4", 4, (1 + 1 + 1) + 2 + 1},
    {15, "a jump to two bytes at 2 mod 4", 3, (1 + 1) + 1 + 1},
    {16, "four bytes at 2 mod 4 without a jump", 4, 3 + 1},
    {17, "accesses that cross a word", 12, 11 + 6 + 1},
    {18, "data in flash", 4, 3 + 1, 3, 0, 3, 7},
    {19, "data in flash that cross a word", 2, 2 + 1, 2, 0, 2, 4},
    {20, "a store into flash", 2, 1 + 1, 1},
    {21, "a loop", 200001, 100000 * 3 - 1 + 1},
    {22, "an atomic used at once", 3, 2 + 1 + 1},
    {23, "a counter that is read", 3, 2 + 1},
    {24, "a load into x0", 3, 2 + 1},
    {25, "code in flash", 5, 5, 0, 5},
    {26, "short code in flash", 5, 5, 0, 3},
    {27, "four bytes in two words of flash", 4, 4, 0, 3},
    {28, "a jump in flash", 3, 3 + 1, 0, 3},
    {29, "a loop in one word of flash", 9, 3 * 2 + 2 + 2 + 1, 0, 3 + 1 + 1},
    {30, "a device amid a word of flash", 3, 3, 0, 2},
};

// What else happens in some of them, counted by hand as well, the marker included.
struct Work {
  int phase;
  uint64_t ram_fetches;
  uint64_t ram_reads = 0;
  uint64_t ram_writes = 0;
  uint64_t multiplications = 0;
  uint64_t divisions = 0;
  uint64_t branches = 0;
  uint64_t begun = 1;
};

constexpr Work kWork[] = {
    {.phase = 1, .ram_fetches = 11},
    {.phase = 2, .ram_fetches = 3, .branches = 2},  // What is jumped over is not fetched.
    {.phase = 3, .ram_fetches = 3, .branches = 2},
    {.phase = 4, .ram_fetches = 3, .branches = 2},
    {.phase = 5, .ram_fetches = 2, .multiplications = 1},
    {.phase = 6, .ram_fetches = 4, .multiplications = 3},
    {.phase = 7, .ram_fetches = 5, .divisions = 4},
    {.phase = 8, .ram_fetches = 3, .ram_reads = 1},
    {.phase = 10, .ram_fetches = 5, .ram_reads = 3, .ram_writes = 1},
    {.phase = 11, .ram_fetches = 4, .ram_reads = 1},
    {.phase = 12, .ram_fetches = 3},
    {.phase = 13, .ram_fetches = 6},
    {.phase = 14, .ram_fetches = 1 + 3, .branches = 1},
    {.phase = 15, .ram_fetches = 1 + 2, .branches = 1},
    {.phase = 16, .ram_fetches = 3},
    {.phase = 17, .ram_fetches = 12, .ram_reads = 4 * 2 + 3, .ram_writes = 2 * 2 + 2},
    {.phase = 18, .ram_fetches = 4},
    {.phase = 20, .ram_fetches = 2},
    {.phase = 21, .ram_fetches = 200001, .branches = 100000},
    {.phase = 22, .ram_fetches = 3, .ram_reads = 1, .ram_writes = 1},
    {.phase = 25, .ram_fetches = 0},
    {.phase = 28, .ram_fetches = 0, .branches = 1},
    {.phase = 29, .ram_fetches = 0, .branches = 3},
    {.phase = 30, .ram_fetches = 0, .begun = 2},  // Its device is the marker.
};

const nlohmann::json* FindPhase(const nlohmann::json& counts, int phase) {
  for (const nlohmann::json& found : counts.at("phases")) {
    if (found.at("phase") == phase) return &found;
  }
  return nullptr;
}

void ExpectCounts(const BoardRun& run, uint64_t wait) {
  ASSERT_EQ(run.exit_code, 0) << run.output;
  ASSERT_TRUE(run.counts.is_object()) << run.output;
  EXPECT_EQ(run.counts.at("wait"), wait);
  for (const Kernel& kernel : kKernels) {
    SCOPED_TRACE(testing::Message() << "kernel " << kernel.phase << ": " << kernel.what);
    const nlohmann::json* counts = FindPhase(run.counts, kernel.phase);
    if (counts == nullptr) {
      ADD_FAILURE() << "not in the report";
      continue;
    }
    EXPECT_EQ(counts->at("instructions"), kernel.instructions);
    EXPECT_EQ(counts->at("executing"), kernel.executing);
    EXPECT_EQ(counts->at("data_wait"), kernel.data_words * wait);
    EXPECT_EQ(counts->at("fetch_wait"), kernel.fetched_words * wait);
    EXPECT_EQ(counts->at("cycles"), kernel.executing + (kernel.data_words + kernel.fetched_words) * wait);
    EXPECT_EQ(counts->at("flash_reads"), kernel.flash_reads);
    EXPECT_EQ(counts->at("flash_read_bytes"), kernel.flash_read_bytes);
  }
}

TEST(CyclePluginTest, EveryRowOfTheTableCostsWhatItSays) {
  const BoardRun run = EmulatedBoard(MODELVAULT_CYCLE_KERNELS).Run();
  ExpectCounts(run, 12);
  EXPECT_EQ(run.counts.at("cut"), false);
  EXPECT_EQ(run.counts.at("flash_stores"), 1);
  EXPECT_THAT(run.output, HasSubstr("xx"));
  EXPECT_THAT(run.output, Not(HasSubstr("xxx")));
}

TEST(CyclePluginTest, WhatCostsEnergyIsCounted) {
  const BoardRun run = EmulatedBoard(MODELVAULT_CYCLE_KERNELS).Run();
  ASSERT_EQ(run.exit_code, 0) << run.output;
  for (const Work& work : kWork) {
    SCOPED_TRACE(testing::Message() << "kernel " << work.phase);
    const nlohmann::json* counts = FindPhase(run.counts, work.phase);
    ASSERT_NE(counts, nullptr);
    EXPECT_EQ(counts->at("ram_fetches"), work.ram_fetches);
    EXPECT_EQ(counts->at("ram_reads"), work.ram_reads);
    EXPECT_EQ(counts->at("ram_writes"), work.ram_writes);
    EXPECT_EQ(counts->at("multiplications"), work.multiplications);
    EXPECT_EQ(counts->at("divisions"), work.divisions);
    EXPECT_EQ(counts->at("branches"), work.branches);
    EXPECT_EQ(counts->at("begun"), work.begun);
  }
  for (const Kernel& kernel : kKernels) {
    SCOPED_TRACE(testing::Message() << "kernel " << kernel.phase);
    EXPECT_EQ(FindPhase(run.counts, kernel.phase)->at("flash_accesses"), kernel.data_words);
    EXPECT_EQ(FindPhase(run.counts, kernel.phase)->at("flash_fetches"), kernel.fetched_words);
  }
  // Each kernel ends with it.
  EXPECT_EQ(FindPhase(run.counts, 0)->at("begun"), 31);
}

TEST(CyclePluginTest, WaitStatesAreAnArgument) {
  EmulatedBoard board(MODELVAULT_CYCLE_KERNELS);
  ExpectCounts(board.Run(",wait=0"), 0);
  ExpectCounts(board.Run(",wait=5"), 5);
}

TEST(CyclePluginTest, ProgramsEndTheSameWayEachTime) {
  EmulatedBoard board(MODELVAULT_CYCLE_KERNELS);
  const BoardRun first = board.Run();
  EXPECT_EQ(first.counts, board.Run().counts);
}

TEST(CyclePluginTest, CountsAreToldApartByFunction) {
  // `leaf` has no size and reaches to the next symbol.
  const BoardRun run =
      EmulatedBoard(MODELVAULT_CYCLE_KERNELS).Run(",symbols=" + std::string(MODELVAULT_CYCLE_KERNELS_SYMBOLS));
  ExpectCounts(run, 12);
  const nlohmann::json* call = FindPhase(run.counts, 4);
  ASSERT_NE(call, nullptr);
  ASSERT_EQ(call->at("functions").size(), 2u) << *call;
  uint64_t instructions = 0;
  for (const nlohmann::json& function : call->at("functions")) {
    if (function.at("name") == "leaf") {
      // Jumped to, and jumping: the jump to it is charged where it arrives.
      EXPECT_EQ(function.at("instructions"), 1);
      EXPECT_EQ(function.at("executing"), 2);
    }
    instructions += function.at("instructions").get<uint64_t>();
  }
  EXPECT_EQ(instructions, 3u);
  const nlohmann::json* trap = FindPhase(run.counts, 31);
  ASSERT_NE(trap, nullptr);
  EXPECT_THAT(trap->dump(), HasSubstr("\"trap\""));
}

TEST(CyclePluginTest, BadArgumentsAreRefused) {
  EmulatedBoard board(MODELVAULT_CYCLE_KERNELS);
  for (const char* bad : {",wait=", ",wait=-1", ",wait=1001", ",wait=1x", ",cut=0", ",symbols=/nowhere", ",other=1",
                          ",out=/nowhere/counts"}) {
    const BoardRun run = board.Run(bad);
    EXPECT_NE(run.exit_code, 0) << bad;
    EXPECT_THAT(run.output, HasSubstr("modelvault_cycles: ")) << bad;
  }
}

}  // namespace
}  // namespace modelvault
