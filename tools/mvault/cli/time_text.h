// Points in time on the command line and in reports, all UTC.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_TIME_TEXT_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_TIME_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/mvault/cli/command_line.h"

namespace modelvault {

// Seconds since 1970 of "2026-11-28" (the day's first second), "2026-11-28T12:00:00Z" (or with an offset such as
// +01:00), or of a number of such seconds. At least 1. kInvalidArgument for anything else.
absl::StatusOr<uint64_t> ParseTime(absl::string_view text);

// "2026-11-28T12:00:00Z".
std::string FormatTime(uint64_t seconds);

// An option whose value is such a time. `time` must outlive the parsing.
Option AddTimeOption(Command* command, const std::string& name, std::optional<uint64_t>* time, const std::string& help);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_TIME_TEXT_H_
