#include "firmware_riscv/crypto/board_crypto.h"
#include "firmware_riscv/crypto/modelvault_crypto.h"

using modelvault::CryptoSet;

size_t mv_crypto_room(void) { return modelvault::CryptoRoom(CryptoSet::kAll); }

const mv_crypto* mv_crypto_begin(void* room, size_t size) {
  return reinterpret_cast<const mv_crypto*>(
      modelvault::BeginCrypto(CryptoSet::kAll, {static_cast<uint8_t*>(room), size}));
}

void mv_crypto_end(void* room) { modelvault::EndCrypto({static_cast<uint8_t*>(room), mv_crypto_room()}); }
