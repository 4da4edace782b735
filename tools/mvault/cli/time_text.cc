#include "tools/mvault/cli/time_text.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace modelvault {

absl::StatusOr<uint64_t> ParseTime(absl::string_view text) {
  uint64_t seconds = 0;
  const bool digits = std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (digits && absl::SimpleAtoi(text, &seconds) && seconds > 0) return seconds;
  absl::Time time;
  for (const char* format : {"%Y-%m-%d", "%Y-%m-%d%ET%H:%M:%S%Ez"}) {
    if (absl::ParseTime(format, text, absl::UTCTimeZone(), &time, nullptr) && time > absl::UnixEpoch()) {
      return static_cast<uint64_t>(absl::ToUnixSeconds(time));
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no time after 1970: write 2026-11-28 or 2026-11-28T12:00:00Z"));
}

std::string FormatTime(uint64_t seconds) {
  // Farther off than any calendar.
  if (seconds > uint64_t{1} << 60) return absl::StrCat(seconds, " s after 1970");
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", absl::FromUnixSeconds(static_cast<int64_t>(seconds)),
                          absl::UTCTimeZone());
}

Option AddTimeOption(Command* command, const std::string& name, std::optional<uint64_t>* time,
                     const std::string& help) {
  const auto take = [time](const std::string& text) {
    const absl::StatusOr<uint64_t> parsed = ParseTime(text);
    if (!parsed.ok()) return std::string(parsed.status().message());
    *time = *parsed;
    return std::string();
  };
  return command->AddOption(name, take, help).TypeName("TIME");
}

}  // namespace modelvault
