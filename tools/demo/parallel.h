#ifndef MODELVAULT_TOOLS_DEMO_PARALLEL_H_
#define MODELVAULT_TOOLS_DEMO_PARALLEL_H_

#include <stddef.h>

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace modelvault::demo {

// Calls work(0) to work(count - 1), each once, on up to `threads` threads, and returns when all are done. The calls
// must neither throw nor depend on one another. With one thread everything runs on the caller's.
template <typename Work>
void ParallelFor(size_t count, size_t threads, const Work& work) {
  std::atomic<size_t> next{0};
  const auto take_turns = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::thread> others;
  try {
    for (size_t t = 1; t < std::min(threads, count); ++t) others.emplace_back(take_turns);
  } catch (const std::system_error&) {
    // The system gives no more threads: those there are do it all.
  }
  take_turns();
  for (std::thread& other : others) other.join();
}

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_PARALLEL_H_
