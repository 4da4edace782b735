#include "vault/remote/answer_head.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace modelvault {
namespace {

constexpr size_t kLongestField = 512;
constexpr size_t kLongestReason = 64;
constexpr size_t kStatusDigits = 3;

bool IsPrintable(absl::string_view text) { return std::all_of(text.begin(), text.end(), absl::ascii_isprint); }

// Decimal digits and nothing else, at most 2^63 - 1.
std::optional<uint64_t> ParseCount(absl::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (!absl::ascii_isdigit(c)) return std::nullopt;
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (value > (uint64_t{INT64_MAX} - digit) / 10) return std::nullopt;
    value = 10 * value + digit;
  }
  return value;
}

// "HTTP/1.1 206 Partial Content"; HTTP/2 has no reason.
void StartHead(absl::string_view line, AnswerHead* head) {
  *head = AnswerHead();
  const size_t space = line.find(' ');
  if (space == absl::string_view::npos) return;
  line = absl::StripLeadingAsciiWhitespace(line.substr(space));
  const std::optional<uint64_t> status = ParseCount(line.substr(0, kStatusDigits));
  if (!status.has_value() || line.size() < kStatusDigits) return;
  line.remove_prefix(kStatusDigits);
  if (!line.empty() && line[0] != ' ') return;
  head->status = static_cast<int>(*status);
  const absl::string_view reason = absl::StripAsciiWhitespace(line);
  if (IsPrintable(reason)) head->reason = std::string(reason.substr(0, kLongestReason));
}

}  // namespace

std::optional<ContentRange> ParseContentRange(absl::string_view value) {
  constexpr absl::string_view kUnit = "bytes";
  if (!absl::StartsWithIgnoreCase(value, kUnit)) return std::nullopt;
  value.remove_prefix(kUnit.size());
  if (value.empty() || value[0] != ' ') return std::nullopt;
  value = absl::StripAsciiWhitespace(value);
  const size_t slash = value.find('/');
  if (slash == absl::string_view::npos) return std::nullopt;
  const absl::string_view range = value.substr(0, slash);
  const absl::string_view total = value.substr(slash + 1);
  ContentRange parsed;
  if (total != "*") {
    parsed.total = ParseCount(total);
    if (!parsed.total.has_value()) return std::nullopt;
  }
  if (range == "*") return parsed.total.has_value() ? std::optional(parsed) : std::nullopt;
  const size_t dash = range.find('-');
  if (dash == absl::string_view::npos) return std::nullopt;
  const std::optional<uint64_t> first = ParseCount(range.substr(0, dash));
  const std::optional<uint64_t> last = ParseCount(range.substr(dash + 1));
  if (!first.has_value() || !last.has_value() || *first > *last) return std::nullopt;
  if (parsed.total.has_value() && *last >= *parsed.total) return std::nullopt;
  parsed.satisfied = true;
  parsed.first = *first;
  parsed.last = *last;
  return parsed;
}

void AddHeadLine(absl::string_view line, AnswerHead* head) {
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (absl::StartsWithIgnoreCase(line, "HTTP/")) return StartHead(line, head);
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return;
  const absl::string_view name = line.substr(0, colon);
  const absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
  const bool usable = value.size() <= kLongestField && IsPrintable(value);
  if (absl::EqualsIgnoreCase(name, "Content-Range")) {
    head->has_content_range = true;
    head->content_range = usable ? ParseContentRange(value) : std::nullopt;
  } else if (!usable) {
    return;
  } else if (absl::EqualsIgnoreCase(name, "Content-Length")) {
    head->content_length = ParseCount(value);
  } else if (absl::EqualsIgnoreCase(name, "Content-Encoding")) {
    head->content_encoding = absl::EqualsIgnoreCase(value, "identity") ? "" : absl::AsciiStrToLower(value);
  } else if (absl::EqualsIgnoreCase(name, "ETag")) {
    head->etag = std::string(value);
  } else if (absl::EqualsIgnoreCase(name, "Last-Modified")) {
    head->last_modified = std::string(value);
  }
}

}  // namespace modelvault
