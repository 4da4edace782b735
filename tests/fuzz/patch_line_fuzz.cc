// Feeds what a board hears on the line that a patch comes over. The first byte says how: bit 0, after the checksums of
// what begins as a frame does were made right. Then the power goes, and the rest is heard again from the front.
// Whatever comes, only the patch's region is written, and a patch that is complete can be read, its header as it came.
#include <cstdint>
#include <vector>

#include "codec/core/xxh64.h"
#include "firmware_riscv/update/patch_line.h"
#include "tests/fuzz/flash_memory.h"

namespace modelvault {
namespace {

constexpr uint32_t kSector = 4 * kStagePlace;

// Thrown where nothing more comes.
struct LineEnds {};

struct Heard {
  const std::vector<uint8_t>& bytes;
  size_t at = 0;
};

void Repair(std::vector<uint8_t>* bytes) {
  for (size_t at = 0; at + kLineHeadSize <= bytes->size(); ++at) {
    uint8_t* const frame = bytes->data() + at;
    if (LoadLe32(frame) != kLineMagic) continue;
    const size_t size = kLineHeadSize + size_t{LoadLe32(frame + 8)};
    if (size > kLineHeadSize + kStageFrame || size + kLineChecksumSize > bytes->size() - at) continue;
    uint8_t* const patch = frame + kLineHeadSize;
    if (size >= kLineHeadSize + kPatchHeaderSize && LoadLe32(frame + 4) == 0) {
      StoreLe64(patch + kPatchChecksumOffset, Xxh64::Of({patch, kPatchChecksumOffset}));
    }
    StoreLe64(frame + size, Xxh64::Of({frame, size}));
    at += size + kLineChecksumSize - 1;
  }
}

void Receive(const mv_region& region, const std::vector<uint8_t>& bytes) {
  PatchStage stage(&region);
  Require(stage.Open(false) == MV_OK);
  Heard heard = {bytes};
  const PatchLine line = {[](void* self) {
                            Heard* const its = static_cast<Heard*>(self);
                            if (its->at == its->bytes.size()) throw LineEnds();
                            return its->bytes[its->at++];
                          },
                          [](void*, uint32_t) {}, &heard};
  uint8_t buffer[kLineFrameRoom];
  mv_error error = MV_READ_FAILED;
  try {
    error = ReceivePatch(line, 0, {buffer, sizeof(buffer)}, &stage);
  } catch (const LineEnds&) {
  }
  if (error != MV_OK) return;
  Require(stage.complete());
  const PatchSource source = stage.Source();
  std::vector<uint8_t> patch(kPatchHeaderSize);
  Require(source.read(source.context, 0, patch.data(), kPatchHeaderSize) == MV_OK);
  Require(LoadLe64(patch.data() + kPatchChecksumOffset) == stage.patch());
  patch.resize(kPatchHeaderSize + LoadLe32(patch.data() + kPatchBodySizeOffset));
  Require(source.read(source.context, 0, patch.data(), static_cast<uint32_t>(patch.size())) == MV_OK);
}

void Fuzz(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data + 1, data + size);
  if ((data[0] & 1) != 0) Repair(&bytes);
  FlashMemory flash = {kSector, std::vector<uint8_t>(3 * kSector, 0xFF)};
  const mv_region region = flash.Region();
  Receive(region, bytes);
  Receive(region, bytes);
}

}  // namespace
}  // namespace modelvault

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) modelvault::Fuzz(data, size);
  return 0;
}
