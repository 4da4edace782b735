// The functions of vault/core/crypto.h on hosts, by libsodium and libb2. Thread-safe.
#ifndef MODELVAULT_VAULT_CRYPTO_H_
#define MODELVAULT_VAULT_CRYPTO_H_

#include "vault/core/crypto.h"

namespace modelvault {

const Crypto& HostCrypto();

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_CRYPTO_H_
