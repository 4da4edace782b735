// How work of some length tells its caller how far it is.
#ifndef MODELVAULT_CODEC_PROGRESS_FUNCTION_H_
#define MODELVAULT_CODEC_PROGRESS_FUNCTION_H_

#include <cstdint>
#include <functional>

#include "absl/strings/string_view.h"

namespace modelvault {

// Called now and then, on the thread that called the work, with the name of its present stage and how much of it is
// done and to be done, in a unit of the stage's own. May be empty.
using ProgressFunction = std::function<void(absl::string_view stage, uint64_t done, uint64_t total)>;

// Calls `progress` unless it is empty.
inline void ReportProgress(const ProgressFunction& progress, absl::string_view stage, uint64_t done, uint64_t total) {
  if (progress) progress(stage, done, total);
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_PROGRESS_FUNCTION_H_
