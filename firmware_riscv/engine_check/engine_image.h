// What the engine's test program finds in the vault's bank instead of a vault: a network, plain tensors and a prompt.
// Hosts write it (tests/firmware_riscv/infer), the board reads it.
#ifndef MODELVAULT_FIRMWARE_RISCV_ENGINE_CHECK_ENGINE_IMAGE_H_
#define MODELVAULT_FIRMWARE_RISCV_ENGINE_CHECK_ENGINE_IMAGE_H_

#include <stdint.h>

namespace modelvault {

// The image begins with these words, little-endian. `…At` are bytes from its start, multiples of 4.
enum class EngineImageWord : uint32_t {
  kNetworkAt,  // Task, activation bits, buffers, rope pairs, operators, caches, window, sinks, inputs, outputs: a word
               // each; then widths (u16, padded to 4), rope steps, operators as in a NETWORK section.
  kTensorCount,
  kRecordsAt,  // For each tensor: offset in the data, size, rows, cols, dtype.
  kDataAt,
  kDataSize,
  kDeltasAt,  // Bytes of a DeltaList; 0: none.
  kDeltasSize,
  kStartsAt,  // Where each tensor's begin.
  kPromptAt,  // u16 tokens.
  kPromptCount,
  kGenerateCount,  // Tokens that follow, each the best one.
  kWordCount,
};

// What it does, for the cycle plugin: words of kPhaseRegisters.
inline constexpr uint32_t kEngineLoadPhase = 1;      // Parameters.
inline constexpr uint32_t kEnginePromptPhase = 2;    // All of the prompt.
inline constexpr uint32_t kEngineGeneratePhase = 3;  // Every further token but the last.
inline constexpr uint32_t kEngineLastPhase = 4;      // The last one.

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_ENGINE_CHECK_ENGINE_IMAGE_H_
