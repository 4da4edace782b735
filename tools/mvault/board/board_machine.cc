#include "tools/mvault/board/board_machine.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace modelvault {

std::string MakeStraps(StrapCommand command, absl::string_view name, uint32_t tile_size) {
  std::string block(kStrapSize, '\0');
  uint8_t* const bytes = reinterpret_cast<uint8_t*>(block.data());
  StoreLe32(bytes, kStrapMagic);
  StoreLe32(bytes + kStrapCommandOffset, static_cast<uint32_t>(command));
  StoreLe32(bytes + kStrapTileSizeOffset, tile_size);
  memcpy(bytes + kStrapNameOffset, name.data(), std::min(name.size(), kStrapNameRoom));
  return block;
}

std::string MakeAnswerStraps(absl::string_view name, const AnswerStraps& answer, uint32_t tile_size) {
  std::string block = MakeStraps(StrapCommand::kAnswer, name, tile_size);
  block.resize(kAnswerStrapSize, '\0');
  uint8_t* const bytes = reinterpret_cast<uint8_t*>(block.data());
  StoreLe32(bytes + kStrapTokensOffset, answer.tokens);
  StoreLe32(bytes + kStrapFlagsOffset, answer.pass_ends ? kStrapPassEnds : 0);
  StoreLe32(bytes + kStrapTopKOffset, answer.top_k);
  StoreLe32(bytes + kStrapTemperatureOffset, answer.temperature);
  StoreLe64(bytes + kStrapSeedOffset, answer.seed);
  const size_t prompt_size = std::min(answer.prompt.size, kStrapPromptRoom);
  StoreLe32(bytes + kStrapPromptSizeOffset, static_cast<uint32_t>(prompt_size));
  std::copy_n(answer.prompt.data, prompt_size, bytes + kStrapPromptOffset);
  return block;
}

std::string MakeUpdateStraps(bool one_slot, bool over_line) {
  std::string block = MakeStraps(StrapCommand::kUpdate);
  block.resize(kUpdateStrapSize, '\0');
  const uint32_t flags = (one_slot ? kStrapOneSlot : 0) | (over_line ? kStrapOverLine : 0);
  StoreLe32(reinterpret_cast<uint8_t*>(block.data()) + kStrapUpdateFlagsOffset, flags);
  return block;
}

std::string WithTrust(std::string straps, const TrustStraps& trust) {
  straps.resize(kAllStrapsSize, '\0');
  uint8_t* const all = reinterpret_cast<uint8_t*>(straps.data());
  uint8_t* const its = all + kTrustStrapOffset;
  StoreLe32(its, kTrustStrapMagic);
  StoreLe64(its + kTrustVersionOffset, trust.least_version);
  StoreLe64(its + kTrustNowOffset, trust.now);
  StoreLe64(its + kTrustRevocationOffset, trust.least_revocation);
  std::copy(trust.key_set.begin(), trust.key_set.end(), its + kTrustKeySetOffset);
  std::copy(trust.device_key.begin(), trust.device_key.end(), its + kTrustDeviceKeyOffset);
  std::fill_n(all + kRevocationStrapOffset, kRevocationStrapSize, uint8_t{0xFF});
  std::copy_n(trust.revocations.begin(), std::min(trust.revocations.size(), kRevocationStrapSize),
              all + kRevocationStrapOffset);
  return straps;
}

std::vector<std::string> EmulatorArguments(const BoardImages& images, const std::string& plugin) {
  std::vector<std::string> arguments = {
#include "firmware_riscv/virt_rv32/qemu_arguments.inc"
  };
  const std::string vault =
      absl::StrCat(images.vault_read_only ? "readonly=on," : "", "file=", EscapedForEmulator(images.vault));
  for (std::string& argument : arguments) {
    argument = absl::StrReplaceAll(
        argument, {{"file=CODE", absl::StrCat("file=", EscapedForEmulator(images.code))}, {"file=VAULT", vault}});
  }
  if (!plugin.empty()) arguments.insert(arguments.end(), {"-plugin", plugin});
  return arguments;
}

std::string EscapedForEmulator(absl::string_view path) { return absl::StrReplaceAll(path, {{",", ",,"}}); }

}  // namespace modelvault
