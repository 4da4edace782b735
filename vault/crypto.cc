#include "vault/crypto.h"

#include <blake2.h>
#include <sodium.h>

#include <cstring>

namespace modelvault {
namespace {

static_assert(sizeof(blake2s_state) <= sizeof(HashState) && alignof(blake2s_state) <= alignof(HashState));
static_assert(kDigestSize == BLAKE2S_OUTBYTES && kSecretKeySize == BLAKE2S_KEYBYTES);
static_assert(kSignatureSize == crypto_sign_ed25519_BYTES && kPublicKeySize == crypto_sign_ed25519_PUBLICKEYBYTES);
static_assert(kSecretKeySize == crypto_scalarmult_curve25519_SCALARBYTES &&
              kPublicKeySize == crypto_scalarmult_curve25519_BYTES);
static_assert(kSecretKeySize == crypto_aead_chacha20poly1305_ietf_KEYBYTES &&
              kTagSize == crypto_aead_chacha20poly1305_ietf_ABYTES);

blake2s_state* StateOf(HashState* state) { return reinterpret_cast<blake2s_state*>(state->bytes); }

void HashBegin(HashState* state, const uint8_t* key) {
  if (key == nullptr) {
    blake2s_init(StateOf(state), kDigestSize);
  } else {
    blake2s_init_key(StateOf(state), kDigestSize, key, kSecretKeySize);
  }
}

void HashAdd(HashState* state, const uint8_t* bytes, size_t size) { blake2s_update(StateOf(state), bytes, size); }

void HashEnd(HashState* state, uint8_t digest[kDigestSize]) { blake2s_final(StateOf(state), digest, kDigestSize); }

bool Verify(const uint8_t signature[kSignatureSize], const uint8_t* message, size_t size,
            const uint8_t key[kPublicKeySize]) {
  return crypto_sign_ed25519_verify_detached(signature, message, size, key) == 0;
}

bool Agree(uint8_t shared[32], const uint8_t secret[kSecretKeySize], const uint8_t key[kPublicKeySize]) {
  return crypto_scalarmult_curve25519(shared, secret, key) == 0;
}

bool Open(uint8_t* plain, const uint8_t* cipher, size_t size, const uint8_t tag[kTagSize], const uint8_t* associated,
          size_t associated_size, const uint8_t key[kSecretKeySize]) {
  static constexpr uint8_t kNonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {};
  // With room for plain text libsodium would clear that after a wrong tag.
  if (crypto_aead_chacha20poly1305_ietf_decrypt_detached(nullptr, nullptr, cipher, size, tag, associated,
                                                         associated_size, kNonce, key) != 0) {
    return false;
  }
  // Block 0 is the tag's key.
  crypto_stream_chacha20_ietf_xor_ic(plain, cipher, size, kNonce, 1, key);
  return true;
}

}  // namespace

const Crypto& HostCrypto() {
  static constexpr Crypto kCrypto = {HashBegin, HashAdd, HashEnd, Verify, Agree, Open};
  // Chooses the fastest of its implementations, all of which work without.
  static const int chosen = sodium_init();
  static_cast<void>(chosen);
  return kCrypto;
}

}  // namespace modelvault
