// What one run of the board program measured: the line it prints and the cycle plugin's counts, read and made into
// times.
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_FIGURES_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_FIGURES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "firmware_riscv/app/phases.h"

namespace modelvault {

// Beyond this the plugin refuses.
inline constexpr uint64_t kMaxWaitStates = 1000;

// Wait states d of a flash access such that a word read by one instruction takes 1 + d cycles, as nearly as whole
// cycles can, of the mhz * 4 / flash_mbps that the flash needs for 4 bytes: round(4 * mhz / flash_mbps) - 1, at least
// 0, before rounding. 38 MB/s (10^6 bytes) at 120 MHz: 12. Both must be positive.
uint64_t WaitStates(double mhz, double flash_mbps);

// The line "measure status=… name=NAME" that the board program prints.
struct BoardLine {
  std::string status;  // "ok", or the error's name.
  uint64_t bytes = 0;
  std::string xxh64;  // Of what the board restored; 16 hexadecimal digits, as `expected`, the one stored.
  std::string expected;
  uint64_t tile_size = 0;
  uint64_t static_ram = 0;  // Code apart.
  uint64_t proven_ram = 0;  // The same in the pass whose tiles are proven one by one; 0 from a firmware without it.
  uint64_t list = 0;        // Bytes of the list of what differs from the base; 0: there is none.
  uint64_t weight_ram = 0;  // What reading the base's bytes takes beside it.
  uint64_t ram_code = 0;
  uint64_t stack = 0;
  uint64_t proof_stack = 0;  // What cryptographic functions took of their own; 0: nothing was to be proven.
  std::string name;
};

// Finds the line in all that the board printed. kNotFound if there is none; kInternal for one that lacks a field.
absl::StatusOr<BoardLine> ParseBoardLine(absl::string_view output);

struct CycleCounts {
  uint64_t instructions = 0;
  uint64_t executing = 0;  // Cycles without waiting for flash.
  uint64_t data_wait = 0;
  uint64_t fetch_wait = 0;
  uint64_t flash_reads = 0;
  uint64_t flash_read_bytes = 0;
  // Words: data read and written, and instructions fetched.
  uint64_t flash_accesses = 0;
  uint64_t flash_fetches = 0;
  uint64_t ram_reads = 0;
  uint64_t ram_writes = 0;
  uint64_t ram_fetches = 0;
  // Of the instructions; the rest are others.
  uint64_t multiplications = 0;
  uint64_t divisions = 0;
  uint64_t branches = 0;

  uint64_t cycles() const { return executing + data_wait + fetch_wait; }
  void Add(const CycleCounts& other);
};

struct FunctionCounts {
  std::string name;
  CycleCounts counts;
};

struct PhaseCounts {
  CycleCounts counts;
  uint64_t begun = 0;                     // How often the firmware began it.
  std::vector<FunctionCounts> functions;  // In the plugin's order; one, "(elsewhere)", without symbols.
};

// "verify: decode" and so on.
std::string BoardPhaseName(int phase);

// By number; phases in which nothing ran are not there.
using BoardPhases = std::map<int, PhaseCounts>;

// Reads the plugin's report (firmware_riscv/sim/cycle_plugin.cc). kInternal if it is none.
absl::StatusOr<BoardPhases> ParseCounts(absl::string_view report);

// The sum over the phases of one pass, or of the opening.
CycleCounts OpenCounts(const BoardPhases& phases);
CycleCounts VerifyCounts(const BoardPhases& phases);
CycleCounts UseCounts(const BoardPhases& phases);
CycleCounts LoadCounts(const BoardPhases& phases);
CycleCounts ProvenCounts(const BoardPhases& phases);  // Without the digest of the whole.

// Times of a restore in milliseconds at a clock. Start-up and printing are no part of them.
struct BoardTimes {
  double total = 0;       // Opening, verify pass and use pass: the three after it, and also the four after those.
  double open = 0;        // Header, tables, index.
  double verify = 0;      // The pass that only hashes.
  double use = 0;         // The pass that hands tiles over, and hashes again.
  double decode = 0;      // Computing alone, both passes,
  double hash = 0;        // likewise;
  double other = 0;       // computing while opening and between tiles;
  double flash_wait = 0;  // waiting for flash, data and instructions, in all of them.
  double one_pass = 0;    // Opening and the verify pass.
  double proven = 0;      // Opening and the pass whose tiles are proven one by one, without the digest of the whole.
  // Modelled, not measured: as if a DMA channel fetched all data from flash while the processor computes, in each pass
  // by itself. A pass then takes the longer of the two, and what instructions wait.
  double modelled_total = 0;
  double modelled_one_pass = 0;
};
BoardTimes TimesAt(const BoardPhases& phases, double mhz);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_FIGURES_H_
