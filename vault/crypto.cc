#include "vault/crypto.h"

#include <blake2.h>
#include <sodium.h>

#include <cstring>

namespace modelvault {
namespace {

// A state of the library's own in the room that the core gives, which need not suit it.
static_assert(sizeof(blake2s_state) <= kHashStateSize);

blake2s_state Load(const HashState& state) {
  blake2s_state loaded;
  std::memcpy(&loaded, state.bytes, sizeof(loaded));
  return loaded;
}

void Store(const blake2s_state& from, HashState* state) { std::memcpy(state->bytes, &from, sizeof(from)); }

void HashBegin(HashState* state, const uint8_t* key) {
  blake2s_state hash;
  if (key == nullptr) {
    blake2s_init(&hash, kDigestSize);
  } else {
    blake2s_init_key(&hash, kDigestSize, key, kSecretKeySize);
  }
  Store(hash, state);
}

void HashAdd(HashState* state, const uint8_t* bytes, size_t size) {
  if (size == 0) return;
  blake2s_state hash = Load(*state);
  blake2s_update(&hash, bytes, size);
  Store(hash, state);
}

void HashEnd(HashState* state, uint8_t digest[kDigestSize]) {
  blake2s_state hash = Load(*state);
  blake2s_final(&hash, digest, kDigestSize);
}

bool Verify(const uint8_t signature[kSignatureSize], const uint8_t* message, size_t size,
            const uint8_t key[kPublicKeySize]) {
  return crypto_sign_verify_detached(signature, message, size, key) == 0;
}

bool Agree(uint8_t shared[32], const uint8_t secret[kSecretKeySize], const uint8_t key[kPublicKeySize]) {
  return crypto_scalarmult(shared, secret, key) == 0;
}

bool Open(uint8_t* plain, const uint8_t* cipher, size_t size, const uint8_t tag[kTagSize], const uint8_t* associated,
          size_t associated_size, const uint8_t key[kSecretKeySize]) {
  const uint8_t nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES] = {};
  return crypto_aead_chacha20poly1305_ietf_decrypt_detached(plain, nullptr, cipher, size, tag, associated,
                                                            associated_size, nonce, key) == 0;
}

}  // namespace

const Crypto& HostCrypto() {
  // Chooses the fastest code; what it chooses from is right without it.
  static const int initialised = sodium_init();
  (void)initialised;
  static constexpr Crypto kCrypto = {HashBegin, HashAdd, HashEnd, Verify, Agree, Open};
  return kCrypto;
}

}  // namespace modelvault
