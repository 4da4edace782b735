// Memory that threads lend one another.
#ifndef MODELVAULT_VAULT_SHELF_H_
#define MODELVAULT_VAULT_SHELF_H_

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace modelvault {

// Things that are not in use, to be taken by whoever needs one: as many are made as are in use at once. Thread-safe.
template <typename T>
class Shelf {
 public:
  explicit Shelf(std::function<std::unique_ptr<T>()> make = [] { return std::make_unique<T>(); })
      : make_(std::move(make)) {}

  std::unique_ptr<T> Take() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!free_.empty()) {
        std::unique_ptr<T> taken = std::move(free_.back());
        free_.pop_back();
        return taken;
      }
    }
    return make_();
  }

  void Give(std::unique_ptr<T> thing) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(std::move(thing));
  }

 private:
  const std::function<std::unique_ptr<T>()> make_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> free_;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_SHELF_H_
