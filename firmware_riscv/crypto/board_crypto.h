// The cryptographic functions (vault/core/crypto.h) on the board: a block of code in flash that runs from RAM,
// anywhere, since from flash it takes ten times as long. They are needed only until a model is proven, so their room is
// lent: what uses it later, or used it before, shares it. Their stack is there, too: of their caller's they take
// nothing.
#ifndef MODELVAULT_FIRMWARE_RISCV_CRYPTO_BOARD_CRYPTO_H_
#define MODELVAULT_FIRMWARE_RISCV_CRYPTO_BOARD_CRYPTO_H_

#include "codec/core/bytes.h"
#include "vault/core/crypto.h"

namespace modelvault {

// The functions that are wanted. Those of kStreaming, hash_* and open, take a quarter of the room of all; the pointers
// to the others are null.
enum class CryptoSet : uint8_t { kAll, kStreaming };

// Their stack, of which Ed25519 takes 3.4 KB and ChaCha20-Poly1305 0.5 (docs/porting.md).
inline constexpr size_t kCryptoStackSize = 4096;
inline constexpr size_t kStreamingStackSize = 1024;

// How much room they take, code and stack. 0 in a firmware built without their sources.
size_t CryptoRoom(CryptoSet set);

// Copies them into `room`, which begins at a multiple of 16 and has CryptoRoom() bytes or more, of which as many are
// used. Null if there are none in this firmware, or the room does not do. What is returned, and the room, is theirs
// until EndCrypto(). There may be several rooms at a time.
const Crypto* BeginCrypto(CryptoSet set, ByteSpan room);

// Clears what they used of the room: code, and what keys and plain text left on the stack.
void EndCrypto(ByteSpan room);

// The deepest their stack has been since BeginCrypto().
size_t CryptoStackUsed(ByteSpan room);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_CRYPTO_BOARD_CRYPTO_H_
