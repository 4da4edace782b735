// RemoteFile's thread: which requests are made, and what becomes of them.
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "vault/remote/remote_file.h"

namespace modelvault {
namespace {

constexpr int kIdleMs = 60000;
// So much of an answer shows that the server works, whatever broke it off.
constexpr uint64_t kProgress = 16 * 1024;

int64_t MsUntil(std::chrono::steady_clock::time_point then, std::chrono::steady_clock::time_point now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(then - now).count() + 1;
}

}  // namespace

// One request for the rest of a part.
class RemoteFile::Fetch : public HttpReceiver {
 public:
  Fetch(RemoteFile* file, std::shared_ptr<Part> part, std::string url)
      : file_(file), part_(std::move(part)), url_(std::move(url)) {}

  bool OnHead(const AnswerHead& head) override {
    const std::lock_guard<std::mutex> lock(file_->mutex_);
    try {
      verdict_ = file_->TakeHead(part_.get(), head);
    } catch (const std::exception&) {
      verdict_ = {AnswerUse::kError, absl::UnavailableError("no memory for the answer"), {}};
    }
    return !part_->complete() && (verdict_.use == AnswerUse::kRange || verdict_.use == AnswerUse::kWholeFile);
  }
  bool OnBytes(absl::Span<const uint8_t> bytes) override { return file_->TakeBytes(part_.get(), bytes, &verdict_); }
  void OnEnd(const HttpEnd& end) override { file_->TakeEnd(this, end); }

  const std::shared_ptr<Part>& part() const { return part_; }
  const std::string& url() const { return url_; }
  const AnswerVerdict& verdict() const { return verdict_; }

 private:
  RemoteFile* const file_;
  const std::shared_ptr<Part> part_;
  const std::string url_;
  AnswerVerdict verdict_ = {AnswerUse::kRetry, {}, {}};  // As long as there is no answer.
};

void RemoteFile::Work() {
  // The program's signals are for its own threads, and a connection that breaks while it is written to is no reason to
  // die.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  try {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!stop_) {
      const int wait_ms = StartRequests(&lock);
      lock.unlock();
      client_->Run(wait_ms);
      lock.lock();
    }
    client_.reset();
  } catch (const std::exception& error) {  // No memory.
    const std::lock_guard<std::mutex> lock(mutex_);
    broken_ = absl::UnavailableError(absl::StrCat(url_, ": ", error.what()));
    changed_.notify_all();
  }
}

// Milliseconds until there is more to start, if nothing happens before.
int RemoteFile::StartRequests(std::unique_lock<std::mutex>* lock) {
  int wait_ms = kIdleMs;
  while (broken_.ok() && !stop_ && client_->running() < static_cast<size_t>(options_.connections)) {
    std::shared_ptr<Part> part = NextWaiting(Clock::now(), &wait_ms);
    if (part == nullptr && identity_.has_value()) part = NextPlanned();
    if (part == nullptr) break;
    StartPart(part, lock);
  }
  return wait_ms;
}

// A part that is to be asked for, first those that readers wait for.
std::shared_ptr<RemoteFile::Part> RemoteFile::NextWaiting(Clock::time_point now, int* wait_ms) {
  std::shared_ptr<Part> next;
  for (const auto& [begin, part] : parts_) {
    if (!part->waits()) continue;
    if (part->not_before > now) {
      *wait_ms = static_cast<int>(std::min<int64_t>(*wait_ms, MsUntil(part->not_before, now)));
    } else if (next == nullptr || (part->demanded && !next->demanded)) {
      next = part;
    }
  }
  return next;
}

// The next part of the plan, as far as it is not here yet and there is room.
std::shared_ptr<RemoteFile::Part> RemoteFile::NextPlanned() {
  while (!plan_.empty()) {
    FileRange& range = plan_.front();
    while (const std::shared_ptr<Part> here = range.begin < range.end ? Covering(range.begin) : nullptr) {
      range.begin = std::min(range.end, here->range.end);
    }
    if (range.begin == range.end) {
      plan_.pop_front();
      continue;
    }
    const FileRange next = {range.begin, std::min(range.end, FreeAround(range.begin).end)};
    if (!MakeRoom(next.size(), false)) return nullptr;
    range.begin = next.end;
    return AddPart(next);
  }
  return nullptr;
}

void RemoteFile::StartPart(const std::shared_ptr<Part>& part, std::unique_lock<std::mutex>* lock) {
  part->running = true;
  if (part->bytes == nullptr) {
    if (ReadFromCache(part, lock)) return;
    part->bytes.reset(new uint8_t[static_cast<size_t>(part->range.size())]);
  }
  HttpRequest request;
  request.url = fetch_url_;
  request.range = {part->range.begin + part->received, part->range.end};
  if (identity_.has_value() && !identity_->etag.empty() && identity_->etag[0] == '"')
    request.if_range = identity_->etag;
  fetches_.push_back(std::make_unique<Fetch>(this, part, fetch_url_));
  const absl::Status started = client_->Start(request, fetches_.back().get());
  if (started.ok()) return;
  fetches_.pop_back();
  Fail(part.get(), started);
}

bool RemoteFile::ReadFromCache(const std::shared_ptr<Part>& part, std::unique_lock<std::mutex>* lock) {
  if (cache_ == nullptr) return false;
  const std::optional<FileRange> kept = cache_->Find(part->range.begin);
  if (!kept.has_value()) return false;
  // What is read is checked as a whole: so the part becomes as much of it as there is room for.
  FileRange free = {part->range.begin, part->range.end};
  if (part->range.begin > 0 && Covering(part->range.begin - 1) == nullptr) {
    free.begin = FreeAround(part->range.begin - 1).begin;
  }
  if (part->range.end < size_ && Covering(part->range.end) == nullptr) free.end = FreeAround(part->range.end).end;
  const FileRange range = {std::max(kept->begin, free.begin), std::min(kept->end, free.end)};
  lock->unlock();
  std::unique_ptr<uint8_t[]> bytes(new uint8_t[static_cast<size_t>(kept->size())]);
  const bool read = cache_->Read(*kept, {bytes.get(), static_cast<size_t>(kept->size())});
  lock->lock();
  // Meanwhile a reader may have asked for its neighbourhood.
  const FileRange now = {std::min(range.begin, part->range.begin), range.end};
  for (auto it = parts_.begin(); read && it != parts_.end(); ++it) {
    if (it->second != part && it->second->range.begin < now.end && it->second->range.end > now.begin) return false;
  }
  if (!read) return false;
  Reshape(part, range);
  std::memmove(bytes.get(), bytes.get() + (range.begin - kept->begin), static_cast<size_t>(range.size()));
  part->bytes = std::move(bytes);
  part->received = range.size();
  part->running = false;
  changed_.notify_all();
  return true;
}

AnswerVerdict RemoteFile::TakeHead(Part* part, const AnswerHead& head) {
  const FileRange asked = {part->range.begin + part->received, part->range.end};
  const FileIdentity* const known = identity_.has_value() && !whole_ ? &*identity_ : nullptr;
  AnswerVerdict verdict = CheckAnswer(head, asked, known, options_.part_size);
  if (known != nullptr || (verdict.use != AnswerUse::kRange && verdict.use != AnswerUse::kWholeFile)) return verdict;
  if (identity_.has_value()) {
    absl::Status same = CheckSameFile(*identity_, verdict.identity);
    if (!same.ok()) return {AnswerUse::kError, std::move(same), {}};
  }
  const uint64_t size = verdict.identity.size;
  held_ -= part->range.size();
  if (verdict.use == AnswerUse::kWholeFile) {  // From its begin, whatever was here.
    if (size > part->range.size()) part->bytes.reset(new uint8_t[static_cast<size_t>(size)]);
    part->range = {0, size};
    part->received = part->counted = 0;
    whole_ = true;
  } else {
    part->range.end = std::min(part->range.end, size);
  }
  held_ += part->range.size();
  identity_ = verdict.identity;
  return verdict;
}

bool RemoteFile::TakeBytes(Part* part, absl::Span<const uint8_t> bytes, AnswerVerdict* verdict) {
  // Only this thread changes what is read here.
  if (bytes.size() > part->range.size() - part->received) {
    *verdict = {AnswerUse::kError, absl::DataLossError("the server sends more bytes than it said"), {}};
    return false;
  }
  if (!bytes.empty()) std::memcpy(part->bytes.get() + part->received, bytes.data(), bytes.size());
  const std::lock_guard<std::mutex> lock(mutex_);
  part->received += bytes.size();
  changed_.notify_all();
  return true;
}

void RemoteFile::TakeEnd(Fetch* fetch, const HttpEnd& end) {
  const auto found =
      std::find_if(fetches_.begin(), fetches_.end(), [&](const auto& running) { return running.get() == fetch; });
  const std::unique_ptr<HttpReceiver> ended = std::move(*found);
  fetches_.erase(found);
  const std::shared_ptr<Part> part = fetch->part();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    part->running = false;
    TellEnd(*fetch, end);
    changed_.notify_all();
  }
  if (part->complete()) Keep(*part);
}

void RemoteFile::TellEnd(const Fetch& fetch, const HttpEnd& end) {
  Part* const part = fetch.part().get();
  const AnswerVerdict& verdict = fetch.verdict();
  const bool refused = verdict.use == AnswerUse::kError;
  if (!refused && part->complete()) {
    if (!end.url.empty()) fetch_url_ = end.url;
    return;
  }
  if (refused && fetch.url() != url_ && !absl::IsAborted(verdict.status)) {
    // Where a redirection led is not for ever.
    fetch_url_ = url_;
    return Retry(part, std::string(verdict.status.message()), end);
  }
  if (refused) return Fail(part, verdict.status);
  if (!verdict.status.ok()) return Retry(part, std::string(verdict.status.message()), end);
  if (!end.error.empty() && !end.may_pass) return Fail(part, absl::UnavailableError(end.error));
  std::string what = absl::StrCat("the answer ends after ", part->received, " of ", part->range.size(), " bytes");
  if (!end.error.empty() && part->received == 0) what = end.error;
  Retry(part, what, end);
}

void RemoteFile::Retry(Part* part, const std::string& what, const HttpEnd& end) {
  if (part->received >= part->counted + kProgress) {
    part->counted = part->received;
    part->failures = 0;
  }
  ++part->failures;
  if (part->failures >= options_.tries) {
    return Fail(part, absl::UnavailableError(absl::StrCat(what, "; tried ", part->failures, " times")));
  }
  int64_t pause_ms = int64_t{options_.first_pause_ms} << (part->failures - 1);
  if (end.retry_after_s.has_value()) {
    if (*end.retry_after_s > options_.longest_pause_ms / 1000) {
      return Fail(part, absl::UnavailableError(
                            absl::StrCat(what, "; the server says to come back in ", *end.retry_after_s, " seconds")));
    }
    pause_ms = std::max(pause_ms, *end.retry_after_s * 1000);
  }
  part->not_before = Clock::now() + std::chrono::milliseconds(std::min<int64_t>(pause_ms, options_.longest_pause_ms));
}

void RemoteFile::Fail(Part* part, const absl::Status& status) {
  part->running = false;
  part->error = absl::Status(status.code(), absl::StrCat(url_, ": bytes ", part->range.begin + part->received, "-",
                                                         part->range.end - 1, ": ", status.message()));
  // Ranges of two versions do not go together.
  if (absl::IsAborted(status)) broken_ = part->error;
  changed_.notify_all();
}

void RemoteFile::Keep(const Part& part) {
  if (options_.cache_folder.empty() || part.range.size() == 0) return;
  // Nothing less says that the bytes are the same the next time.
  if (identity_->etag.empty() || identity_->etag[0] != '"') return;
  if (cache_ == nullptr) {
    cache_ = std::make_unique<RangeCache>(file_system_, options_.cache_folder, options_.cache_limit,
                                          absl::StrCat(url_, "\n", identity_->etag, "\n", identity_->size));
  }
  const std::optional<FileRange> kept = cache_->Find(part.range.begin);
  if (kept.has_value() && kept->end >= part.range.end) return;
  cache_->Write(part.range, {part.bytes.get(), static_cast<size_t>(part.range.size())});
}

}  // namespace modelvault
