// The sender's end of the line that a patch comes over (firmware_riscv/update/patch_line.h).
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_PATCH_SENDER_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_PATCH_SENDER_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace modelvault {

class PatchSender {
 public:
  explicit PatchSender(std::string patch) : patch_(std::move(patch)) {}

  // What is sent after the board has printed this line, without its end: the frame that it asks for, or nothing.
  std::string Answer(absl::string_view line);

  uint64_t frames_sent() const { return frames_sent_; }

 private:
  const std::string patch_;
  uint64_t frames_sent_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_PATCH_SENDER_H_
