#include "tools/mvault/commands/run_input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "tools/formats/text_file.h"

namespace modelvault {
namespace {

constexpr size_t kMaxInput = 1 << 20;
constexpr double kMaxFeature = 32768;

int32_t ToFixed(double value) {
  return static_cast<int32_t>(std::clamp(std::llround(value * 65536), -(1LL << 31), (1LL << 31) - 1));
}

std::vector<absl::string_view> Words(absl::string_view text) {
  return absl::StrSplit(text, absl::ByAnyChar(", \t\r\n"), absl::SkipEmpty());
}

}  // namespace

absl::StatusOr<std::string> ReadStandardInput() {
  std::string text;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), stdin)) > 0;) {
    text.append(buffer, n);
    if (text.size() > kMaxInput) {
      return absl::ResourceExhaustedError(absl::StrCat("standard input: expected at most ", kMaxInput, " bytes"));
    }
  }
  if (ferror(stdin) != 0) return absl::UnavailableError(absl::StrCat("standard input: ", strerror(errno)));
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

absl::StatusOr<std::vector<int32_t>> ReadFeatures(FileSystem& file_system, const std::string& text, size_t count) {
  std::string numbers = text;
  std::string from;
  double first;
  const std::vector<absl::string_view> given = Words(text);
  if (given.empty() || !absl::SimpleAtod(given[0], &first)) {
    absl::StatusOr<std::string> file = ReadTextFile(file_system, text);
    if (!file.ok()) return file.status();
    numbers = *std::move(file);
    from = absl::StrCat(text, ": ");
  }
  std::vector<int32_t> features;
  for (const absl::string_view word : Words(numbers)) {
    double value;
    if (!absl::SimpleAtod(word, &value) || !(std::abs(value) < kMaxFeature)) {
      return absl::InvalidArgumentError(absl::StrCat(from, "number ", features.size() + 1, " is '", word,
                                                     "', expected one between -32768 and 32768"));
    }
    features.push_back(ToFixed(value));
  }
  if (features.size() == count) return features;
  return absl::InvalidArgumentError(
      absl::StrCat(from, features.size(), " numbers, expected the ", count, " that the model takes"));
}

std::string FeatureText(absl::Span<const int32_t> features) {
  std::string text;
  for (const int32_t feature : features) {
    std::string shortest;
    // Five decimals are enough for 16 bits behind the point.
    for (int decimals = 0; decimals <= 5; ++decimals) {
      shortest = absl::StrFormat("%.*f", decimals, feature / 65536.0);
      double value;
      if (absl::SimpleAtod(shortest, &value) && ToFixed(value) == feature) break;
    }
    absl::StrAppend(&text, text.empty() ? "" : " ", shortest);
  }
  return text;
}

}  // namespace modelvault
