#include "tools/mvault/cli/remaining_time.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace modelvault {
namespace {

constexpr double kLeastSeconds = 2;

double SteadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

RemainingTime::RemainingTime(std::function<double()> seconds)
    : seconds_(seconds ? std::move(seconds) : SteadySeconds) {}

std::string RemainingTime::Tail(absl::string_view stage, uint64_t done, uint64_t total) {
  const double now = seconds_();
  if (stage != absl::string_view(stage_) || done < began_at_) {
    stage_ = std::string(stage);
    began_ = now;
    began_at_ = done;
  }
  const double passed = now - began_;
  if (done <= began_at_ || done >= total || passed < kLeastSeconds) return "";
  const double rate = static_cast<double>(done - began_at_) / passed;
  const double left = std::round(static_cast<double>(total - done) / rate);
  constexpr double kMost = 1000 * 3600;  // Stages that hardly move have no time worth reading.
  const long seconds = std::lround(std::min(left, kMost));
  const std::string time = seconds < 3600
                               ? absl::StrFormat("%d:%02d", seconds / 60, seconds % 60)
                               : absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
  return absl::StrCat(total >= kLeastBytes ? absl::StrFormat(", %.1f MB/s", rate / 1e6) : "", ", ", time, " left");
}

}  // namespace modelvault
