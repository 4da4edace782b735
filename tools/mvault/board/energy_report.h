// What `mvault board --energy` prints: as text and as JSON.
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_ENERGY_REPORT_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_ENERGY_REPORT_H_

#include <string>
#include <vector>

#include "tools/mvault/board/board_report.h"
#include "tools/mvault/board/energy_table.h"
#include "tools/mvault/cli/console.h"

namespace modelvault {

struct EnergyOptions {
  EnergyTable table;
  double period_s = 60;  // A boot, and where the firmware makes tokens a token, comes once in this time.
};

// All about one model whose cycles were counted.
std::string FormatEnergy(const BoardResult& result, const BoardClock& clock, const EnergyOptions& options);
// Null where nothing was counted.
Json EnergyToJson(const BoardResult& result, const BoardClock& clock, const EnergyOptions& options);
// The same of a run in which no weights were only restored: by groups of phases, and for a boot and a token.
std::string FormatPhaseEnergy(const BoardPhases& phases, const BoardClock& clock, const EnergyOptions& options);
Json PhaseEnergyToJson(const BoardPhases& phases, const BoardClock& clock, const EnergyOptions& options);
// The table, and the period.
Json EnergyOptionsToJson(const EnergyOptions& options);

// A boot of the models that Summarize() looks at: the middle one and the largest.
std::string FormatEnergySummary(const std::vector<BoardResult>& results, const BoardClock& clock,
                                const EnergyOptions& options);
Json EnergySummaryToJson(const std::vector<BoardResult>& results, const BoardClock& clock,
                         const EnergyOptions& options);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_ENERGY_REPORT_H_
