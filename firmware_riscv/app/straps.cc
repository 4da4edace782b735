#include "firmware_riscv/app/straps.h"

namespace modelvault {
namespace {

bool ReadAnswer(ByteView block, AnswerStraps* answer) {
  if (block.size < kAnswerStrapSize) return false;
  const uint32_t flags = LoadLe32(block.data + kStrapFlagsOffset);
  const uint32_t prompt_size = LoadLe32(block.data + kStrapPromptSizeOffset);
  if ((flags & ~kStrapPassEnds) != 0 || prompt_size > kStrapPromptRoom ||
      LoadLe32(block.data + kStrapPromptReservedOffset) != 0) {
    return false;
  }
  answer->tokens = LoadLe32(block.data + kStrapTokensOffset);
  answer->pass_ends = flags != 0;
  answer->top_k = LoadLe32(block.data + kStrapTopKOffset);
  answer->temperature = LoadLe32(block.data + kStrapTemperatureOffset);
  answer->seed = LoadLe64(block.data + kStrapSeedOffset);
  answer->prompt = block.Sub(kStrapPromptOffset, prompt_size);
  return true;
}

}  // namespace

bool ReadStraps(ByteView block, Straps* straps) {
  *straps = Straps();
  if (block.size < kStrapSize || LoadLe32(block.data) != kStrapMagic) return true;
  const uint32_t command = LoadLe32(block.data + kStrapCommandOffset);
  if (command >= kStrapCommandCount || LoadLe32(block.data + kStrapReservedOffset) != 0) return false;
  straps->command = static_cast<StrapCommand>(command);
  straps->tile_size = LoadLe32(block.data + kStrapTileSizeOffset);
  straps->name = reinterpret_cast<const char*>(block.data + kStrapNameOffset);
  while (straps->name_size < kStrapNameRoom && straps->name[straps->name_size] != '\0') ++straps->name_size;
  return straps->command != StrapCommand::kAnswer || ReadAnswer(block, &straps->answer);
}

}  // namespace modelvault
