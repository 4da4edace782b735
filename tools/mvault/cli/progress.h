// One line on a terminal that says how far a command has come, and is gone when it is done.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_PROGRESS_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_PROGRESS_H_

#include <stdio.h>

#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "codec/progress_function.h"
#include "tools/mvault/cli/remaining_time.h"

namespace modelvault {

// Not thread-safe. Writes nothing at all unless `stream` is a terminal.
class Progress {
 public:
  // `stream` must outlive it. `seconds` as RemainingTime's.
  explicit Progress(FILE* stream, std::function<double()> seconds = nullptr);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows `done` of `total` of a stage ("verify"): percent, and of one that takes long its rate and the time left;
  // cheap where the percentage has not changed within a second.
  void Update(absl::string_view stage, uint64_t done, uint64_t total);

  // Update() for libraries; must not outlive this.
  ProgressFunction Function() {
    return [this](absl::string_view stage, uint64_t done, uint64_t total) { Update(stage, done, total); };
  }

  // Erases the line. To be called before anything else is written to the terminal.
  void Clear();

 private:
  FILE* const stream_;
  const bool enabled_;
  RemainingTime time_;
  double shown_at_ = 0;
  std::string percent_;  // As shown, with the stage.
  std::string shown_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_PROGRESS_H_
