#ifndef MODELVAULT_TOOLS_DEMO_PARALLEL_H_
#define MODELVAULT_TOOLS_DEMO_PARALLEL_H_

#include <stddef.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace modelvault::demo {

// Calls work(0) to work(count - 1), each once, on up to `threads` threads, and returns when all are done. The calls
// must not depend on one another. With one thread everything runs on the caller's. Threads that the system refuses, or
// that get no memory for a call, are done without; the call is repeated and must come to the same. Only the caller's
// std::bad_alloc is thrown.
template <typename Work>
void ParallelFor(size_t count, size_t threads, const Work& work) {
  std::atomic<size_t> next{0};
  std::vector<size_t> left(std::max<size_t>(threads, 1), count);  // What a thread could not do; `count`: nothing.
  const auto take_turns = [&](size_t thread) {
    size_t i = next++;
    try {
      for (; i < count; i = next++) work(i);
    } catch (const std::bad_alloc&) {
      left[thread] = i;
    }
  };
  std::vector<std::thread> others;
  try {
    others.reserve(threads);
    for (size_t t = 1; t < std::min(threads, count); ++t) others.emplace_back(take_turns, t);
  } catch (const std::system_error&) {
    // The system gives no more threads: those there are do it all.
  } catch (const std::bad_alloc&) {
  }
  take_turns(0);
  for (std::thread& other : others) other.join();
  for (size_t i : left) {
    if (i < count) work(i);
  }
  for (size_t i = next++; i < count; i = next++) work(i);
}

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_PARALLEL_H_
