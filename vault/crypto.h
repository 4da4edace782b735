// The cryptographic functions of the core on hosts: libsodium's, and of libb2 BLAKE2s.
#ifndef MODELVAULT_VAULT_CRYPTO_H_
#define MODELVAULT_VAULT_CRYPTO_H_

#include "vault/core/crypto.h"

namespace modelvault {

// Thread-safe, as its functions are.
const Crypto& HostCrypto();

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_CRYPTO_H_
