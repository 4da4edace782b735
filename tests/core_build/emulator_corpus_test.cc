#include <gtest/gtest.h>
#include <stdio.h>

#include <map>
#include <string>

#include "tests/core_build/emulator_runner.h"

namespace modelvault {
namespace {

// The firmware has an engine, too, whose code is in RAM from the start: without it a restore takes 32 KiB.
constexpr uint64_t kRestore = 32 * 1024;
constexpr uint64_t kEngineCode = 20 * 1024;

TEST(EmulatorCorpusTest, TheBoardGivesBackRealVariantsInItsRam) {
  const std::string int8 = std::string(MODELVAULT_CORPUS_DIR) + "/medquad-260k/int8/";
  std::map<std::string, std::string> files = {{"", int8 + "base.safetensors"}};
  for (const char* name : {"acidemia-aciduria", "baby-birth", "bladder-urine"}) {
    files[name] = int8 + "variants/" + name + ".safetensors";
  }
  for (const auto& [name, model] : RunOnBoard(files)) {
    const uint64_t ram = model.static_ram + model.ram_code + model.stack;
    printf("%-20s %6llu bytes of RAM: %llu variables, %llu code, %llu stack\n", name.empty() ? "base" : name.c_str(),
           static_cast<unsigned long long>(ram), static_cast<unsigned long long>(model.static_ram),
           static_cast<unsigned long long>(model.ram_code), static_cast<unsigned long long>(model.stack));
    EXPECT_LE(ram, kRestore + kEngineCode) << "'" << name << "'";
  }
}

}  // namespace
}  // namespace modelvault
