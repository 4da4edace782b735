// How long to sleep between two looks at a link that has no way to wake its reader.
#ifndef MODELVAULT_TOOLS_RANKS_POLL_PAUSE_H_
#define MODELVAULT_TOOLS_RANKS_POLL_PAUSE_H_

#include <algorithm>
#include <chrono>

namespace modelvault {

// Short after a letter, for others follow; longer the longer none comes, so that a rank that waits takes no processor
// from those that work.
class PollPause {
 public:
  void Reset() { pause_ = kShortest; }
  std::chrono::microseconds Next() {
    const std::chrono::microseconds pause = pause_;
    pause_ = std::min(2 * pause_, kLongest);
    return pause;
  }

 private:
  static constexpr std::chrono::microseconds kShortest{20};
  static constexpr std::chrono::microseconds kLongest{2000};
  std::chrono::microseconds pause_ = kShortest;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_RANKS_POLL_PAUSE_H_
