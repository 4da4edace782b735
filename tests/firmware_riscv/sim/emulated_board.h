// The emulated board for tests: two flash images in a folder of their own, runs under the cycle plugin, and what they
// leave behind.
#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_SIM_EMULATED_BOARD_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_SIM_EMULATED_BOARD_H_

#include <cstdint>
#include <string>

#include "nlohmann/json.hpp"
#include "tests/temp_folder.h"

namespace modelvault {

struct BoardRun {
  int exit_code = -1;     // The program's own; 99 where the plugin cut the power; 124 if it did not end.
  std::string output;     // What it printed, standard error of the emulator included.
  nlohmann::json counts;  // The plugin's report (firmware_riscv/sim/cycle_plugin.cc); null if there is none.
};

class EmulatedBoard {
 public:
  // `code_path` is a flat binary. The vault's bank holds `vault` and then zeros.
  explicit EmulatedBoard(const std::string& code_path, const std::string& vault = "");

  // Boots. The vault's bank keeps what the program writes, from run to run. `plugin_arguments` begin with a comma
  // (",wait=5") or are empty. `input` is what its UART receives.
  BoardRun Run(const std::string& plugin_arguments = "", const std::string& input = "");

  // Bytes of the vault's bank.
  std::string ReadVault(uint64_t offset, size_t size) const;
  void WriteVault(uint64_t offset, const std::string& bytes);
  // Bytes of the code's bank.
  void WriteCode(uint64_t offset, const std::string& bytes);

 private:
  TempFolder folder_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_SIM_EMULATED_BOARD_H_
