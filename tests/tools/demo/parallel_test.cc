#include "tools/demo/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

namespace modelvault::demo {
namespace {

TEST(ParallelForTest, CallsEachOnce) {
  for (const size_t threads : {0, 1, 3, 9}) {
    for (const size_t count : {0, 1, 2, 50}) {
      std::vector<std::atomic<int>> calls(count);
      ParallelFor(count, threads, [&](size_t i) { ++calls[i]; });
      for (const std::atomic<int>& call : calls) EXPECT_EQ(call, 1);
    }
  }
}

TEST(ParallelForTest, WhatAThreadGetsNoMemoryForOthersDo) {
  const std::thread::id caller = std::this_thread::get_id();
  std::vector<std::atomic<int>> done(50);
  ParallelFor(done.size(), 4, [&](size_t i) {
    if (std::this_thread::get_id() != caller) throw std::bad_alloc();
    ++done[i];
  });
  for (const std::atomic<int>& call : done) EXPECT_EQ(call, 1);
}

TEST(ParallelForTest, WithoutMemoryAnywhereTheCallerHearsOfIt) {
  for (const size_t threads : {1, 4}) {
    EXPECT_THROW(ParallelFor(20, threads, [](size_t) { throw std::bad_alloc(); }), std::bad_alloc);
  }
}

}  // namespace
}  // namespace modelvault::demo
