// Any bytes as the head of a server's answer, line by line: what is taken of it is in bounds, and the judgement of it
// says a range or a file only if it is the one asked for.
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "vault/remote/answer_check.h"
#include "vault/remote/answer_head.h"

namespace modelvault {
namespace {

constexpr uint64_t kLimit = 1000;
constexpr FileRange kAsked = {100, 300};

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckRangeAgain(const ContentRange& range) {
  if (!range.satisfied) {
    Require(range.total.has_value());
    return;
  }
  Require(range.first <= range.last);
  Require(!range.total.has_value() || range.last < *range.total);
  const std::string text = absl::StrCat("bytes ", range.first, "-", range.last, "/",
                                        range.total.has_value() ? absl::StrCat(*range.total) : "*");
  const auto again = ParseContentRange(text);
  Require(again.has_value() && again->first == range.first && again->last == range.last && again->total == range.total);
}

void CheckVerdict(const AnswerHead& head, const FileIdentity* known) {
  const AnswerVerdict verdict = CheckAnswer(head, kAsked, known, kLimit);
  switch (verdict.use) {
    case AnswerUse::kRange:
      if (head.status == 416) {
        Require(known == nullptr && verdict.identity.size == 0);
        break;
      }
      Require(head.status == 206 && head.content_range->first == kAsked.begin && head.content_range->last < kAsked.end);
      Require(known == nullptr || (verdict.identity.size == known->size && verdict.identity.etag == known->etag));
      break;
    case AnswerUse::kWholeFile:
      Require(known == nullptr && head.status == 200 && verdict.identity.size <= kLimit);
      break;
    default:
      Require(!verdict.status.ok());
  }
}

}  // namespace
}  // namespace modelvault

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelvault;
  AnswerHead head;
  for (const absl::string_view line :
       absl::StrSplit(absl::string_view(reinterpret_cast<const char*>(data), size), '\n')) {
    AddHeadLine(line, &head);
    Require(head.status >= 0 && head.status <= 999 && head.reason.size() <= 64 && head.etag.size() <= 512 &&
            head.last_modified.size() <= 512 && head.content_encoding.size() <= 512);
    if (head.content_range.has_value()) CheckRangeAgain(*head.content_range);
  }
  const FileIdentity known = {5000, "\"a\"", ""};
  CheckVerdict(head, nullptr);
  CheckVerdict(head, &known);
  return 0;
}
