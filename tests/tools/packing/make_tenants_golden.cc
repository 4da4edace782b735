// Writes the golden vault with tenants anew, for when the format changes (tests/regenerate): the one of 1.0 with what
// three tenants add, sealed for two device groups, and, beside it, a revocation list and the keys of those who read it.
//
//   make_tenants_golden tests/vault/golden
#include <sodium.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/golden_main.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_tenants.h"
#include "tools/packing/pack.h"
#include "vault/keys/key_text.h"
#include "vault/revocation_list.h"

namespace modelvault {
namespace {

constexpr char kTime[] = "1700000000";
constexpr uint64_t kNotAfter = 4102444800;
constexpr uint64_t kVersion = 5;
constexpr uint8_t kWard = 130, kClinic = 131, kAcmeContent = 120, kBetaContent = 121;

// "Random" bytes that are the same in every run: each key that is wrapped is wrapped with others.
void CountedBytes(void* const buffer, const size_t size) {
  static uint8_t count = 0;
  std::memset(buffer, ++count, size);
}
const char* CountedName() { return "counted"; }
uint32_t NoNumber() { std::abort(); }
randombytes_implementation counted = {CountedName, NoNumber, nullptr, nullptr, CountedBytes, nullptr};

// A tenant and what it adds: names without the prefix, and the golden inputs that they are.
struct Tenant {
  const char* prefix;
  TestKey key;
  std::optional<SecretKey> content;
  std::vector<PublicKey> groups;
  std::vector<std::pair<const char*, const char*>> variants;
};

std::vector<Tenant> Tenants() {
  return {
      {"acme.", TestKey(22), TestSecret(kAcmeContent), {TestGroup(kWard)}, {{"heart", "cardiology"}}},
      {"beta.",
       TestKey(23),
       TestSecret(kBetaContent),
       {TestGroup(kWard), TestGroup(kClinic)},
       {{"liver", "ultrasound"}, {"same", "unchanged"}}},
      {"open.", TestKey(24), std::nullopt, {}, {{"lung", "cardiology"}}},
  };
}

absl::Status WriteFile(const std::string& path, absl::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  return file.flush() ? absl::OkStatus() : absl::UnavailableError(path);
}

absl::Status WriteKeys(const std::string& folder) {
  const auto secret = [](uint8_t seed) { return std::string(kSecretKeySize, static_cast<char>(seed)); };
  const PublicKey root = TestKey(21).key();
  const struct {
    const char* name;
    KeyKind kind;
    std::string key;
  } keys[] = {{"root.pub", KeyKind::kSigningPublic, std::string(root.begin(), root.end())},
              {"ward.key", KeyKind::kDeviceSecret, secret(kWard)},
              {"clinic.key", KeyKind::kDeviceSecret, secret(kClinic)},
              {"acme.content", KeyKind::kContentSecret, secret(kAcmeContent)}};
  for (const auto& [name, kind, key] : keys) {
    const SecretBytes text = FormatKey(kind, {reinterpret_cast<const uint8_t*>(key.data()), key.size()});
    if (absl::Status status = WriteFile(folder + "/" + name, text.text()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Revokes the tenant "open.", and beta.liver as everybody sees it.
absl::Status WriteRevocations(const std::string& vault, const std::string& path) {
  const auto reader = VaultReader::Open(FileSystem::Default(), vault);
  if (!reader.ok()) return reader.status();
  RevocationList list = EmptyRevocationList(DecodeSignature(*(*reader)->root()));
  list.number = 3;
  const std::string liver = SealedNameOf("beta.", "beta.liver", TestSecret(kBetaContent));
  for (const Revocation& entry : {Revocation{RevocationKind::kTenant, kBelowEveryVersion, TestKey(24).key()},
                                  Revocation{RevocationKind::kVariant, kVersion + 1, RevokedName(liver)}}) {
    if (absl::Status status = Revoke(entry, &list); !status.ok()) return status;
  }
  list.signatures = {TestKey(21).Sign(RevocationMessageOf(list))};
  return WriteFile(path, EncodeRevocations(list));
}

absl::Status Write(const std::string& golden) {
  randombytes_set_implementation(&counted);
  ::setenv("SOURCE_DATE_EPOCH", kTime, 1);
  const std::string path = golden + "/v1.4-tenants.mvlt";
  FileSystem& files = FileSystem::Default();
  if (absl::Status status = files.Copy(golden + "/v1.0.mvlt", path); !status.ok()) return status;
  SigningPlan plan;
  for (size_t i = 0; i < plan.vault_id.size(); ++i) plan.vault_id[i] = static_cast<uint8_t>(0xB0 + i);
  plan.version = kVersion;
  plan.not_before = 1700000000;
  plan.not_after = kNotAfter;
  plan.key_sets = {TestKeySet({TestKey(21)}, 1)};
  const std::vector<Tenant> tenants = Tenants();
  for (const Tenant& tenant : tenants) {
    plan.tenants.push_back(TestTenant(tenant.prefix, tenant.key, tenant.content, tenant.groups));
  }
  if (absl::Status status = PrepareSignature(files, path, plan, {}); !status.ok()) return status;
  for (const Tenant& tenant : tenants) {
    std::vector<VariantInput> inputs;
    for (const auto& [name, input] : tenant.variants) {
      inputs.push_back({std::string(tenant.prefix) + name, golden + "/inputs/" + input + ".safetensors"});
    }
    PackOptions options;
    options.threads = 1;
    options.sign_tenant = TenantSignerOf({tenant.key});
    if (tenant.content.has_value()) options.keys.content = {*tenant.content};
    if (tenant.prefix == std::string("open.")) options.sign_root = SignerOf({TestKey(21)});  // All is there.
    const absl::StatusOr<PackReport> report = AddVariants(files, path, inputs, false, options);
    if (!report.ok()) return report.status();
  }
  if (absl::Status status = WriteRevocations(path, golden + "/v1.4-tenants.revocations"); !status.ok()) return status;
  return WriteKeys(golden + "/keys-1.4");
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) { return modelvault::WriteGolden(argc, argv, modelvault::Write); }
