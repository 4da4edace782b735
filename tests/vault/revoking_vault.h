// The root of a vault with two tenants that two of three keys sign, for tests of revocation lists.
#ifndef MODELVAULT_TESTS_VAULT_REVOKING_VAULT_H_
#define MODELVAULT_TESTS_VAULT_REVOKING_VAULT_H_

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tests/vault/test_keys.h"
#include "vault/core/revocation_view.h"
#include "vault/core/signature_view.h"
#include "vault/crypto.h"
#include "vault/revocation_list.h"
#include "vault/signature_section.h"

namespace modelvault {

inline constexpr uint64_t kRevokingVersion = 5;

class RevokingVault {
 public:
  explicit RevokingVault(std::vector<uint8_t> seeds = {1, 2, 3}, uint8_t threshold = 2,
                         uint64_t version = kRevokingVersion) {
    for (const uint8_t seed : seeds) signers_.emplace_back(seed);
    std::sort(signers_.begin(), signers_.end(), [](const TestKey& a, const TestKey& b) { return a.key() < b.key(); });
    const KeySet set = TestKeySet(signers_, threshold);
    section_.vault_id.fill(7);
    section_.version = version;
    section_.key_sets = {set};
    section_.signatures.assign(set.keys.size(), kNoSignature);
    section_.objects.resize(kSectionObjectCount);
    TenantRecord clinic, lab;
    clinic.prefix = "clinic/";
    clinic.key = TestKey(11).key();
    lab.prefix = "lab/";
    lab.key = TestKey(12).key();
    section_.tenants = {clinic, lab};
    Parse();
  }
  RevokingVault(const RevokingVault&) = delete;
  RevokingVault& operator=(const RevokingVault&) = delete;

  const SignatureSection& section() const { return section_; }
  const SignedRoot& root() const { return root_; }
  const KeySet& key_set() const { return section_.key_sets.back(); }
  // In the order of the key set.
  const std::vector<TestKey>& signers() const { return signers_; }

  // A list of `entries`, signed by the signers at `places`.
  RevocationList List(std::vector<Revocation> entries, const std::vector<size_t>& places, uint64_t number = 3) const {
    RevocationList list = EmptyRevocationList(section_);
    list.number = number;
    list.entries = std::move(entries);
    const std::string message = RevocationMessageOf(list);
    for (const size_t place : places) list.signatures[place] = signers_[place].Sign(message);
    return list;
  }

  CoreStatus Prove(const RevocationList& list, uint64_t least_number = 0, uint32_t* wrong = nullptr) const {
    return Prove(EncodeRevocations(list), least_number, wrong);
  }
  CoreStatus Prove(const std::string& bytes, uint64_t least_number = 0, uint32_t* wrong = nullptr) const {
    RevocationView view;
    const CoreStatus parsed = ParseRevocations(View(bytes), &view);
    return parsed != CoreStatus::kOk ? parsed : ProveRevocations(&view, root_, least_number, HostCrypto(), wrong);
  }
  // Whether the list, which is not proven here, revokes the variant.
  bool Revokes(const RevocationList& list, const std::string& name) const {
    const std::string bytes = EncodeRevocations(list);
    RevocationView view;
    if (ParseRevocations(View(bytes), &view) != CoreStatus::kOk) std::abort();
    const std::string message = RevocationMessageOf(list);
    std::copy(message.end() - kDigestSize, message.end(), view.digest);
    return CheckRevoked(view, root_, View(name), HostCrypto()) == CoreStatus::kRevoked;
  }

  static ByteView View(const std::string& bytes) {
    return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  }

 private:
  void Parse() {
    bytes_ = EncodeSignature(section_);
    VaultHeader header;
    header.features = kFeatureSignature | kFeatureTenants;
    uint32_t bad = 0;
    if (ParseSignature(View(bytes_), header, &root_, &bad) != CoreStatus::kOk) std::abort();
  }

  std::vector<TestKey> signers_;
  SignatureSection section_;
  std::string bytes_;
  SignedRoot root_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_REVOKING_VAULT_H_
