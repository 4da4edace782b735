// Ranks that are threads of one process, for tests that need no MPI.
#ifndef MODELVAULT_TESTS_TOOLS_RANKS_LOCAL_RANKS_H_
#define MODELVAULT_TESTS_TOOLS_RANKS_LOCAL_RANKS_H_

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "tools/ranks/rank_helper.h"
#include "tools/ranks/rank_link.h"

namespace modelvault {

class LocalRanks {
 public:
  // Rank 0 is the test's own; the others help, each with what `prepare` makes for it.
  LocalRanks(int size, const std::function<PrepareFunction(int rank)>& prepare) : boxes_(static_cast<size_t>(size)) {
    for (int rank = 0; rank < size; ++rank) links_.push_back(std::make_unique<Link>(this, rank));
    for (int rank = 1; rank < size; ++rank) {
      helpers_.emplace_back([this, rank, prepare = prepare(rank)] { HelpLeader(link(rank), prepare); });
    }
  }
  // The leader's executor must be gone: it ends the others.
  ~LocalRanks() {
    for (std::thread& helper : helpers_) helper.join();
  }

  RankLink* link(int rank) { return links_[static_cast<size_t>(rank)].get(); }
  // Of the leader.
  void Interrupt() { interrupted_ = true; }
  // Jobs that were sent to other ranks.
  int jobs_sent() const { return jobs_sent_; }

 private:
  struct Box {
    std::mutex mutex;
    std::deque<Letter> letters;
  };

  class Link : public RankLink {
   public:
    Link(LocalRanks* ranks, int rank) : ranks_(*ranks), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return static_cast<int>(ranks_.boxes_.size()); }
    void Send(int to, Letter letter) override {
      if (letter.kind == LetterKind::kJob) ++ranks_.jobs_sent_;
      letter.from = rank_;
      Box& box = ranks_.boxes_[static_cast<size_t>(to)];
      const std::lock_guard<std::mutex> lock(box.mutex);
      box.letters.push_back(std::move(letter));
    }
    std::optional<Letter> Receive() override {
      Box& box = ranks_.boxes_[static_cast<size_t>(rank_)];
      const std::lock_guard<std::mutex> lock(box.mutex);
      if (box.letters.empty()) return std::nullopt;
      Letter letter = std::move(box.letters.front());
      box.letters.pop_front();
      return letter;
    }
    bool interrupted() const override { return rank_ == 0 && ranks_.interrupted_; }

   private:
    LocalRanks& ranks_;
    const int rank_;
  };

  std::vector<Box> boxes_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<std::thread> helpers_;
  std::atomic<bool> interrupted_ = false;
  std::atomic<int> jobs_sent_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_RANKS_LOCAL_RANKS_H_
