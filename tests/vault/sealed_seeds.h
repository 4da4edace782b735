#ifndef MODELVAULT_TESTS_VAULT_SEALED_SEEDS_H_
#define MODELVAULT_TESTS_VAULT_SEALED_SEEDS_H_

// Seeds of the fuzz target sealed (tests/fuzz/sealed_fuzz.cc), which says what its modes are.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/vault/test_keys.h"
#include "tests/vault/test_tenants.h"
#include "vault/manifest.h"
#include "vault/section_encoder.h"
#include "vault/signature_section.h"

namespace modelvault {

// What the target has for the base's header.
inline constexpr char kSeedBaseHeader[] = "the header of the base";

inline std::string TenantsSeed(const std::vector<TenantRecord>& tenants, std::vector<VaultVariant> variants) {
  std::sort(variants.begin(), variants.end(), IndexOrder);
  SignatureSection section;
  section.vault_id.fill(1);
  section.key_sets = {TestKeySet({TestKey(1)}, 1)};
  section.signatures.resize(1);
  section.tenants = tenants;
  section.objects.resize(kSectionObjectCount + variants.size());
  const std::string index = EncodeIndex(variants, false);
  std::string seed = {'\0', static_cast<char>(variants.size()), static_cast<char>(index.size()),
                      static_cast<char>(index.size() >> 8)};
  return seed + index + EncodeSignature(section);
}

inline std::map<std::string, std::string> SealedSeeds() {
  TenantRecord sealed = TestTenant("acme.", TestKey(2), TestSecret(3));
  TenantGroup group;
  group.id.fill(4);
  sealed.groups.push_back(group);
  // Of the secret key that the target has, by the sums that it has for digests: found, and opened.
  group.id.fill(0xFF);
  sealed.groups.push_back(group);
  sealed.signature.fill(5);
  const TenantRecord open = TestTenant("b", TestKey(3), std::nullopt);
  VaultVariant variant;
  variant.name = sealed.prefix + "~0123456789abcdef";
  std::map<std::string, std::string> seeds;
  seeds["tenants_none"] = TenantsSeed({open}, {});
  seeds["tenants_sealed"] = TenantsSeed({sealed}, {variant});
  VaultVariant other;
  other.name = "b-1";
  seeds["tenants_two"] = TenantsSeed({sealed, open}, {variant, other});
  const std::string name = variant.name;
  const std::string entry = std::string(1, static_cast<char>(name.size())) + name + std::string(kSealSaltSize, 's');
  seeds["blob_empty"] = "\1" + entry + std::string(kSealedBlobExtra, 'e');
  seeds["blob"] = "\1" + entry + std::string(kSealedDigestsSize, 'd') +
                  EncodeBlobHead({}, std::vector<SegmentEntry>{{3, 1}, {1, 2}}) + "abcd" + std::string(kTagSize, 't');
  OpenedHeader header;
  header.name = "acme.heart";
  header.digests.xxh64 = 7;
  header.header = "the header of the variant";
  seeds["header"] = "\2" + EncodeSealedHeader(header, kSeedBaseHeader).value();
  return seeds;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_SEALED_SEEDS_H_
