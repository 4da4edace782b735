// The cryptographic functions that the core calls and a library supplies: on hosts vault/crypto.cc, on the board the
// sources that firmware_riscv/crypto/ builds. A firmware without them has none of this and no null checks either: it
// passes no table, and nothing signed is opened. Core code: C headers only.
#ifndef MODELVAULT_VAULT_CORE_CRYPTO_H_
#define MODELVAULT_VAULT_CORE_CRYPTO_H_

#include <stddef.h>
#include <stdint.h>

namespace modelvault {

inline constexpr size_t kDigestSize = 32;
inline constexpr size_t kPublicKeySize = 32;  // Ed25519 and X25519.
inline constexpr size_t kSignatureSize = 64;
inline constexpr size_t kSecretKeySize = 32;  // Of ChaCha20-Poly1305, of X25519, of keyed BLAKE2s.
inline constexpr size_t kTagSize = 16;
// Room for a library's state of BLAKE2s.
inline constexpr size_t kHashStateSize = 256;

struct alignas(8) HashState {
  uint8_t bytes[kHashStateSize];
};

struct Crypto {
  // BLAKE2s with 32 bytes of digest (RFC 7693), of as many bytes as come; `key` is null or has kSecretKeySize bytes.
  void (*hash_begin)(HashState* state, const uint8_t* key);
  void (*hash_add)(HashState* state, const uint8_t* bytes, size_t size);
  void (*hash_end)(HashState* state, uint8_t digest[kDigestSize]);

  // Ed25519 (RFC 8032), which refuses scalars that are not reduced and keys of small order: whether `signature` is the
  // key's on `message`.
  bool (*verify)(const uint8_t signature[kSignatureSize], const uint8_t* message, size_t size,
                 const uint8_t key[kPublicKeySize]);

  // X25519 (RFC 7748). False for a public key of small order.
  bool (*agree)(uint8_t shared[32], const uint8_t secret[kSecretKeySize], const uint8_t key[kPublicKeySize]);

  // ChaCha20-Poly1305 (RFC 8439) with a nonce of zeros: every key here encrypts one message. Decrypts `size` bytes of
  // `cipher`, which may be `plain` itself, if `tag` (compared in constant time) is theirs and the associated data's;
  // else leaves `plain` alone and returns false.
  bool (*open)(uint8_t* plain, const uint8_t* cipher, size_t size, const uint8_t tag[kTagSize],
               const uint8_t* associated, size_t associated_size, const uint8_t key[kSecretKeySize]);
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_CORE_CRYPTO_H_
