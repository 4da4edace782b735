// Revocation lists of anybody's making. The first byte says how; the rest is the list:
//   0  as it is
//   1  of the right vault and key set, and signed by its keys
// What is accepted lies within the bytes, comes back from its values, and says of a variant what they say.
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/vault/revoking_vault.h"

namespace modelvault {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

const RevokingVault& Vault() {
  static const RevokingVault vault;
  return vault;
}

// What a parsed list says.
RevocationList Values(const RevocationView& view) {
  RevocationList list;
  const auto copy = [](ByteView from, auto* to) {
    Require(from.size == to->size());
    std::copy_n(from.data, from.size, to->begin());
  };
  copy(view.vault_id, &list.vault_id);
  copy(view.key_set, &list.key_set);
  list.number = view.number;
  for (uint32_t i = 0; i < view.count; ++i) {
    list.entries.push_back({view.kind(i), view.below(i), {}});
    copy(view.what(i), &list.entries.back().what);
  }
  list.signatures.resize(view.signatures.size / kSignatureSize);
  for (size_t i = 0; i < list.signatures.size(); ++i) {
    copy(view.signatures.Sub(i * kSignatureSize, kSignatureSize), &list.signatures[i]);
  }
  return list;
}

bool RevokedByValues(const RevocationList& list, const std::string& name, const PublicKey& owner) {
  for (const Revocation& entry : list.entries) {
    const bool same = entry.kind == RevocationKind::kVariant ? entry.what == RevokedName(name) : entry.what == owner;
    if (same && (kRevokingVersion < entry.below || entry.below == kBelowEveryVersion)) return true;
  }
  return false;
}

}  // namespace
}  // namespace modelvault

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelvault;
  if (size == 0) return 0;
  const std::vector<uint8_t> bytes(data + 1, data + size);  // So that a read past the end is seen.
  RevocationView view;
  uint32_t offset = 0;
  if (ParseRevocations({bytes.data(), bytes.size()}, &view, &offset) != CoreStatus::kOk) {
    Require(offset < kMaxRevocationListSize);
    return 0;
  }
  Require(view.size() <= bytes.size() && view.size() <= kMaxRevocationListSize);
  const RevocationList list = Values(view);
  const std::string encoded = EncodeRevocations(list);
  Require(encoded == std::string(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(view.size())));
  const TenantRecord& tenant = Vault().section().tenants[0];
  const std::string name = tenant.prefix + "a";
  Require(Vault().Revokes(list, name) == RevokedByValues(list, name, tenant.key));
  if (data[0] % 2 == 0) {
    (void)Vault().Prove(encoded);
  } else {
    Require(Vault().Prove(Vault().List(list.entries, {0, 2}, list.number)) == CoreStatus::kOk);
  }
  return 0;
}
