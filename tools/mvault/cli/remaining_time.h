// How fast a stage goes and how long it will still take, for the line of progress.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_REMAINING_TIME_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_REMAINING_TIME_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace modelvault {

// Not thread-safe.
class RemainingTime {
 public:
  // A stage with so much to do counts bytes: none has as many steps.
  static constexpr uint64_t kLeastBytes = 16 << 20;

  // `seconds` is a clock that never goes back; by default the machine's.
  explicit RemainingTime(std::function<double()> seconds = nullptr);

  double Now() const { return seconds_(); }

  // ", 312.5 MB/s, 1:20 left": what the rest takes at the pace so far, and the rate of stages that count bytes. Empty
  // at the end, and in the first two seconds of a stage, which say little.
  std::string Tail(absl::string_view stage, uint64_t done, uint64_t total);

 private:
  std::function<double()> seconds_;
  std::string stage_;
  double began_ = 0;
  uint64_t began_at_ = 0;  // `done` then.
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_REMAINING_TIME_H_
