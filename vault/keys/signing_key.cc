#include "vault/keys/signing_key.h"

#include <sodium.h>

#include "vault/hex_text.h"

namespace modelvault {
namespace {

constexpr size_t kShownKey = 8;

// Chooses the library's code for this processor, and opens the random numbers; once is enough.
void StartSodium() {
  static const bool started = sodium_init() >= 0;
  static_cast<void>(started);
}

}  // namespace

SecretBytes MakeSecretKey() {
  StartSodium();
  SecretBytes secret(kKeySize);
  randombytes_buf(secret.data(), secret.size());
  return secret;
}

PublicKey PublicKeyOf(KeyKind kind, const SecretBytes& secret) {
  if (kind == KeyKind::kSigningSecret) return SigningKey(secret).public_key();
  StartSodium();
  PublicKey key;
  crypto_scalarmult_base(key.data(), secret.data());
  return key;
}

SigningKey::SigningKey(const SecretBytes& seed) : secret_(crypto_sign_SECRETKEYBYTES) {
  StartSodium();
  crypto_sign_seed_keypair(public_key_.data(), secret_.data(), seed.data());
}

Signature SigningKey::Sign(absl::string_view message) const {
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const uint8_t*>(message.data()), message.size(),
                       secret_.data());
  return signature;
}

std::string KeyId(const PublicKey& key) { return HexText(key).substr(0, 2 * kShownKey); }

}  // namespace modelvault
