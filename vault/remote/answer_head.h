// What a server says before the bytes of an answer, as far as reading ranges needs it. Servers lie: nothing of it is
// believed before CheckAnswer (vault/remote/answer_check.h) has compared it.
#ifndef MODELVAULT_VAULT_REMOTE_ANSWER_HEAD_H_
#define MODELVAULT_VAULT_REMOTE_ANSWER_HEAD_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace modelvault {

// "Content-Range: bytes FIRST-LAST/TOTAL", or "bytes */TOTAL" of a range that there is not.
struct ContentRange {
  bool satisfied = false;
  uint64_t first = 0;  // Of a satisfied one, with first <= last; and last < total, if that is known.
  uint64_t last = 0;
  std::optional<uint64_t> total;  // "*": nothing. Known of one that is not satisfied.
};

// The field's value; nothing for what does not have that form, or has numbers past 2^63 - 1.
std::optional<ContentRange> ParseContentRange(absl::string_view value);

struct AnswerHead {
  int status = 0;      // 0: no status line yet.
  std::string reason;  // The text after the status, printable ASCII, shortened.
  bool has_content_range = false;
  std::optional<ContentRange> content_range;  // Of one that parses.
  std::optional<uint64_t> content_length;
  std::string content_encoding;  // Lower case; empty: none, or "identity".
  std::string etag;              // As it is sent: W/"…" is a weak one. Empty: none.
  std::string last_modified;     // As it is sent.

  // An ETag that stands for the very bytes.
  bool has_strong_etag() const { return !etag.empty() && etag[0] == '"'; }
};

// Adds a line of the head, with or without its line end. A status line begins a new head, as after a redirection.
// Fields that are longer than 512 bytes, or not printable, are as if they were not there.
void AddHeadLine(absl::string_view line, AnswerHead* head);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REMOTE_ANSWER_HEAD_H_
