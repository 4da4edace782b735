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

bool ReadUpdate(ByteView block, Straps* straps) {
  if (block.size < kUpdateStrapSize) return false;
  const uint32_t flags = LoadLe32(block.data + kStrapUpdateFlagsOffset);
  straps->one_slot = (flags & kStrapOneSlot) != 0;
  straps->over_line = (flags & kStrapOverLine) != 0;
  return (flags & ~(kStrapOneSlot | kStrapOverLine)) == 0;
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
  if (straps->command == StrapCommand::kUpdate) return ReadUpdate(block, straps);
  return straps->command != StrapCommand::kAnswer || ReadAnswer(block, &straps->answer);
}

bool ReadTrust(ByteView block, mv_trust* trust) {
  *trust = mv_trust{};
  const uint8_t* const its = block.data + kTrustStrapOffset;
  if (block.size < kAllStrapsSize || LoadLe32(its) != kTrustStrapMagic) return false;
  trust->key_set = its + kTrustKeySetOffset;
  trust->least_version = LoadLe64(its + kTrustVersionOffset);
  trust->now = LoadLe64(its + kTrustNowOffset);
  trust->least_revocation = LoadLe64(its + kTrustRevocationOffset);
  trust->revocations = block.data + kRevocationStrapOffset;
  trust->revocations_size = kRevocationStrapSize;
  return true;
}

const uint8_t* ReadDeviceKey(ByteView block) {
  mv_trust unused;
  if (!ReadTrust(block, &unused)) return nullptr;
  const uint8_t* const key = block.data + kTrustStrapOffset + kTrustDeviceKeyOffset;
  for (size_t i = 0; i < MV_DEVICE_KEY_SIZE; ++i) {
    if (key[i] != 0) return key;
  }
  return nullptr;
}

}  // namespace modelvault
