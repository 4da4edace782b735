#include "tools/ranks/rank_helper.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "tools/ranks/caught.h"
#include "tools/ranks/poll_pause.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr int kLeader = 0;

Letter Answer(LetterKind kind, uint64_t task, uint64_t number, absl::StatusOr<std::string> result) {
  if (result.ok()) return {0, kind, task, number, absl::StatusCode::kOk, *std::move(result)};
  return {0, kind, task, number, result.status().code(), std::string(result.status().message())};
}

// The jobs of one task, on threads of its own.
class HelperRun {
 public:
  HelperRun(uint64_t task, size_t threads, ProduceFunction produce)
      : task_(task), produce_(std::move(produce)), pool_([this] { Stop(); }) {
    pool_.Start(threads, [this] { Work(); });
  }

  size_t threads() const { return pool_.size(); }

  void Add(uint64_t job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(job);
    added_.notify_one();
  }

  // A result, if there is one or comes within `pause`.
  std::optional<Letter> Take(std::chrono::microseconds pause) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!done_.wait_for(lock, pause, [&] { return !results_.empty(); })) return std::nullopt;
    Letter letter = std::move(results_.front());
    results_.pop_front();
    return letter;
  }

 private:
  void Work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      added_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
      if (stop_) return;
      const uint64_t job = jobs_.front();
      jobs_.pop_front();
      lock.unlock();
      Letter letter = Answer(LetterKind::kResult, task_, job, Caught<std::string>([&] { return produce_(job); }));
      lock.lock();
      results_.push_back(std::move(letter));
      done_.notify_one();
    }
  }

  void Stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    added_.notify_all();
  }

  const uint64_t task_;
  const ProduceFunction produce_;
  std::mutex mutex_;  // Guards what follows.
  std::condition_variable added_;
  std::condition_variable done_;
  std::deque<uint64_t> jobs_;
  std::deque<Letter> results_;
  bool stop_ = false;

  internal::WorkerPool pool_;  // Ends first.
};

std::unique_ptr<HelperRun> Begin(RankLink* link, const Letter& letter, const PrepareFunction& prepare) {
  absl::StatusOr<ProduceFunction> produce = Caught<ProduceFunction>([&] { return prepare(letter.bytes); });
  absl::Status status = produce.status();
  if (status.ok()) {
    auto run = std::make_unique<HelperRun>(letter.task, static_cast<size_t>(letter.number), *std::move(produce));
    if (run->threads() > 0) return run;
    status = absl::UnavailableError("the system gives no thread");
  }
  link->Send(kLeader, Answer(LetterKind::kFailed, letter.task, 0, status));
  return nullptr;
}

}  // namespace

void HelpLeader(RankLink* link, const PrepareFunction& prepare) {
  std::unique_ptr<HelperRun> run;  // Null between tasks, and when the last one cannot be run.
  PollPause pause;
  while (!link->interrupted()) {
    if (std::optional<Letter> letter = link->Receive()) {
      pause.Reset();
      if (letter->kind == LetterKind::kEnd) return;
      if (letter->kind == LetterKind::kStop) run = nullptr;
      if (letter->kind == LetterKind::kTask) run = Begin(link, *letter, prepare);
      if (letter->kind == LetterKind::kJob && run != nullptr) run->Add(letter->number);
      continue;
    }
    if (run == nullptr) {
      std::this_thread::sleep_for(pause.Next());
    } else if (std::optional<Letter> result = run->Take(pause.Next())) {
      pause.Reset();
      link->Send(kLeader, *std::move(result));
    }
  }
}

}  // namespace modelvault
