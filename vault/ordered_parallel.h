// Work on several threads whose results are wanted in order.
#ifndef MODELVAULT_VAULT_ORDERED_PARALLEL_H_
#define MODELVAULT_VAULT_ORDERED_PARALLEL_H_

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <new>
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

namespace internal {

// Threads that are told to stop and waited for, whatever way the scope ends.
class WorkerPool {
 public:
  explicit WorkerPool(std::function<void()> stop) : stop_(std::move(stop)) {}
  ~WorkerPool() {
    stop_();
    for (std::thread& thread : threads_) thread.join();
  }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // As many as the system gives, at most `count`.
  void Start(size_t count, const std::function<void()>& work) {
    try {
      threads_.reserve(count);
      while (threads_.size() < count) threads_.emplace_back(work);
    } catch (const std::exception&) {
      // Too many threads for this user, this container, or what memory is left.
    }
  }
  size_t size() const { return threads_.size(); }

 private:
  const std::function<void()> stop_;
  std::vector<std::thread> threads_;
};

}  // namespace internal

// Calls produce(i) for i = 0 … count-1 on `threads` threads (1: on this one) and consume(i, result) in that order on
// this one. At most threads + 1 results exist at a time. The first error, in order, ends it and is returned; everything
// else is then dropped. produce must be thread-safe and calls for which memory ran out are repeated.
//
// Threads that the system refuses, or that get no memory, are done without, down to this one alone: only memory that
// runs out on it is thrown as std::bad_alloc. Anything else that produce throws is thrown here, in order.
template <typename T>
absl::Status OrderedParallel(uint64_t count, int threads, const std::function<absl::StatusOr<T>(uint64_t)>& produce,
                             const std::function<absl::Status(uint64_t, T)>& consume) {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<uint64_t, absl::StatusOr<T>> results;  // Guarded by mutex, as all of these.
  std::vector<uint64_t> again;                    // Taken, but not produced.
  uint64_t next = 0;                              // To be produced.
  uint64_t consumed = 0;
  size_t given_up = 0;
  std::exception_ptr thrown;  // By produce(thrown_at); there is none of a smaller number.
  uint64_t thrown_at = count;
  bool stop = false;
  size_t most = threads <= 1 ? 0 : static_cast<size_t>(std::min<uint64_t>(threads, count <= 1 ? 0 : count));
  try {
    again.reserve(most);  // A thread without memory could not make room.
  } catch (const std::exception&) {
    most = 0;
  }
  const uint64_t window = most + 1;
  const auto work = [&] {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stop || !again.empty() || (next < count && next < consumed + window); });
      if (stop) return;
      uint64_t i = next;
      if (again.empty()) {
        ++next;
      } else {
        i = again.back();
        again.pop_back();
      }
      lock.unlock();
      try {
        absl::StatusOr<T> result = produce(i);
        lock.lock();
        results.emplace(i, std::move(result));
        changed.notify_all();
        continue;
      } catch (const std::bad_alloc&) {
        if (!lock.owns_lock()) lock.lock();
        again.push_back(i);
      } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        if (i < thrown_at) thrown = std::current_exception();
        thrown_at = std::min(i, thrown_at);
      }
      ++given_up;  // What this thread held may be enough for the others.
      changed.notify_all();
      return;
    }
  };
  internal::WorkerPool pool([&] {
    const std::lock_guard<std::mutex> lock(mutex);
    stop = true;
    changed.notify_all();
  });
  pool.Start(most, work);
  for (uint64_t i = 0; i < count; ++i) {
    absl::StatusOr<T> result = absl::UnknownError("");
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return given_up == pool.size() || i == thrown_at || results.count(i) != 0; });
    if (i == thrown_at) std::rethrow_exception(thrown);
    if (const auto found = results.find(i); found != results.end()) {
      result = std::move(found->second);
      results.erase(found);
      lock.unlock();
    } else {
      lock.unlock();
      result = produce(i);
    }
    if (!result.ok()) return result.status();
    if (absl::Status status = consume(i, *std::move(result)); !status.ok()) return status;
    lock.lock();
    consumed = i + 1;
    changed.notify_all();
  }
  return absl::OkStatus();
}

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_ORDERED_PARALLEL_H_
