#include "vault/remote/answer_check.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace modelvault {
namespace {

AnswerVerdict Refuse(absl::Status status) { return {AnswerUse::kError, std::move(status), {}}; }

std::string StatusText(const AnswerHead& head) {
  return absl::StrCat("HTTP status ", head.status, head.reason.empty() ? "" : " ", head.reason);
}

absl::string_view Named(absl::string_view text) { return text.empty() ? "none" : text; }

AnswerVerdict CheckPartial(const AnswerHead& head, const FileRange& range, const FileIdentity* known) {
  if (!head.content_range.has_value() || !head.content_range->satisfied) {
    return Refuse(absl::DataLossError(absl::StrCat(
        StatusText(head), head.has_content_range ? " with a malformed Content-Range" : " without Content-Range")));
  }
  const ContentRange& found = *head.content_range;
  if (!found.total.has_value()) {
    return Refuse(absl::UnavailableError("the server does not say how long the file is"));
  }
  AnswerVerdict verdict = {AnswerUse::kRange, {}, {*found.total, head.etag, head.last_modified}};
  if (known != nullptr) {
    if (absl::Status same = CheckSameFile(*known, verdict.identity); !same.ok()) return Refuse(std::move(same));
  }
  const uint64_t last = std::min(range.end, *found.total) - 1;
  if (found.first == range.begin && found.last == last) {
    const uint64_t size = last - range.begin + 1;
    if (head.content_length.value_or(size) <= size) return verdict;
    return Refuse(absl::DataLossError(
        absl::StrCat("the server sends ", *head.content_length, " bytes for the ", size, " of its range")));
  }
  return Refuse(
      absl::DataLossError(absl::StrCat("the server sends bytes ", found.first, "-", found.last, " of ", *found.total)));
}

// The server has sent the file from its begin.
AnswerVerdict CheckWhole(const AnswerHead& head, const FileIdentity* known, uint64_t whole_file_limit) {
  if (known != nullptr) {
    const FileIdentity now = {head.content_length.value_or(known->size), head.etag, head.last_modified};
    if (absl::Status same = CheckSameFile(*known, now); !same.ok()) return Refuse(std::move(same));
    return Refuse(absl::UnavailableError("the server ignores the range and sends the whole file"));
  }
  if (head.content_length.has_value() && *head.content_length <= whole_file_limit) {
    return {AnswerUse::kWholeFile, {}, {*head.content_length, head.etag, head.last_modified}};
  }
  const std::string size =
      head.content_length.has_value() ? absl::StrCat(*head.content_length, " bytes") : "of a size that it does not say";
  return Refuse(absl::UnavailableError(absl::StrCat("the server ignores ranges, and the file, ", size,
                                                    ", is too long to be taken whole (at most ", whole_file_limit,
                                                    " bytes): download it")));
}

AnswerVerdict CheckFailure(const AnswerHead& head, const FileIdentity* known) {
  const std::string text = StatusText(head);
  switch (head.status) {
    case 404:
    case 410:
      return Refuse(absl::NotFoundError(text));
    case 416: {
      const bool empty =
          head.content_range.has_value() && !head.content_range->satisfied && *head.content_range->total == 0;
      if (known == nullptr && empty) return {AnswerUse::kRange, {}, {0, head.etag, head.last_modified}};
      if (known == nullptr) return Refuse(absl::DataLossError(text));
      return Refuse(absl::AbortedError(
          absl::StrCat("the file has changed since it was opened: it had ", known->size, " bytes: ", text)));
    }
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return {AnswerUse::kRetry, absl::UnavailableError(text), {}};
    default:
      return Refuse(absl::UnavailableError(text));
  }
}

}  // namespace

absl::Status CheckSameFile(const FileIdentity& known, const FileIdentity& now) {
  const auto changed = [](const char* what, const auto& was, const auto& is) {
    return absl::AbortedError(
        absl::StrCat("the file has changed since it was opened: ", what, " was ", was, ", is ", is));
  };
  if (now.etag != known.etag) return changed("its ETag", Named(known.etag), Named(now.etag));
  // A strong ETag says it all, and answers to If-Range may leave out the time.
  const bool strong = !known.etag.empty() && known.etag[0] == '"';
  if (!strong && now.last_modified != known.last_modified) {
    return changed("Last-Modified", Named(known.last_modified), Named(now.last_modified));
  }
  if (now.size != known.size) return changed("its size", known.size, now.size);
  return absl::OkStatus();
}

AnswerVerdict CheckAnswer(const AnswerHead& head, const FileRange& range, const FileIdentity* known,
                          uint64_t whole_file_limit) {
  const bool has_file = head.status == 200 || head.status == 206;
  if (has_file && !head.content_encoding.empty()) {
    return Refuse(absl::UnavailableError(
        absl::StrCat("the server sends the file coded: Content-Encoding ", head.content_encoding)));
  }
  if (head.status == 206) return CheckPartial(head, range, known);
  if (head.status == 200) return CheckWhole(head, known, whole_file_limit);
  return CheckFailure(head, known);
}

}  // namespace modelvault
