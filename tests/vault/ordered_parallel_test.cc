#include "vault/ordered_parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

std::vector<uint64_t> UpTo(uint64_t count) {
  std::vector<uint64_t> all;
  for (uint64_t i = 0; i < count; ++i) all.push_back(i);
  return all;
}

TEST(OrderedParallelTest, ConsumesInOrderWithAnyNumberOfThreads) {
  for (const int threads : {0, 1, 2, 5, 40}) {
    for (const uint64_t count : {0, 1, 2, 30}) {
      std::vector<uint64_t> consumed;
      EXPECT_THAT(OrderedParallel<uint64_t>(
                      count, threads, [](uint64_t i) -> absl::StatusOr<uint64_t> { return 3 * i; },
                      [&](uint64_t i, uint64_t result) {
                        EXPECT_EQ(result, 3 * i);
                        consumed.push_back(i);
                        return absl::OkStatus();
                      }),
                  IsOk());
      EXPECT_EQ(consumed, UpTo(count));
    }
  }
}

TEST(OrderedParallelTest, TheFirstErrorInOrderEndsIt) {
  for (const int threads : {1, 4}) {
    uint64_t consumed = 0;
    EXPECT_THAT(OrderedParallel<uint64_t>(
                    20, threads,
                    [](uint64_t i) -> absl::StatusOr<uint64_t> {
                      if (i == 7 || i == 8) return absl::DataLossError(absl::StrCat("number ", i));
                      return i;
                    },
                    [&](uint64_t, uint64_t) {
                      ++consumed;
                      return absl::OkStatus();
                    }),
                StatusIs(absl::StatusCode::kDataLoss, "number 7"));
    EXPECT_EQ(consumed, 7u);
  }
}

// Threads that get no memory give their work to the others, at last to the caller.
TEST(OrderedParallelTest, WithoutMemoryForAllThreadsFewerDoTheWork) {
  for (const int with_memory : {0, 1, 3}) {
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> others{0};
    std::vector<uint64_t> consumed;
    EXPECT_THAT(OrderedParallel<uint64_t>(
                    50, 4,
                    [&](uint64_t i) -> absl::StatusOr<uint64_t> {
                      thread_local const int number = others++;
                      if (std::this_thread::get_id() != caller && number >= with_memory) throw std::bad_alloc();
                      return i;
                    },
                    [&](uint64_t i, uint64_t result) {
                      EXPECT_EQ(i, result);
                      consumed.push_back(i);
                      return absl::OkStatus();
                    }),
                IsOk());
    EXPECT_EQ(consumed, UpTo(50));
  }
}

TEST(OrderedParallelTest, WithoutMemoryAnywhereTheCallerHearsOfIt) {
  const auto produce = [](uint64_t i) -> absl::StatusOr<uint64_t> {
    if (i == 5) throw std::bad_alloc();
    return i;
  };
  const auto consume = [](uint64_t, uint64_t) { return absl::OkStatus(); };
  for (const int threads : {1, 4}) {
    EXPECT_THROW(OrderedParallel<uint64_t>(20, threads, produce, consume).IgnoreError(), std::bad_alloc);
  }
}

TEST(OrderedParallelTest, WhatAThreadThrowsIsThrownInOrder) {
  const auto produce = [](uint64_t i) -> absl::StatusOr<uint64_t> {
    if (i == 5 || i == 6) throw std::out_of_range(absl::StrCat("number ", i));
    return i;
  };
  for (const int threads : {1, 2, 4, 30}) {
    std::vector<uint64_t> consumed;
    const auto consume = [&](uint64_t i, uint64_t) {
      consumed.push_back(i);
      return absl::OkStatus();
    };
    try {
      OrderedParallel<uint64_t>(20, threads, produce, consume).IgnoreError();
      ADD_FAILURE() << threads;
    } catch (const std::out_of_range& error) {
      EXPECT_STREQ(error.what(), "number 5");
    }
    EXPECT_EQ(consumed, UpTo(5));
  }
}

TEST(OrderedParallelTest, AConsumerWithoutMemoryLeavesNoThread) {
  EXPECT_THROW(OrderedParallel<uint64_t>(
                   20, 4, [](uint64_t i) -> absl::StatusOr<uint64_t> { return i; },
                   [](uint64_t i, uint64_t) -> absl::Status {
                     if (i == 3) throw std::bad_alloc();
                     return absl::OkStatus();
                   })
                   .IgnoreError(),
               std::bad_alloc);
}

// In a process of its own, whose user may have no more threads. Root may always.
TEST(OrderedParallelTest, WithoutThreadsTheCallerDoesTheWork) {
  const pid_t child = fork();
  if (child == 0) {
    const struct rlimit none = {1, 1};
    if (setrlimit(RLIMIT_NPROC, &none) != 0 || (getuid() == 0 && setuid(65534) != 0)) _exit(3);
    try {
      std::thread([] {}).join();
      _exit(4);  // The limit does not count here.
    } catch (const std::system_error&) {
    }
    uint64_t sum = 0;
    const absl::Status status = OrderedParallel<uint64_t>(
        10, 4, [](uint64_t i) -> absl::StatusOr<uint64_t> { return i; },
        [&](uint64_t, uint64_t i) {
          sum += i;
          return absl::OkStatus();
        });
    _exit(status.ok() && sum == 45 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  if (WEXITSTATUS(status) == 4) GTEST_SKIP() << "this system does not limit the threads of a user";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace modelvault
