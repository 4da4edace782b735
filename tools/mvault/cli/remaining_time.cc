#include "tools/mvault/cli/remaining_time.h"

#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace modelvault {
namespace {

double SteadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

RemainingTime::RemainingTime(std::function<double()> seconds)
    : seconds_(seconds ? std::move(seconds) : SteadySeconds) {}

std::string RemainingTime::Label(absl::string_view stage, uint64_t done, uint64_t total) {
  const double now = seconds_();
  if (stage != absl::string_view(stage_) || done < began_at_) {
    stage_ = std::string(stage);
    began_ = now;
    began_at_ = done;
  }
  if (done <= began_at_ || done >= total) return stage_;
  const double left = (now - began_) / static_cast<double>(done - began_at_) * static_cast<double>(total - done);
  const long seconds = std::lround(left);
  return absl::StrCat(stage_, absl::StrFormat(", %d:%02d left,", seconds / 60, seconds % 60));
}

}  // namespace modelvault
