// How long a stage will still take, for the line of progress.
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
  // `seconds` is a clock that never goes back; by default the machine's.
  explicit RemainingTime(std::function<double()> seconds = nullptr);

  // "fit 3, 1:20 left,": the stage, and from its second report on what the rest takes at the pace so far.
  std::string Label(absl::string_view stage, uint64_t done, uint64_t total);

 private:
  std::function<double()> seconds_;
  std::string stage_;
  double began_ = 0;
  uint64_t began_at_ = 0;  // `done` then.
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_REMAINING_TIME_H_
