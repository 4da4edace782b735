// Whether a server's answer is the range that was asked for, of the file that it was before.
#ifndef MODELVAULT_VAULT_REMOTE_ANSWER_CHECK_H_
#define MODELVAULT_VAULT_REMOTE_ANSWER_CHECK_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "vault/file_system.h"
#include "vault/remote/answer_head.h"

namespace modelvault {

// What the first answer said of the file, and every later one must.
struct FileIdentity {
  uint64_t size = 0;
  std::string etag;           // Empty: the server names none.
  std::string last_modified;  // The same.
};

// kAborted if it is another file, or another version of it.
absl::Status CheckSameFile(const FileIdentity& known, const FileIdentity& now);

enum class AnswerUse {
  kRange,      // Its bytes are those asked for.
  kWholeFile,  // Its bytes are the file from its begin: the server knows no ranges. Of a first answer only.
  kRetry,      // The server is busy or down: ask again.
  kError,
};

struct AnswerVerdict {
  AnswerUse use = AnswerUse::kError;
  // What is wrong, for kRetry and kError, without URL and range. kNotFound: there is no such file; kAborted: it is not
  // the file that it was; kDataLoss: the answer contradicts itself or the request; kUnavailable: the server refuses, or
  // cannot do what is needed.
  absl::Status status;
  FileIdentity identity;  // For kRange and kWholeFile.
};

// Judges the answer to a request for `range`. `known`: what an earlier answer said; null: this is the first. Of a
// server that ignores ranges the first answer is taken whole if it is no longer than `whole_file_limit` bytes.
AnswerVerdict CheckAnswer(const AnswerHead& head, const FileRange& range, const FileIdentity* known,
                          uint64_t whole_file_limit);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REMOTE_ANSWER_CHECK_H_
