// One use of the cryptographic functions, written as bytes: tests have hosts and the board do the same and compare. No
// case trusts its functions, but all trust their bytes.
//
//   offset  size
//   0       4     bytes of the case, a multiple of 4; 0: there is no further case
//   4       4     CryptoCaseKind
//   8       4     bytes of a, below
//   12      4     bytes of b
//   16      4     kHash: b is hashed in pieces of so many bytes, 0: in one. Others: 1 if the message is copied to RAM
//   first,
//                 which kOpen decrypts there, too.
//   20      64    kHash: the key, if there are 32 bytes of a; kVerify: the signature; kAgree: the secret key, then the
//                 public one; kOpen: the key, then the tag
//   84            a: nothing; kVerify: the key; kOpen: the associated data. Then, at a multiple of 4, b: the message
#ifndef MODELVAULT_FIRMWARE_RISCV_CRYPTO_CHECK_CRYPTO_CASE_H_
#define MODELVAULT_FIRMWARE_RISCV_CRYPTO_CHECK_CRYPTO_CASE_H_

#include "codec/core/bytes.h"
#include "vault/core/crypto.h"

namespace modelvault {

enum class CryptoCaseKind : uint32_t { kHash, kVerify, kAgree, kOpen };

inline constexpr size_t kCryptoCaseHeadSize = 84;

struct CryptoResult {
  bool accepted;
  // The digest; what was agreed on; of kOpen the digest of the room for the plain text, which had 0xC3 bytes before.
  uint8_t output[32];
};

// The case at `bytes`. `ram` is as large as its b, at least. `begin` is told right before the functions are called,
// `end` right after.
CryptoResult RunCryptoCase(const Crypto& crypto, const uint8_t* bytes, uint8_t* ram, void (*begin)(CryptoCaseKind),
                           void (*end)());

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_CRYPTO_CHECK_CRYPTO_CASE_H_
