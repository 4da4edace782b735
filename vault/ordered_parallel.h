// Work on several threads whose results are wanted in order.
#ifndef MODELVAULT_VAULT_ORDERED_PARALLEL_H_
#define MODELVAULT_VAULT_ORDERED_PARALLEL_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace modelvault {

// Threads to use when asked for `threads`: 0 means one a core.
inline int ThreadCount(int threads) {
  if (threads > 0) return threads;
  const unsigned cores = std::thread::hardware_concurrency();
  return cores > 0 ? static_cast<int>(cores) : 1;
}

// Calls produce(i) for i = 0 … count-1 on `threads` threads (1: on this one) and consume(i, result) in that order on
// this one. At most threads + 1 results exist at a time. The first error, in order, ends it and is returned; everything
// else is then dropped. produce must be thread-safe.
template <typename T>
absl::Status OrderedParallel(uint64_t count, int threads, const std::function<absl::StatusOr<T>(uint64_t)>& produce,
                             const std::function<absl::Status(uint64_t, T)>& consume) {
  if (threads <= 1 || count <= 1) {
    for (uint64_t i = 0; i < count; ++i) {
      absl::StatusOr<T> result = produce(i);
      if (!result.ok()) return result.status();
      if (absl::Status status = consume(i, *std::move(result)); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::map<uint64_t, absl::StatusOr<T>> results;  // Guarded by mutex, as all of these.
  uint64_t next = 0;                              // To be produced.
  uint64_t consumed = 0;
  bool stop = false;
  const uint64_t window = static_cast<uint64_t>(threads) + 1;
  auto work = [&] {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stop || next == count || next < consumed + window; });
      if (stop || next == count) return;
      const uint64_t i = next++;
      lock.unlock();
      absl::StatusOr<T> result = produce(i);
      lock.lock();
      results.emplace(i, std::move(result));
      changed.notify_all();
    }
  };
  std::vector<std::thread> pool;
  for (int t = 0; t < threads; ++t) pool.emplace_back(work);
  absl::Status status;
  for (uint64_t i = 0; i < count && status.ok(); ++i) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return results.count(i) != 0; });
    absl::StatusOr<T> result = std::move(results.extract(i).mapped());
    lock.unlock();
    status = result.ok() ? consume(i, *std::move(result)) : result.status();
    lock.lock();
    consumed = i + 1;
    changed.notify_all();
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    stop = true;
    changed.notify_all();
  }
  for (std::thread& thread : pool) thread.join();
  return status;
}

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_ORDERED_PARALLEL_H_
