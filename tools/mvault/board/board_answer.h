// What a model answered on the board: the line that the firmware prints and the cycle plugin's counts, read, made into
// times and printed.
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_ANSWER_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_ANSWER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/mvault/board/board_figures.h"
#include "tools/mvault/board/board_report.h"

namespace modelvault {

// Bytes.
struct AnswerMemory {
  uint64_t variables = 0;
  uint64_t loader = 0;
  uint64_t engine = 0;
  uint64_t cache = 0;
  uint64_t activations = 0;
  uint64_t parameters = 0;
  uint64_t list = 0;
  uint64_t ram_code = 0;
  uint64_t stack = 0;

  uint64_t total() const;
};

// The line "answer prompt=… name=NAME" (firmware_riscv/app/answer.h).
struct AnswerLine {
  std::vector<uint16_t> prompt_ids;
  std::vector<uint16_t> ids;
  std::string scores;  // 16 hexadecimal digits.
  std::string status;  // "ok", or the error's name.
  std::string place;   // What is damaged; "-": nothing.
  uint64_t number = 0;
  uint64_t offset = 0;
  AnswerMemory memory;
  std::string name;
};

// Finds the line in all that the board printed. kNotFound if there is none; kInternal for one that is not whole.
absl::StatusOr<AnswerLine> ParseAnswerLine(absl::string_view output);

// In milliseconds at a clock.
struct AnswerTimes {
  double start = 0;    // From reset: code copied to RAM, stack painted.
  double open = 0;     // Header, tables, index.
  double load = 0;     // The pass that proves the model and makes what the engine needs.
  double prefill = 0;  // The prompt, or the features, to the first token.
  double token = 0;    // Each token after it; 0: there is none.

  double first_token() const { return start + open + load + prefill; }
};
AnswerTimes AnswerTimesAt(const BoardPhases& phases, double mhz);
// Of each token after the first; 0: there is none.
double CyclesPerToken(const BoardPhases& phases);

struct BoardAnswer {
  AnswerLine line;
  int exit_code = 0;
  std::string text;        // What the ids stand for; of a model that tells classes the class.
  bool ended = false;      // The last id begins or ends a text.
  std::string host_error;  // Why there is no answer of the host; else
  std::vector<uint16_t> host_ids;
  std::string host_scores;
  BoardPhases phases;
  std::string uncounted;  // Why there are no phases; empty: there are.

  bool matches_host() const;
  bool ok() const { return exit_code == 0 && line.status == "ok" && matches_host(); }
};

// What went wrong, in a line; empty if answer.ok().
std::string AnswerFailure(const BoardAnswer& answer);

// `text` is to come before it.
std::string FormatAnswer(const BoardAnswer& answer, const BoardClock& clock, bool functions);
Json AnswerToJson(const BoardAnswer& answer, const BoardClock& clock, bool functions);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_ANSWER_H_
