#ifndef MODELVAULT_TESTS_VAULT_TEST_TENANTS_H_
#define MODELVAULT_TESTS_VAULT_TEST_TENANTS_H_

// Tenants with keys from fixed seeds, and vaults that have some.

#include <sodium.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_vault.h"
#include "vault/crypto.h"
#include "vault/sealing.h"
#include "vault/tenant.h"
#include "vault/vault_editor.h"
#include "vault/vault_signing.h"

namespace modelvault {

// 32 times the byte `seed`.
inline SecretKey TestSecret(uint8_t seed) {
  std::array<uint8_t, kSecretKeySize> bytes;
  bytes.fill(seed);
  return SecretKey(bytes.data());
}

// The public key of the device group with that secret.
inline PublicKey TestGroup(uint8_t seed) {
  PublicKey key;
  crypto_scalarmult_base(key.data(), TestSecret(seed).data());
  return key;
}

inline TenantKeys ContentKeys(std::vector<SecretKey> keys) { return {.content = std::move(keys), .devices = {}}; }
inline TenantKeys DeviceKeys(std::vector<SecretKey> keys) { return {.content = {}, .devices = std::move(keys)}; }

inline TenantSigner TenantSignerOf(std::vector<TestKey> keys) {
  return [keys = std::move(keys)](const TenantRecord& tenant,
                                  absl::string_view message) -> absl::StatusOr<std::optional<Signature>> {
    for (const TestKey& key : keys) {
      if (key.key() == tenant.key) return key.Sign(message);
    }
    return std::nullopt;
  };
}

inline TenantRecord TestTenant(absl::string_view prefix, const TestKey& key, const std::optional<SecretKey>& content,
                               const std::vector<PublicKey>& groups = {}) {
  absl::StatusOr<TenantRecord> tenant = MakeTenant(prefix, key.key(), content, groups);
  EXPECT_THAT(tenant, IsOk());
  return *std::move(tenant);
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_TEST_TENANTS_H_
