// Cases (firmware_riscv/crypto_check/crypto_case.h) whose results are known: from the RFCs that define the functions,
// and with what must be refused; and others, made at random with libsodium, whose results are the same wherever they
// run.
#ifndef MODELVAULT_TESTS_VAULT_CRYPTO_VECTORS_H_
#define MODELVAULT_TESTS_VAULT_CRYPTO_VECTORS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "firmware_riscv/crypto_check/crypto_case.h"

namespace modelvault {

struct CryptoVector {
  std::string name;  // Letters and digits.
  std::string bytes;
  bool accepted;
  std::string output;  // As CryptoResult has it; empty: not known beforehand.
};

std::string HashCase(const std::string& key, const std::string& message, uint32_t piece = 0);
std::string VerifyCase(const std::string& signature, const std::string& message, const std::string& key);
std::string AgreeCase(const std::string& secret, const std::string& key);
std::string OpenCase(const std::string& key, const std::string& tag, const std::string& associated,
                     const std::string& cipher, bool in_place);
// Made with a key of zeros.
std::string SealedCase(const std::string& plain, const std::string& associated, bool in_place);

std::vector<CryptoVector> KnownCryptoVectors();
// Valid ones, and of each that has something to refuse one with a flipped bit.
std::vector<CryptoVector> RandomCryptoVectors(uint32_t seed);

// "1 OUTPUT" or "0 OUTPUT", in hex, as the board's program prints it.
std::string RunOnHost(const CryptoVector& vector);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_CRYPTO_VECTORS_H_
