#include "tools/mvault/board/patch_sender.h"

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "codec/core/xxh64.h"
#include "firmware_riscv/update/patch_line.h"

namespace modelvault {

std::string PatchSender::Answer(absl::string_view line) {
  uint32_t index = 0;
  if (!absl::ConsumePrefix(&line, "frame ") || !absl::SimpleAtoi(line, &index)) return "";
  const uint64_t begin = uint64_t{index} * kStageFrame;
  if (begin >= patch_.size()) return "";
  const std::string frame = patch_.substr(begin, kStageFrame);
  std::string bytes(kLineHeadSize, '\0');
  uint8_t* const head = reinterpret_cast<uint8_t*>(bytes.data());
  StoreLe32(head, kLineMagic);
  StoreLe32(head + 4, index);
  StoreLe32(head + 8, static_cast<uint32_t>(frame.size()));
  bytes += frame;
  uint8_t checksum[kLineChecksumSize];
  StoreLe64(checksum, Xxh64::Of({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
  bytes.append(reinterpret_cast<const char*>(checksum), sizeof(checksum));
  ++frames_sent_;
  return bytes;
}

}  // namespace modelvault
