// A file behind an http or https URL, read by ranges.
#ifndef MODELVAULT_VAULT_REMOTE_REMOTE_FILE_H_
#define MODELVAULT_VAULT_REMOTE_REMOTE_FILE_H_

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "vault/file_system.h"
#include "vault/remote/answer_check.h"
#include "vault/remote/http_client.h"
#include "vault/remote/range_cache.h"
#include "vault/remote/remote_options.h"

namespace modelvault {

// The first request, for the first 64 KiB, learns how long the file is and which (ETag, else Last-Modified); every
// later answer must say the same, or all reads fail from then on. What WillRead announces is fetched in few requests,
// several at a time and ahead of its readers, as far as the window allows; anything else is fetched as it is asked for.
// What was fetched stays in memory until the window is needed for something else. A request that breaks goes on at the
// first missing byte.
//
// Every error names the URL and the range of the request, as HTTP counts it. kNotFound: there is no such file;
// kAborted: it has changed; kDataLoss: the server contradicts itself or the request; kUnavailable: it cannot be
// reached, or refuses. Thread-safe. One thread of its own drives the requests. Not usable in a process forked from that
// which opened it: kUnavailable.
class RemoteFile : public RandomAccessFile {
 public:
  // `file_system` is for the cache and must outlive the result.
  static absl::StatusOr<std::unique_ptr<RandomAccessFile>> Open(FileSystem& file_system, const std::string& url,
                                                                const RemoteOptions& options);
  ~RemoteFile() override;

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override;
  void WillRead(absl::Span<const FileRange> ranges) const override;
  uint64_t size() const override { return size_; }
  const std::string& path() const override { return url_; }

 private:
  using Clock = std::chrono::steady_clock;

  // Bytes that are here, or on their way, or to be asked for.
  struct Part {
    FileRange range;
    std::unique_ptr<uint8_t[]> bytes;  // From the first request on.
    uint64_t received = 0;
    bool demanded = false;  // A reader waits for it.
    bool running = false;   // A request, or the cache, is filling it.
    absl::Status error;     // It has been given up.
    int failures = 0;       // In a row.
    uint64_t counted = 0;   // Of `received`, when the row began.
    Clock::time_point not_before = {};
    uint64_t read_to = 0;  // Of its bytes.
    uint64_t last_use = 0;

    bool complete() const { return bytes != nullptr && received == range.size(); }
    bool waits() const { return !running && !complete() && error.ok(); }
  };
  class Fetch;

  RemoteFile(FileSystem& file_system, std::string url, const RemoteOptions& options);

  absl::Status Start();

  // The thread that drives the requests. All that follows, but where it says so, is called with mutex_ held.
  void Work();
  int StartRequests(std::unique_lock<std::mutex>* lock);
  std::shared_ptr<Part> NextWaiting(Clock::time_point now, int* wait_ms);
  std::shared_ptr<Part> NextPlanned();
  void StartPart(const std::shared_ptr<Part>& part, std::unique_lock<std::mutex>* lock);
  bool ReadFromCache(const std::shared_ptr<Part>& part, std::unique_lock<std::mutex>* lock);
  AnswerVerdict TakeHead(Part* part, const AnswerHead& head);
  bool TakeBytes(Part* part, absl::Span<const uint8_t> bytes, AnswerVerdict* verdict);  // Without mutex_.
  void TakeEnd(Fetch* fetch, const HttpEnd& end);                                       // The same.
  void TellEnd(const Fetch& fetch, const HttpEnd& end);
  void Keep(const Part& part);  // Without mutex_.
  void Retry(Part* part, const std::string& what, const HttpEnd& end);
  void Fail(Part* part, const absl::Status& status);

  // For readers.
  std::shared_ptr<Part> PartFor(uint64_t at, uint64_t end) const;
  std::shared_ptr<Part> Covering(uint64_t at) const;
  FileRange FreeAround(uint64_t at) const;
  std::shared_ptr<Part> AddPart(const FileRange& range) const;
  void Reshape(const std::shared_ptr<Part>& part, const FileRange& range) const;
  void Announce(absl::Span<const FileRange> ranges) const;
  bool MakeRoom(uint64_t size, bool demanded) const;
  absl::Status CheckProcess() const;

  FileSystem& file_system_;
  const std::string url_;
  const RemoteOptions options_;
  const pid_t process_;
  uint64_t size_ = 0;  // Set before anybody reads.

  std::unique_ptr<HttpClient> client_;                // The thread's alone, but for Wake.
  std::unique_ptr<RangeCache> cache_;                 // The thread's alone.
  std::list<std::unique_ptr<HttpReceiver>> fetches_;  // Each a Fetch that has not ended. The thread's alone.

  mutable std::mutex mutex_;  // Guards what follows.
  mutable std::condition_variable changed_;
  std::string fetch_url_;                                    // Where redirections have led.
  std::optional<FileIdentity> identity_;                     // From the first answer on.
  bool whole_ = false;                                       // The server ignores ranges.
  mutable std::map<uint64_t, std::shared_ptr<Part>> parts_;  // By begin; they do not overlap.
  mutable std::deque<FileRange> plan_;                       // What was announced and is not asked for yet.
  mutable uint64_t held_ = 0;                                // Bytes of parts.
  mutable uint64_t uses_ = 0;
  absl::Status broken_;  // Why nothing is read any more.
  bool stop_ = false;

  std::thread thread_;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REMOTE_REMOTE_FILE_H_
