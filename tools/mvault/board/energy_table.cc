#include "tools/mvault/board/energy_table.h"

#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace modelvault {
namespace {

constexpr EnergyRowName kNames[kEnergyRowCount] = {
    {"flash_byte", "pJ"},     {"flash_wake", "pJ"},   {"ram_word", "pJ"},      {"instruction", "pJ"},
    {"multiplication", "pJ"}, {"division", "pJ"},     {"waiting_cycle", "pJ"}, {"mcu_active", "uW"},
    {"mcu_asleep", "uW"},     {"ram_kib_kept", "uW"}, {"flash_standby", "uW"}, {"flash_power_down", "uW"},
};

// Takes the next word off a line.
absl::string_view TakeWord(absl::string_view* line) {
  const size_t end = line->find_first_of(" \t");
  const absl::string_view word = line->substr(0, end);
  line->remove_prefix(word.size());
  *line = absl::StripLeadingAsciiWhitespace(*line);
  return word;
}

// The row's number; kEnergyRowCount if there is none.
size_t FindRow(absl::string_view key) {
  size_t row = 0;
  while (row < kEnergyRowCount && key != kNames[row].key) ++row;
  return row;
}

// Reads a line that is not empty into its row. `seen_in` has the line of each row that was there; 0: none.
// The message of an error begins with the key.
absl::Status ParseLine(absl::string_view line, size_t number, std::array<size_t, kEnergyRowCount>* seen_in,
                       EnergyTable* table) {
  const absl::string_view key = TakeWord(&line);
  const auto bad = [&](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat("'", key, "': ", what...));
  };
  const size_t row = FindRow(key);
  if (row == kEnergyRowCount) {
    return bad("unknown key; expected one of ",
               absl::StrJoin(kNames, ", ", [](std::string* out, const EnergyRowName& name) { *out += name.key; }));
  }
  if ((*seen_in)[row] != 0) return bad("given twice, first in line ", (*seen_in)[row]);
  (*seen_in)[row] = number;
  const absl::string_view value = TakeWord(&line), unit = TakeWord(&line);
  EnergyTable::Row& parsed = table->rows[row];
  if (!absl::SimpleAtod(value, &parsed.value) || !std::isfinite(parsed.value) || std::signbit(parsed.value)) {
    return bad("'", value, "' is no number from 0 on");
  }
  if (unit != kNames[row].unit) return bad("expected the unit ", kNames[row].unit, ", not '", unit, "'");
  if (line.empty()) return bad("the source is missing: say behind the unit where the figure is from");
  parsed.source = std::string(line);
  return absl::OkStatus();
}

}  // namespace

EnergyRowName NameOf(EnergyRow row) { return kNames[static_cast<size_t>(row)]; }

absl::StatusOr<EnergyTable> ParseEnergyTable(absl::string_view text, const std::string& file) {
  EnergyTable table;
  table.file = file;
  std::array<size_t, kEnergyRowCount> seen_in = {};
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");  // Some editors begin UTF-8 with it.
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    if (absl::Status status = ParseLine(line, number, &seen_in, &table); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(file, ": line ", number, ": ", std::string(status.message())));
    }
  }
  std::vector<const char*> missing;
  for (size_t row = 0; row < kEnergyRowCount; ++row) {
    if (seen_in[row] == 0) missing.push_back(kNames[row].key);
  }
  if (!missing.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": no line for ", absl::StrJoin(missing, ", ")));
  }
  return table;
}

}  // namespace modelvault
