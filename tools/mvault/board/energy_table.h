// What each event and each second costs in energy: a table that users may replace.
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_ENERGY_TABLE_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_ENERGY_TABLE_H_

#include <array>
#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace modelvault {

enum class EnergyRow {
  kFlashByte,       // pJ. A byte that the flash hands over.
  kFlashWake,       // pJ. The flash comes back from deep power-down.
  kRamWord,         // pJ. A word of RAM read or written.
  kInstruction,     // pJ. An instruction, but for what its words, its data and its product cost.
  kMultiplication,  // pJ. More for one that multiplies,
  kDivision,        // pJ. or divides.
  kWaitingCycle,    // pJ. A cycle in which no instruction begins.
  kMcuActive,       // uW. While the processor runs.
  kMcuAsleep,       // uW. While it sleeps with its RAM kept.
  kRamKibKept,      // uW. A KiB of RAM that is kept.
  kFlashStandby,    // uW. The flash, when it is not read.
  kFlashPowerDown,  // uW. The flash in deep power-down.
};
inline constexpr size_t kEnergyRowCount = 12;

struct EnergyRowName {
  const char* key;
  const char* unit;  // "pJ" or "uW".
};
EnergyRowName NameOf(EnergyRow row);

struct EnergyTable {
  struct Row {
    double value = 0;  // In the row's unit; finite, at least 0.
    std::string source;
  };
  std::string file;  // Empty for the built-in one.
  std::array<Row, kEnergyRowCount> rows;

  double operator[](EnergyRow row) const { return rows[static_cast<size_t>(row)].value; }
};

// Lines "KEY VALUE UNIT SOURCE", '#' begins a comment line. kInvalidArgument names `file`, line and key, or the file
// and all keys that are missing.
absl::StatusOr<EnergyTable> ParseEnergyTable(absl::string_view text, const std::string& file);

// The text of energy_table.txt, which is installed beside the firmware for users to copy.
extern const char kEnergyTableText[];

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_ENERGY_TABLE_H_
