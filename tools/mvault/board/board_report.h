// What `mvault board` prints: as text and as JSON.
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_REPORT_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tools/mvault/board/board_figures.h"
#include "tools/mvault/cli/console.h"

namespace modelvault {

// The clock and the flash that times are given for.
struct BoardClock {
  double mhz = 120;
  double flash_mbps = 38;  // 10^6 bytes a second.
  uint64_t wait_states() const { return WaitStates(mhz, flash_mbps); }
};

// One model's run.
struct BoardResult {
  std::string name;        // "base" for the base.
  BoardLine line;          // What the board said.
  bool board_ok = false;   // It verified the model, in both passes.
  std::string host_xxh64;  // Of the host's own restore; empty if that failed,
  std::string host_error;  // for this reason.
  BoardPhases phases;
  std::string uncounted;  // Why there are no phases; empty: there are.

  bool matches_host() const { return !host_xxh64.empty() && line.xxh64 == host_xxh64; }
  bool ok() const { return board_ok && matches_host(); }
};

// "120 MHz, flash 38 MB/s: 12 wait states".
std::string FormatClock(const BoardClock& clock);
// The phases in the order of a run; with `functions` the costliest functions of each, too.
std::string FormatPhases(const BoardPhases& phases, double mhz, bool functions);
Json PhasesToJson(const BoardPhases& phases, bool functions);

// What went wrong, in a line; empty if result.ok().
std::string BoardFailure(const BoardResult& result);

// All about one model. With `functions` the costliest functions of each phase, too.
std::string FormatBoardResult(const BoardResult& result, const BoardClock& clock, bool functions);
Json BoardResultToJson(const BoardResult& result, const BoardClock& clock, bool functions);

// Times of several models: the middle one (the mean of two for an even number) and the largest, each time by itself.
// Models whose cycles were not counted have none.
struct BoardSummary {
  size_t models = 0;
  BoardTimes median;
  BoardTimes worst;
  std::string worst_name;  // The model that takes longest for both passes.
};
// Over the variants; over the base where there are no others.
BoardSummary Summarize(const std::vector<BoardResult>& results, double mhz);

// A line a model, then the summary.
std::string FormatBoardResults(const std::vector<BoardResult>& results, const BoardClock& clock);
Json BoardSummaryToJson(const BoardSummary& summary);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_REPORT_H_
