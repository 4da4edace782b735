// The cryptographic functions alone on the emulated board: runs the cases (crypto_case.h) that lie in the vault's
// place, from a room in RAM, and prints a line for each: accepted or not, the output. Then the bytes of the room, and
// of stack that they took. Then the same of the streaming set, without the cases that are not for it. Exit codes: 0
// done; 1 something failed; 2 a trap; 3 this firmware is without them.
#include "firmware_riscv/crypto/board_crypto.h"
#include "firmware_riscv/crypto_check/crypto_case.h"
#include "firmware_riscv/virt_rv32/bare_board.h"

namespace modelvault {
namespace {

// Phases: 0 for what is between; a case's kind, from here on; before and after all cases, a set from here on.
constexpr uint32_t kFirstCasePhase = 1;
constexpr uint32_t kBeginPhase = 5;
constexpr uint32_t kEndPhase = 7;

void PrintHex(const uint8_t* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    *kUart = static_cast<uint8_t>("0123456789abcdef"[bytes[i] >> 4]);
    *kUart = static_cast<uint8_t>("0123456789abcdef"[bytes[i] & 15]);
  }
}

void PrintNumber(uint32_t value) {
  const uint8_t bytes[] = {static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
                           static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
  PrintHex(bytes, sizeof(bytes));
  *kUart = '\n';
}

bool IsClear(ByteSpan room) {
  for (size_t i = 0; i < room.size; ++i) {
    if (room.data[i] != 0) return false;
  }
  return true;
}

bool IsStreaming(CryptoCaseKind kind) { return kind == CryptoCaseKind::kHash || kind == CryptoCaseKind::kOpen; }

// Runs the cases that the set has functions for, in `room`; `ram` is behind it.
bool RunCases(CryptoSet set, ByteSpan room, ByteSpan ram) {
  BeginPhase(kBeginPhase + static_cast<uint32_t>(set));
  const Crypto* const crypto = BeginCrypto(set, room);
  BeginPhase(0);
  if (crypto == nullptr) return false;
  for (const uint8_t* at = _vault_start; LoadLe32(at) != 0; at += LoadLe32(at)) {
    const CryptoCaseKind kind = static_cast<CryptoCaseKind>(LoadLe32(at + 4));
    if (set == CryptoSet::kStreaming && !IsStreaming(kind)) continue;
    if (LoadLe32(at + 12) > ram.size) return false;
    const CryptoResult result = RunCryptoCase(
        *crypto, at, ram.data, [](CryptoCaseKind its) { BeginPhase(kFirstCasePhase + static_cast<uint32_t>(its)); },
        [] { BeginPhase(0); });
    *kUart = result.accepted ? '1' : '0';
    *kUart = ' ';
    PrintHex(result.output, sizeof(result.output));
    *kUart = '\n';
  }
  PrintNumber(static_cast<uint32_t>(room.size));
  PrintNumber(static_cast<uint32_t>(CryptoStackUsed(room)));
  BeginPhase(kEndPhase + static_cast<uint32_t>(set));
  EndCrypto(room);
  BeginPhase(0);
  return IsClear(room);
}

int Check() {
  // Not where it was linked to.
  uint8_t* const place = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(_arena_start) + 15) / 16 * 16 + 112);
  const size_t size = CryptoRoom(CryptoSet::kAll);
  if (size == 0) return BeginCrypto(CryptoSet::kAll, {place, 4096}) == nullptr ? 3 : 1;
  if (BeginCrypto(CryptoSet::kAll, {place, size - 1}) != nullptr) return 1;
  if (BeginCrypto(CryptoSet::kAll, {place + 4, size + 16}) != nullptr) return 1;
  const ByteSpan ram = {place + size, static_cast<size_t>(_arena_end - (place + size))};
  if (!RunCases(CryptoSet::kAll, {place, size}, ram)) return 1;
  return RunCases(CryptoSet::kStreaming, {place + 48, CryptoRoom(CryptoSet::kStreaming)}, ram) ? 0 : 1;
}

}  // namespace
}  // namespace modelvault

void Exit(int code) { modelvault::EndEmulator(code); }

void ReportTrap(uint32_t, uint32_t, uint32_t) { Exit(2); }

int main() { return modelvault::Check(); }
