#include "tools/mvault/cli/byte_size.h"

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace modelvault {
namespace {

struct Unit {
  const char* name;
  uint64_t bytes;
};
constexpr Unit kUnits[] = {
    {"", 1},
    {"B", 1},
    {"KB", 1'000},
    {"MB", 1'000'000},
    {"GB", 1'000'000'000},
    {"TB", 1'000'000'000'000},
    {"KiB", uint64_t{1} << 10},
    {"MiB", uint64_t{1} << 20},
    {"GiB", uint64_t{1} << 30},
    {"TiB", uint64_t{1} << 40},
};
constexpr int kMaxDecimals = 6;  // Keeps fraction times unit inside 64 bits.

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

absl::StatusOr<uint64_t> ParseByteSize(absl::string_view text) {
  const auto bad = [text](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("'", absl::CHexEscape(text.substr(0, 40)), "' is no size: ", what,
                                                   "; write it like 1048576, 64KiB or 1.5MB"));
  };
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  size_t at = 0;
  uint64_t whole = 0;
  for (; at < text.size() && IsDigit(text[at]); ++at) {
    const uint64_t digit = static_cast<uint64_t>(text[at] - '0');
    if (whole > (kMax - digit) / 10) return bad("too large");
    whole = 10 * whole + digit;
  }
  if (at == 0) return bad("it does not begin with a digit");
  uint64_t fraction = 0;
  uint64_t fraction_of = 1;
  if (at < text.size() && text[at] == '.') {
    const size_t begin = ++at;
    for (; at < text.size() && IsDigit(text[at]); ++at) {
      if (at - begin == kMaxDecimals) return bad("too many decimals");
      fraction = 10 * fraction + static_cast<uint64_t>(text[at] - '0');
      fraction_of *= 10;
    }
    if (at == begin) return bad("no digit after the point");
  }
  absl::string_view unit_name = text.substr(at);
  if (!unit_name.empty() && unit_name.front() == ' ') {
    unit_name.remove_prefix(1);
    if (unit_name.empty()) return bad("it ends with a space");
  }
  for (const Unit& unit : kUnits) {
    if (!absl::EqualsIgnoreCase(unit_name, unit.name)) continue;
    if (whole > kMax / unit.bytes) return bad("too large");
    const uint64_t bytes = whole * unit.bytes;
    const uint64_t rest = fraction * unit.bytes / fraction_of;
    if (rest > kMax - bytes) return bad("too large");
    return bytes + rest;
  }
  return bad("unknown unit");
}

}  // namespace modelvault
