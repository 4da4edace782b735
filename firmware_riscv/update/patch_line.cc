#include "firmware_riscv/update/patch_line.h"

#include "codec/core/xxh64.h"

namespace modelvault {
namespace {

// The next frame's bytes, which begin behind its head; false: what came is none.
bool ReceiveFrame(const PatchLine& line, ByteSpan buffer, uint32_t* index, ByteView* frame) {
  uint8_t* const bytes = buffer.data;
  uint32_t magic = 0;
  while (magic != kLineMagic) magic = magic >> 8 | static_cast<uint32_t>(line.read(line.context)) << 24;
  StoreLe32(bytes, magic);
  for (uint32_t i = sizeof(magic); i < kLineHeadSize; ++i) bytes[i] = line.read(line.context);
  *index = LoadLe32(bytes + 4);
  const uint32_t size = LoadLe32(bytes + 8);
  if (size == 0 || size > kStageFrame) return false;
  const uint32_t end = kLineHeadSize + size;
  for (uint32_t i = kLineHeadSize; i < end + kLineChecksumSize; ++i) bytes[i] = line.read(line.context);
  *frame = {bytes + kLineHeadSize, size};
  return LoadLe64(bytes + end) == Xxh64::Of({bytes, end});
}

}  // namespace

mv_error ReceivePatch(const PatchLine& line, uint64_t wanted, ByteSpan buffer, PatchStage* stage) {
  if (buffer.size < kLineFrameRoom) return MV_WORKSPACE_TOO_SMALL;
  // Frame 0 comes always: it says which patch the sender has.
  uint32_t asked = 0;
  bool known = false;
  for (unsigned bad = 0; bad < kMostBadFrames;) {
    line.ask(line.context, asked);
    uint32_t index = 0;
    ByteView frame;
    if (!ReceiveFrame(line, buffer, &index, &frame) || index != asked) {
      ++bad;
      continue;
    }
    bad = 0;
    const bool other = !known && wanted != 0 &&
                       (frame.size < kPatchHeaderSize || LoadLe64(frame.data + kPatchChecksumOffset) != wanted);
    if (other) return MV_OTHER_VAULT;
    known = true;
    const mv_error error = stage->Add(index, frame);
    if (error != MV_OK) return error;
    if (stage->complete()) return MV_OK;
    asked = stage->next();
    known = asked != 0;
  }
  return MV_READ_FAILED;
}

}  // namespace modelvault
