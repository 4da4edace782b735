#include "tools/mvault/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace modelvault {
namespace {

constexpr char kEraseLine[] = "\r\x1b[K";

}  // namespace

Progress::Progress(FILE* stream, std::function<double()> seconds)
    : stream_(stream), enabled_(isatty(fileno(stream)) != 0), time_(std::move(seconds)) {}

void Progress::Update(absl::string_view stage, uint64_t done, uint64_t total) {
  if (!enabled_ || total == 0) return;
  const double share = static_cast<double>(std::min(done, total)) / static_cast<double>(total);
  std::string percent = absl::StrCat(stage, " ", static_cast<int>(100 * share), " %");
  const double now = time_.Now();
  if (percent == percent_ && now < shown_at_ + 1) return;
  std::string line = absl::StrCat(percent, time_.Tail(stage, done, total));
  percent_ = std::move(percent);
  shown_at_ = now;
  if (line == shown_) return;
  shown_ = std::move(line);
  fputs((kEraseLine + shown_).c_str(), stream_);
  fflush(stream_);
}

void Progress::Clear() {
  percent_.clear();
  if (shown_.empty()) return;
  shown_.clear();
  fputs(kEraseLine, stream_);
  fflush(stream_);
}

}  // namespace modelvault
