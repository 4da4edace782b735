#include "tools/mvault/cli/progress.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace modelvault {
namespace {

constexpr char kEraseLine[] = "\r\x1b[K";

}  // namespace

Progress::Progress(FILE* stream) : stream_(stream), enabled_(isatty(fileno(stream)) != 0) {}

void Progress::Update(absl::string_view stage, uint64_t done, uint64_t total) {
  if (!enabled_ || total == 0) return;
  const double share = static_cast<double>(std::min(done, total)) / static_cast<double>(total);
  std::string line = absl::StrCat(stage, " ", static_cast<int>(100 * share), " %");
  if (line == shown_) return;
  shown_ = std::move(line);
  fputs((kEraseLine + shown_).c_str(), stream_);
  fflush(stream_);
}

void Progress::Clear() {
  if (shown_.empty()) return;
  shown_.clear();
  fputs(kEraseLine, stream_);
  fflush(stream_);
}

}  // namespace modelvault
