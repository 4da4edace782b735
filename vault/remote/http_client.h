// Requests for ranges of what URLs name, a few at a time, over connections that are kept: libcurl behind a header.
#ifndef MODELVAULT_VAULT_REMOTE_HTTP_CLIENT_H_
#define MODELVAULT_VAULT_REMOTE_HTTP_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "vault/file_system.h"
#include "vault/remote/answer_head.h"

namespace modelvault {

struct HttpRequest {
  std::string url;
  FileRange range;       // Not empty.
  std::string if_range;  // A strong ETag: of another file the server sends all, not the range. Empty: not asked.
};

// How a request ended.
struct HttpEnd {
  // Empty: the answer came to its end, or the receiver wanted no more. Else what broke it.
  std::string error;
  bool may_pass = false;  // The same request may do better.
  std::string url;        // Where redirections led.
  std::optional<int64_t> retry_after_s;
};

// Takes what comes of one request. Called by HttpClient::Run; must not throw.
class HttpReceiver {
 public:
  virtual ~HttpReceiver() = default;
  // The head of the answer that counts, past redirections. False: its bytes are not wanted.
  virtual bool OnHead(const AnswerHead& head) = 0;
  // Its next bytes. False: no more of them.
  virtual bool OnBytes(absl::Span<const uint8_t> bytes) = 0;
  // The last call. Without OnHead before, there was no answer.
  virtual void OnEnd(const HttpEnd& end) = 0;
};

struct HttpLimits {
  int connect_seconds = 20;
  int stall_seconds = 30;  // Of an answer slower than 1 KiB a second for so long.
  int redirections = 5;
};

// Follows redirections to http and https, from https to https alone. Certificates are verified; CURL_CA_BUNDLE or
// SSL_CERT_FILE name others than the system's; names and passwords come from ~/.netrc, proxies from the usual
// variables. Thread-compatible, but for Wake.
class HttpClient {
 public:
  static absl::StatusOr<std::unique_ptr<HttpClient>> Create(const HttpLimits& limits);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `receiver` must live until its OnEnd, or this ends. An error: it is not called.
  absl::Status Start(const HttpRequest& request, HttpReceiver* receiver);
  // Requests that have not ended.
  size_t running() const;

  // Does what there is to do, then waits for more, for `wait_ms` at most, or until Wake.
  void Run(int wait_ms);
  // From any thread.
  void Wake();

 private:
  struct Rep;
  explicit HttpClient(std::unique_ptr<Rep> rep);

  const std::unique_ptr<Rep> rep_;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REMOTE_HTTP_CLIENT_H_
