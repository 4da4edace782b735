#include <gtest/gtest.h>
#include <stdio.h>

#include <map>
#include <string>

#include "tests/core_build/emulator_runner.h"

namespace modelvault {
namespace {

// The cycle budget of docs/design.md: 200 ms at 120 MHz for 260,000 weights. Instructions are not cycles, but more of
// them than that would already be too many.
constexpr double kMaxInstructionsPerWeight = 92;

TEST(EmulatorCorpusTest, TheBoardGivesBackRealVariantsWithinItsInstructionBudget) {
  const std::string int8 = std::string(MODELVAULT_CORPUS_DIR) + "/medquad-260k/int8/";
  std::map<std::string, std::string> files = {{"", int8 + "base.safetensors"}};
  for (const char* name : {"acidemia-aciduria", "baby-birth", "bladder-urine"}) {
    files[name] = int8 + "variants/" + name + ".safetensors";
  }
  const BoardReport report = RunOnBoard(files);
  constexpr double kWeights = 259328;  // INT8 weights of this model.
  for (const auto& [name, model] : report) {
    const double decode = static_cast<double>(model.decode_instructions) / kWeights;
    const double hashing = static_cast<double>(model.hashing_instructions) / static_cast<double>(model.bytes);
    printf("%-20s %6.2f instructions a weight to decode, %5.2f a byte to hash\n",
           name.empty() ? "base alone" : ("base + " + name).c_str(), decode, hashing);
    EXPECT_LE(decode, kMaxInstructionsPerWeight) << "'" << name << "'";
  }
}

}  // namespace
}  // namespace modelvault
