#ifndef MODELVAULT_TESTS_VAULT_TEST_KEYS_H_
#define MODELVAULT_TESTS_VAULT_TEST_KEYS_H_

// Keys from fixed seeds, and vaults that they sign.

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/signature_section.h"
#include "vault/vault_signing.h"
#include "vault/vault_trust.h"

namespace modelvault {

// An Ed25519 key pair from a seed of 32 times the byte `seed`.
class TestKey {
 public:
  explicit TestKey(uint8_t seed) {
    std::array<uint8_t, crypto_sign_SEEDBYTES> bytes;
    bytes.fill(seed);
    crypto_sign_seed_keypair(key_.data(), secret_.data(), bytes.data());
  }

  const PublicKey& key() const { return key_; }
  Signature Sign(absl::string_view message) const {
    Signature signature;
    crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const uint8_t*>(message.data()), message.size(),
                         secret_.data());
    return signature;
  }

 private:
  PublicKey key_;
  std::array<uint8_t, crypto_sign_SECRETKEYBYTES> secret_;
};

// A set of these keys.
inline KeySet TestKeySet(const std::vector<TestKey>& keys, uint8_t threshold, uint32_t number = 1) {
  KeySet set{.number = number, .threshold = threshold, .keys = {}, .signatures = {}};
  for (const TestKey& key : keys) set.keys.push_back(key.key());
  std::sort(set.keys.begin(), set.keys.end());
  return set;
}

// Signs `set` as the one after `before`.
inline void SignNext(const KeySet& before, const std::vector<TestKey>& keys, KeySet* set) {
  set->signatures.resize(before.keys.size(), kNoSignature);
  const std::string message = KeySetMessage(before.digest(), set->digest());
  for (const TestKey& key : keys) set->signatures.at(before.Find(key.key())) = key.Sign(message);
}

inline RootSigner SignerOf(std::vector<TestKey> keys) {
  return [keys = std::move(keys)](absl::string_view message) {
    std::vector<std::pair<PublicKey, Signature>> signatures;
    for (const TestKey& key : keys) signatures.emplace_back(key.key(), key.Sign(message));
    return absl::StatusOr<std::vector<std::pair<PublicKey, Signature>>>(std::move(signatures));
  };
}

inline SigningPlan TestPlan(const KeySet& set) {
  SigningPlan plan;
  for (size_t i = 0; i < plan.vault_id.size(); ++i) plan.vault_id[i] = static_cast<uint8_t>(i + 1);
  plan.tile_log2 = kMinTileLog2;
  plan.key_sets = {set};
  return plan;
}

inline VaultTrust TrustIn(const KeySet& set) {
  VaultTrust trust;
  trust.key_set = set.digest();
  return trust;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_TEST_KEYS_H_
