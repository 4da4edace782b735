// Jobs in several ranks: each once, in order, whoever is slow, and every error.
#include "tools/ranks/rank_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/tools/ranks/local_ranks.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

// Jobs whose results are the task's name and the job's number.
class RankExecutorTest : public testing::Test {
 protected:
  ProduceFunction Produce(const std::string& task) {
    return [this, task](uint64_t job) -> absl::StatusOr<std::string> {
      if (produced_ != nullptr) ++(*produced_)[static_cast<size_t>(job)];
      if (fault_) {
        if (absl::Status status = fault_(job); !status.ok()) return status;
      }
      return absl::StrCat(task, " ", job);
    };
  }
  PrepareFunction Prepare(int rank) {
    return [this, rank](const std::string& task) -> absl::StatusOr<ProduceFunction> {
      if (rank == failing_rank_) return absl::NotFoundError("base: no such file");
      return Produce(task);
    };
  }
  Jobs Some(uint64_t count, int threads) {
    Jobs jobs;
    jobs.count = count;
    jobs.threads = threads;
    jobs.produce = Produce("t");
    jobs.task = [] { return "t"; };
    jobs.consume = [this](uint64_t job, const std::string& result) {
      EXPECT_EQ(job, consumed_++);
      EXPECT_EQ(result, absl::StrCat("t ", job));
      return absl::OkStatus();
    };
    return jobs;
  }
  // In so many ranks.
  absl::Status Run(int ranks, const Jobs& jobs) {
    LocalRanks all(ranks, [this](int rank) { return Prepare(rank); });
    const absl::Status status = RankExecutor(all.link(0)).Run(jobs);
    sent_ = all.jobs_sent();
    return status;
  }

  std::vector<std::atomic<int>>* produced_ = nullptr;
  std::function<absl::Status(uint64_t job)> fault_;
  int failing_rank_ = -1;
  uint64_t consumed_ = 0;
  int sent_ = 0;
};

TEST_F(RankExecutorTest, EveryJobRunsOnceAndIsConsumedInOrder) {
  for (const int ranks : {1, 2, 3, 5}) {
    for (const int threads : {1, 3}) {
      for (const uint64_t count : {0, 1, 2, 7, 400}) {
        std::vector<std::atomic<int>> produced(count);
        produced_ = &produced;
        consumed_ = 0;
        ASSERT_THAT(Run(ranks, Some(count, threads)), IsOk());
        EXPECT_EQ(consumed_, count);
        for (const std::atomic<int>& times : produced) EXPECT_EQ(times, 1);
      }
    }
  }
}

TEST_F(RankExecutorTest, OneExecutorRunsTaskAfterTask) {
  LocalRanks all(3, [this](int rank) { return Prepare(rank); });
  RankExecutor executor(all.link(0));
  EXPECT_EQ(executor.processes(), 3);
  for (int i = 0; i < 20; ++i) {
    consumed_ = 0;
    // Some end early, and leave jobs behind them.
    fault_ = i % 3 == 0 ? [](uint64_t job) { return job == 9 ? absl::DataLossError("9") : absl::OkStatus(); }
                        : std::function<absl::Status(uint64_t)>();
    EXPECT_EQ(executor.Run(Some(50, 2)).ok(), i % 3 != 0);
    EXPECT_EQ(consumed_, i % 3 == 0 ? 9 : 50);
  }
}

TEST_F(RankExecutorTest, JobsWithoutATaskStayHere) {
  Jobs jobs = Some(40, 2);
  jobs.task = nullptr;
  ASSERT_THAT(Run(4, jobs), IsOk());
  EXPECT_EQ(consumed_, 40);
  EXPECT_EQ(sent_, 0);
}

TEST_F(RankExecutorTest, AFewJobsAreSharedOutOneEach) {
  // Nobody holds two while another has none: each waits until all of them run.
  std::atomic<int> running = 0;
  fault_ = [&](uint64_t) {
    ++running;
    while (running < 4) std::this_thread::yield();
    return absl::OkStatus();
  };
  ASSERT_THAT(Run(4, Some(4, 1)), IsOk());
  EXPECT_EQ(sent_, 3);
}

TEST_F(RankExecutorTest, ASlowJobHoldsUpTheOthersInsteadOfPilingUpTheirResults) {
  std::atomic<uint64_t> most = 0;
  std::atomic<bool> go_on = false;
  fault_ = [&](uint64_t job) {
    if (job == 0) {
      while (!go_on) std::this_thread::yield();
    } else {
      uint64_t seen = most;
      while (seen < job && !most.compare_exchange_weak(seen, job)) {
      }
    }
    return absl::OkStatus();
  };
  uint64_t last = 0;
  std::thread watch([&] {
    // Until nothing more is begun.
    for (; last != most || last < 5; std::this_thread::sleep_for(std::chrono::milliseconds(50))) last = most;
    go_on = true;
  });
  ASSERT_THAT(Run(3, Some(1000, 1)), IsOk());
  watch.join();
  EXPECT_LT(last, 12) << "four for each rank";
  EXPECT_EQ(consumed_, 1000);
}

TEST_F(RankExecutorTest, TheFirstErrorInOrderIsTheOneThatIsTold) {
  for (const int ranks : {2, 4}) {
    consumed_ = 0;
    fault_ = [](uint64_t job) {
      return job < 30 ? absl::OkStatus() : absl::DataLossError(absl::StrCat("job ", job, " is damaged"));
    };
    EXPECT_THAT(Run(ranks, Some(200, 2)), StatusIs(StatusCode::kDataLoss, "job 30 is damaged"));
    EXPECT_EQ(consumed_, 30);
  }
}

TEST_F(RankExecutorTest, AnErrorOfTheConsumerEndsAll) {
  Jobs jobs = Some(200, 2);
  jobs.consume = [&](uint64_t job, const std::string&) {
    return job == 17 ? absl::UnavailableError("disk full") : absl::OkStatus();
  };
  EXPECT_THAT(Run(3, jobs), StatusIs(StatusCode::kUnavailable, "disk full"));
}

TEST_F(RankExecutorTest, ARankThatCannotRunATaskIsNamed) {
  failing_rank_ = 2;
  EXPECT_THAT(Run(3, Some(200, 1)), StatusIs(StatusCode::kNotFound, "rank 2: base: no such file"));
}

TEST_F(RankExecutorTest, WhatAJobThrowsIsAnError) {
  fault_ = [](uint64_t job) -> absl::Status {
    if (job == 11) throw std::bad_alloc();
    return absl::OkStatus();
  };
  EXPECT_THAT(Run(3, Some(40, 1)), StatusIs(StatusCode::kUnavailable, HasSubstr("out of memory")));
}

TEST_F(RankExecutorTest, ALeaderThatIsToldToEndDoes) {
  LocalRanks all(2, [this](int rank) { return Prepare(rank); });
  fault_ = [&](uint64_t job) {
    if (job == 5) all.Interrupt();
    return absl::OkStatus();
  };
  RankExecutor executor(all.link(0));
  const Jobs jobs = Some(1000, 1);
  EXPECT_THAT(executor.Run(jobs), StatusIs(StatusCode::kUnavailable, HasSubstr("told to end")));
}

}  // namespace
}  // namespace modelvault
