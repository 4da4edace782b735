#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_SIGNED_BYTES_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_SIGNED_BYTES_H_

// Vaults in memory that somebody signs, and lists that revoke what is in them.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/restore/coded_models.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/memory_file.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_tenants.h"
#include "tests/vault/test_vault.h"
#include "vault/file_system.h"
#include "vault/revocation_list.h"
#include "vault/vault_signing.h"

namespace modelvault {

inline std::string SignedBytes(const std::string& vault, const SigningPlan& plan, const std::vector<TestKey>& signers,
                               const std::vector<TestKey>& tenants = {}) {
  const TempFolder folder;
  const std::string path = folder.File("v");
  folder.Write("v", vault);
  VaultWriterOptions options;
  if (!signers.empty()) options.sign_root = SignerOf(signers);
  options.sign_tenant = TenantSignerOf(tenants);
  EXPECT_THAT(PrepareSignature(FileSystem::Default(), path, plan, options), IsOk());
  return folder.Read("v");
}

// The same with variants that a tenant adds, sealed for its groups: `variants` by the names that they get, which begin
// with the tenant's prefix.
inline std::string SealedBytes(const std::string& vault, const SigningPlan& plan, const std::vector<TestKey>& signers,
                               const TestKey& tenant_key, const TenantRecord& tenant, const SecretKey& content,
                               const std::map<std::string, const CodedVariant*>& variants) {
  const TempFolder folder;
  const std::string path = folder.File("v");
  folder.Write("v", SignedBytes(vault, plan, {}));
  VaultChanges changes;
  changes.tenants = {tenant};
  VaultWriterOptions options;
  options.keys = ContentKeys({content});
  options.sign_tenant = TenantSignerOf({tenant_key});
  options.sign_root = SignerOf(signers);
  std::vector<TestVariant> added;
  for (const auto& [name, coded] : variants) {
    added.push_back({name, coded->stored_layout, coded->segments, coded->digests, coded->header});
  }
  EXPECT_THAT(ChangeVault(FileSystem::Default(), path, changes, added, options), IsOk());
  return folder.Read("v");
}

// The vault with another SIGNATURE of the same size, which `signers` sign whatever it says.
inline std::string SignedAgain(std::string vault, const std::function<void(SignatureSection*)>& change,
                               const std::vector<TestKey>& signers) {
  const auto reader =
      VaultReader::FromFile(std::make_unique<MemoryFile>(std::vector<uint8_t>(vault.begin(), vault.end()), "v"));
  EXPECT_THAT(reader, IsOk());
  absl::StatusOr<SignatureSection> section = (*reader)->DecodeSigned();
  EXPECT_THAT(section, IsOk());
  change(&*section);
  section->signatures.assign(section->signatures.size(), kNoSignature);
  const std::string message = RootMessageOf({reinterpret_cast<const uint8_t*>(vault.data()), kHeaderSize}, *section);
  for (const TestKey& key : signers) section->signatures[section->key_sets.back().Find(key.key())] = key.Sign(message);
  const std::string bytes = EncodeSignature(*section);
  EXPECT_EQ(bytes.size(), SectionSize(vault, 5));
  vault.replace(SectionOffset(vault, 5), bytes.size(), bytes);
  RepairChecksums(&vault);
  return vault;
}

// A list for the vaults of a plan.
inline std::string RevocationBytes(const SigningPlan& plan, const std::vector<Revocation>& entries, uint64_t number,
                                   const std::vector<TestKey>& signers) {
  SignatureSection section;
  section.vault_id = plan.vault_id;
  section.key_sets = plan.key_sets;
  RevocationList list = EmptyRevocationList(section);
  list.number = number;
  for (const Revocation& entry : entries) EXPECT_THAT(Revoke(entry, &list), IsOk());
  const std::string message = RevocationMessageOf(list);
  for (const TestKey& key : signers) {
    list.signatures.at(plan.key_sets.back().Find(key.key())) = key.Sign(message);
  }
  return EncodeRevocations(list);
}

inline Revocation RevokedVariant(const std::string& name, uint64_t below = kBelowEveryVersion) {
  return {RevocationKind::kVariant, below, RevokedName(name)};
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_SIGNED_BYTES_H_
