#include "firmware_riscv/app/straps.h"

namespace modelvault {
bool ReadStraps(ByteView block, Straps* straps) {
  *straps = Straps();
  if (block.size != kStrapSize || LoadLe32(block.data) != kStrapMagic) return true;
  const uint32_t command = LoadLe32(block.data + kStrapCommandOffset);
  if (command >= kStrapCommandCount || LoadLe32(block.data + kStrapReservedOffset) != 0) return false;
  straps->command = static_cast<StrapCommand>(command);
  straps->tile_size = LoadLe32(block.data + kStrapTileSizeOffset);
  straps->name = reinterpret_cast<const char*>(block.data + kStrapNameOffset);
  while (straps->name_size < kStrapNameRoom && straps->name[straps->name_size] != '\0') ++straps->name_size;
  return true;
}

}  // namespace modelvault
