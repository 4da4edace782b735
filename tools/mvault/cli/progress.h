// One line on a terminal that says how far a command has come, and is gone when it is done.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_PROGRESS_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_PROGRESS_H_

#include <stdio.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "codec/progress_function.h"

namespace modelvault {

// Not thread-safe. Writes nothing at all unless `stream` is a terminal.
class Progress {
 public:
  // `stream` must outlive it.
  explicit Progress(FILE* stream);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows `done` of `total` of a stage ("verify"), in percent; cheap where that has not changed.
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
  std::string shown_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_PROGRESS_H_
