// Keys as text. Ed25519 and X25519 keys are PEM as RFC 8410 has them, what `openssl genpkey` and `openssl pkey` write
// and read: "PRIVATE KEY" (PKCS#8, version 1) and "PUBLIC KEY" (SPKI). A tenant's content key, 32 random bytes that no
// such standard knows, has the same armour with a name of its own.
#ifndef MODELVAULT_VAULT_KEYS_KEY_TEXT_H_
#define MODELVAULT_VAULT_KEYS_KEY_TEXT_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/keys/secret_bytes.h"

namespace modelvault {

enum class KeyKind : uint8_t {
  kSigningSecret,  // Ed25519, the seed.
  kSigningPublic,
  kDeviceSecret,  // X25519, of a device group.
  kDevicePublic,
  kContentSecret,  // Of a tenant.
};

bool IsSecret(KeyKind kind);
// "a secret signing key (Ed25519)", for messages.
const char* DescriptionOf(KeyKind kind);

// Of all kinds.
inline constexpr size_t kKeySize = 32;
// Any text of a key has fewer bytes, unless there is much white space around it.
inline constexpr size_t kMaxKeyText = 4096;

struct KeyText {
  KeyKind kind = KeyKind::kSigningSecret;
  SecretBytes bytes;  // kKeySize, also of a public key.
};

// Parses a text that has one key and nothing else but white space. kInvalidArgument for anything else; the message says
// what it is instead, as far as that is known.
absl::StatusOr<KeyText> ParseKey(absl::string_view text);

// The text of a key of kKeySize bytes.
SecretBytes FormatKey(KeyKind kind, absl::Span<const uint8_t> key);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_KEYS_KEY_TEXT_H_
