#include "tools/ranks/rank_executor.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tools/ranks/caught.h"
#include "tools/ranks/poll_pause.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

using Result = absl::StatusOr<std::string>;

// Jobs beyond those that a rank runs are held ready for it as long as so many are left for each thread of all ranks:
// near the end they are better taken by whoever is free.
constexpr uint64_t kManyJobs = 8;

// One call of RankExecutor::Run.
class RankRun {
 public:
  RankRun(RankLink* link, uint64_t task, const Jobs& jobs)
      : link_(*link), task_(task), jobs_(jobs), held_(static_cast<size_t>(link->size())) {
    const auto ranks = static_cast<uint64_t>(link->size());
    all_threads_ = static_cast<uint64_t>(jobs.threads) * ranks;
    window_ = MostHeld() * ranks;
  }
  ~RankRun() {
    for (int rank = 1; rank < link_.size(); ++rank) link_.Send(rank, {0, LetterKind::kStop, task_, 0, {}, {}});
  }

  absl::Status Run();

 private:
  // Of a rank, while there are many.
  uint64_t MostHeld() const { return 2 * static_cast<uint64_t>(jobs_.threads) + 2; }

  void Work();
  absl::Status ReadLetters(PollPause* pause);
  void HandOut();

  RankLink& link_;
  const uint64_t task_;
  const Jobs& jobs_;
  uint64_t all_threads_ = 0;
  uint64_t window_ = 0;
  std::vector<uint64_t> held_;  // Jobs that a rank has and has not answered.

  std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  std::map<uint64_t, Result> results_;
  uint64_t next_ = 0;  // To be taken.
  uint64_t consumed_ = 0;
  bool stop_ = false;

  bool MayTake() const { return next_ < std::min(jobs_.count, consumed_ + window_); }
};

// What each of this rank's threads does.
void RankRun::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || MayTake(); });
    if (stop_) return;
    const uint64_t job = next_++;
    lock.unlock();
    Result result = Caught<std::string>([&] { return jobs_.produce(job); });
    lock.lock();
    results_.emplace(job, std::move(result));
    changed_.notify_all();
  }
}

absl::Status RankRun::ReadLetters(PollPause* pause) {
  while (std::optional<Letter> letter = link_.Receive()) {
    pause->Reset();
    if (letter->task != task_) continue;  // Of a run that ended with an error.
    if (letter->kind == LetterKind::kFailed) {
      return absl::Status(letter->code, absl::StrCat("rank ", letter->from, ": ", letter->bytes));
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    --held_[static_cast<size_t>(letter->from)];
    const bool ok = letter->code == absl::StatusCode::kOk;
    results_.emplace(letter->number,
                     ok ? Result(std::move(letter->bytes)) : Result(absl::Status(letter->code, letter->bytes)));
  }
  if (!link_.interrupted()) return absl::OkStatus();
  return absl::UnavailableError("told to end: another rank may have died");
}

void RankRun::HandOut() {
  const std::lock_guard<std::mutex> lock(mutex_);
  // One at a time to each, so that one rank does not get what would serve two.
  for (bool any = true; any;) {
    any = false;
    for (int rank = 1; rank < link_.size() && MayTake(); ++rank) {
      const bool many = jobs_.count - next_ > kManyJobs * all_threads_;
      uint64_t& held = held_[static_cast<size_t>(rank)];
      if (held >= (many ? MostHeld() : static_cast<uint64_t>(jobs_.threads))) continue;
      ++held;
      link_.Send(rank, {0, LetterKind::kJob, task_, next_++, {}, {}});
      any = true;
    }
  }
}

absl::Status RankRun::Run() {
  const std::string task = jobs_.task();
  for (int rank = 1; rank < link_.size(); ++rank) {
    link_.Send(rank, {0, LetterKind::kTask, task_, static_cast<uint64_t>(jobs_.threads), {}, task});
  }
  internal::WorkerPool pool([&] {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  });
  pool.Start(static_cast<size_t>(std::min<uint64_t>(static_cast<uint64_t>(jobs_.threads), jobs_.count)),
             [&] { Work(); });
  PollPause pause;
  while (consumed_ < jobs_.count) {
    if (absl::Status status = ReadLetters(&pause); !status.ok()) return status;
    HandOut();
    std::unique_lock<std::mutex> lock(mutex_);
    const auto is_there = [&] { return results_.count(consumed_) != 0; };
    if (!is_there() && !changed_.wait_for(lock, pause.Next(), is_there)) continue;
    const auto found = results_.find(consumed_);
    Result result = std::move(found->second);
    results_.erase(found);
    lock.unlock();
    if (!result.ok()) return result.status();
    if (absl::Status status = jobs_.consume(consumed_, *std::move(result)); !status.ok()) return status;
    lock.lock();
    ++consumed_;
    changed_.notify_all();
  }
  return absl::OkStatus();
}

}  // namespace

RankExecutor::~RankExecutor() {
  for (int rank = 1; rank < link_->size(); ++rank) link_->Send(rank, {0, LetterKind::kEnd, 0, 0, {}, {}});
}

absl::Status RankExecutor::Run(const Jobs& jobs) {
  if (!jobs.task || link_->size() == 1) return ThreadExecutor().Run(jobs);
  return RankRun(link_, ++tasks_, jobs).Run();
}

}  // namespace modelvault
