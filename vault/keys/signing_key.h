// What is done with secret keys: they are made, and sign.
#ifndef MODELVAULT_VAULT_KEYS_SIGNING_KEY_H_
#define MODELVAULT_VAULT_KEYS_SIGNING_KEY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "vault/keys/key_text.h"
#include "vault/keys/secret_bytes.h"
#include "vault/signature_section.h"

namespace modelvault {

// A new secret key of whatever kind: kKeySize of the machine's random bytes.
SecretBytes MakeSecretKey();
// The public key of a signing or device secret.
PublicKey PublicKeyOf(KeyKind kind, const SecretBytes& secret);

// An Ed25519 key that signs. Move-only; wiped when it goes.
class SigningKey {
 public:
  // `seed` has kKeySize bytes.
  explicit SigningKey(const SecretBytes& seed);

  const PublicKey& public_key() const { return public_key_; }
  // RFC 8032: the same message has the same signature always.
  Signature Sign(absl::string_view message) const;

 private:
  PublicKey public_key_;
  SecretBytes secret_;
};

// What people tell keys apart by: the first 8 bytes in hexadecimal. Programs compare whole keys.
std::string KeyId(const PublicKey& key);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_KEYS_SIGNING_KEY_H_
