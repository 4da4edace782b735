#include "firmware_riscv/app/straps.h"

namespace modelvault {
namespace {

constexpr size_t kCommandOffset = 4;
constexpr size_t kTileSizeOffset = 8;
constexpr size_t kReservedOffset = 12;
constexpr size_t kNameOffset = 16;

}  // namespace

bool ReadStraps(ByteView block, Straps* straps) {
  *straps = Straps();
  if (block.size != kStrapSize || LoadLe32(block.data) != kStrapMagic) return true;
  const uint32_t command = LoadLe32(block.data + kCommandOffset);
  if (command >= kStrapCommandCount || LoadLe32(block.data + kReservedOffset) != 0) return false;
  straps->command = static_cast<StrapCommand>(command);
  straps->tile_size = LoadLe32(block.data + kTileSizeOffset);
  straps->name = reinterpret_cast<const char*>(block.data + kNameOffset);
  while (straps->name_size < kStrapSize - kNameOffset && straps->name[straps->name_size] != '\0') ++straps->name_size;
  return true;
}

}  // namespace modelvault
