// Hashes the first bytes of the vault's flash with the core's XXH64 and prints hash, instructions and stack. The flash
// starts with the number of bytes to hash, u32.
#include "codec/core/xxh64.h"
#include "firmware_riscv/board.h"

int main() {
  using namespace modelvault;
  const ByteView flash = VaultFlash();
  const uint32_t size = LoadLe32(flash.data);
  if (size > flash.size - 4) {
    Print("error=size\n");
    return 1;
  }
  const uint64_t before = InstructionsRetired();
  const uint64_t hash = Xxh64::Of(flash.Sub(4, size));
  const uint64_t after = InstructionsRetired();
  Print("hash=");
  PrintHex(hash);
  Print("\nhash_instructions=");
  PrintNumber(after - before);
  Print("\nstack_bytes=");
  PrintNumber(StackBytesUsed());
  Print("\n");
  return 0;
}
