// What a run of the board costs in energy: counted events times a table, and what other ways to run it would change.
// All of it is modelled. docs/energy.md has the formulas.
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_ENERGY_ACCOUNT_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_ENERGY_ACCOUNT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/mvault/board/board_figures.h"
#include "tools/mvault/board/energy_table.h"

namespace modelvault {

// Microjoules.
struct EnergyParts {
  double flash = 0;         // Words handed over, of data and of instructions.
  double ram = 0;           // Likewise.
  double multiply = 0;      // Instructions that multiply or divide.
  double instructions = 0;  // All others.
  double waiting = 0;       // Cycles in which no instruction begins.
  double fixed = 0;         // What flows all the time: processor and flash in standby.

  double total() const { return flash + ram + multiply + instructions + waiting + fixed; }
};

// Of events that take counts.cycles() at `mhz`.
EnergyParts EnergyOf(const CycleCounts& counts, const EnergyTable& table, double mhz);

// Phases that belong together: those whose names are the same up to a colon, as "verify: decode" and "verify: hash".
struct EnergyGroup {
  std::string name;
  uint64_t times = 0;  // How often the phase of just this name began; 0 if there is none, and the group counts once.
  CycleCounts counts;

  uint64_t divisor() const { return times > 0 ? times : 1; }
};
// In order of each group's first phase.
std::vector<EnergyGroup> GroupPhases(const BoardPhases& phases);

// A boot's counts: opening, the pass that verifies and the pass that uses, or the one that loads. Start-up is no part
// of it, as of no time.
EnergyGroup BootOf(const BoardPhases& phases);
// Work that is done again and again: the boot, and one time of each group that says how often it began, such as a
// phase "token" that the firmware begins once a token. Start-up, opening and console are none. Counts are means,
// rounded down.
std::vector<EnergyGroup> RepeatedWork(const BoardPhases& phases);

// Some work that is done once a period, and what lies between. Microjoules a period; nothing where the work takes
// longer.
struct EnergyOfPeriod {
  std::optional<double> awake;         // The processor waits, its clock running; the flash stands by.
  std::optional<double> asleep;        // The processor sleeps with its RAM kept; the flash stands by.
  std::optional<double> powered_down;  // So it does, and the flash is powered down and woken.
};
// `work` of one time; `period_s` positive.
EnergyOfPeriod EnergyPerPeriod(const CycleCounts& work, const EnergyTable& table, double mhz, double period_s);

// The pause from which on powering the flash down saves energy, in seconds; infinite if it never does.
double ShortestPowerDown(const EnergyTable& table);

// The same work at another clock, the flash as fast as ever and the voltage the same: events stay, waits change.
CycleCounts AtWaitStates(const CycleCounts& counts, uint64_t wait_states);

// Data that work reads from flash each time, against data that are brought into RAM once and kept there.
struct KeptEnergy {
  double streamed = 0;                 // Microjoules each time,
  double flash_alone = 0;              // and what the flash takes for the data, were they stored plain.
  double kept = 0;                     // Microjoules each time.
  double fill = 0;                     // Microjoules once.
  double holding_uw = 0;               // For as long as they are kept.
  std::optional<uint64_t> break_even;  // Times from which on keeping costs less; nothing if it never does.
  // A pause between times that makes streaming the cheaper one all the same, in seconds; infinite without holding_uw.
  double longest_pause_s = 0;
};
// A model's weights, `bytes` of them: streamed by a use pass each time, or restored by one, written, and then only
// read.
KeptEnergy KeptWeights(const CycleCounts& use_pass, uint64_t bytes, const EnergyTable& table, double mhz);
// All data that `work` reads from flash, each word once: kept, it reads them from RAM, without waiting for them.
KeptEnergy KeptData(const CycleCounts& work, const EnergyTable& table, double mhz);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_ENERGY_ACCOUNT_H_
