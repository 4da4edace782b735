// Files of keys. Secret ones are made with mode 0600 and read only where nobody else can read them.
#ifndef MODELVAULT_VAULT_KEYS_KEY_FILE_H_
#define MODELVAULT_VAULT_KEYS_KEY_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "vault/file_system_calls.h"
#include "vault/keys/key_text.h"
#include "vault/keys/secret_bytes.h"
#include "vault/keys/signing_key.h"

namespace modelvault {

// Reads a secret key of `kind`. kInvalidArgument unless `path` itself is a regular file (no symbolic link) of this user
// or root that group and others may do nothing with, and has a key of that kind; the message says how to mend it.
// kNotFound, kUnavailable: as vault/file_system.h.
absl::StatusOr<SecretBytes> ReadSecretKey(const std::string& path, KeyKind kind,
                                          SystemCalls& calls = SystemCalls::Posix());
absl::StatusOr<SigningKey> ReadSigningKey(const std::string& path, SystemCalls& calls = SystemCalls::Posix());

// What kind of key a file has; whether it is read is then for the functions of that kind to say.
absl::StatusOr<KeyKind> KindOfKey(const std::string& path, SystemCalls& calls = SystemCalls::Posix());

// Reads a public key of `kind`, from a file of whatever owner and mode.
absl::StatusOr<PublicKey> ReadPublicKey(const std::string& path, KeyKind kind,
                                        SystemCalls& calls = SystemCalls::Posix());

// Makes the file of a key and waits for the disk. Never over anything: kAlreadyExists. After any other error there is
// no such file.
absl::Status WriteKeyFile(const std::string& path, KeyKind kind, absl::Span<const uint8_t> key,
                          SystemCalls& calls = SystemCalls::Posix());

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_KEYS_KEY_FILE_H_
