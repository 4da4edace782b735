// Runs the board's decoder (firmware_riscv/emulator_test) in QEMU on a vault that mvault packs, and holds what it
// prints against the files that were packed.
#ifndef MODELVAULT_TESTS_CORE_BUILD_EMULATOR_RUNNER_H_
#define MODELVAULT_TESTS_CORE_BUILD_EMULATOR_RUNNER_H_

#include <cstdint>
#include <map>
#include <string>

namespace modelvault {

// What the board printed of one model.
struct BoardModel {
  uint64_t bytes = 0;
  std::string hash;  // XXH64, 16 hexadecimal digits.
  uint64_t decode_instructions = 0;
  uint64_t hashing_instructions = 0;
};

// By the variant's name; the base is "".
using BoardReport = std::map<std::string, BoardModel>;

// Packs `files` (paths by variant's name, "" the base) with more options for `mvault pack` if wanted, and decodes the
// vault on the board. Expects, as GoogleTest expectations, that every step succeeds and that each hash is the library's
// XXH64 of the file's data section.
BoardReport RunOnBoard(const std::map<std::string, std::string>& files, const std::string& pack_options = "");

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_CORE_BUILD_EMULATOR_RUNNER_H_
