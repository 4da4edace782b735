// How a patch comes over a line, both ways. The board asks, in text lines, for one frame at a time:
//
//   frame N     the sender sends frame N of its patch, kStageFrame bytes from N * kStageFrame on (fewer of the last)
//   frame all   the board has all of it
//
// Each line is "\n" terminated; others are not for the sender. A frame, little-endian:
//
//   offset  size     field
//        0     4     magic 0x5246564D ("MVFR")
//        4     4     index N
//        8     4     size: bytes of the patch, 1 … kStageFrame
//       12     size  the bytes
//      ...     8     XXH64 of all before it
//
// The board first asks for frame 0, which says whose patch it is, and then for those it has not kept (patch_stage.h): a
// transfer that was cut off goes on with the first frame that is missing. It asks again for what came damaged, and
// passes over all that does not begin as a frame does.
#ifndef MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_LINE_H_
#define MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_LINE_H_

#include "firmware_riscv/update/patch_stage.h"

namespace modelvault {

inline constexpr uint32_t kLineMagic = 0x5246564D;
inline constexpr uint32_t kLineHeadSize = 12;
inline constexpr uint32_t kLineChecksumSize = 8;
inline constexpr uint32_t kLineFrameRoom = kLineHeadSize + kStageFrame + kLineChecksumSize;

// So many frames in a row that are not what was asked for are the end.
inline constexpr unsigned kMostBadFrames = 16;

// The board's end of the line.
struct PatchLine {
  uint8_t (*read)(void* context);  // Waits for a byte.
  void (*ask)(void* context, uint32_t index);
  void* context;
};

// Fills `stage`, which is open, over the line. `wanted`: the id of the only patch that is taken; 0: any. `buffer` has
// kLineFrameRoom bytes. MV_READ_FAILED: too many bad frames; MV_OTHER_VAULT: another patch than the one that is wanted;
// or what the stage says.
[[nodiscard]] mv_error ReceivePatch(const PatchLine& line, uint64_t wanted, ByteSpan buffer, PatchStage* stage);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_LINE_H_
