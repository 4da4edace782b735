// Measures models on the board's firmware in QEMU from a vault that mvault packs, and holds what it prints against the
// files that were packed.
#ifndef MODELVAULT_TESTS_CORE_BUILD_EMULATOR_RUNNER_H_
#define MODELVAULT_TESTS_CORE_BUILD_EMULATOR_RUNNER_H_

#include <cstdint>
#include <map>
#include <string>

namespace modelvault {

// What the board printed of one model (firmware_riscv/app/measure.h).
struct BoardModel {
  std::string status;
  uint64_t bytes = 0;
  std::string xxh64;  // 16 hexadecimal digits.
  uint64_t static_ram = 0;
  uint64_t ram_code = 0;
  uint64_t stack = 0;
};

// By the variant's name; the base is "".
using BoardReport = std::map<std::string, BoardModel>;

// Packs `files` (paths by variant's name, "" the base) with more options for `mvault pack` if wanted, and measures each
// on the board in tiles of `tile_size` bytes. Expects, as GoogleTest expectations, that every step succeeds and that
// each hash is the library's XXH64 of the file's data section.
BoardReport RunOnBoard(const std::map<std::string, std::string>& files, const std::string& pack_options = "",
                       uint32_t tile_size = 4096);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_CORE_BUILD_EMULATOR_RUNNER_H_
