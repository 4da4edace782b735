#include "vault/vault_trust.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "vault/core/vault_proof.h"
#include "vault/crypto.h"
#include "vault/hex_text.h"
#include "vault/refusal.h"

namespace modelvault {
namespace {

// The key set of the vault that has exactly the trusted keys and threshold.
std::optional<Digest> FindKeySet(const SignatureSection& section, const VaultTrust& trust) {
  std::vector<PublicKey> keys = trust.keys;
  std::sort(keys.begin(), keys.end());
  for (const KeySet& set : section.key_sets) {
    if (set.keys == keys && set.threshold == trust.threshold) return set.digest();
  }
  return std::nullopt;
}

std::string Untrusted(const SignatureSection& section, const VaultTrust& trust) {
  const std::string expected =
      trust.key_set.has_value()
          ? absl::StrCat("key set ", HexText(*trust.key_set))
          : absl::StrCat(
                int{trust.threshold}, " of the keys ",
                absl::StrJoin(trust.keys, ", ", [](std::string* out, const PublicKey& key) { *out += HexText(key); }));
  const std::string found = absl::StrJoin(section.key_sets, ", ", [](std::string* out, const KeySet& set) {
    absl::StrAppend(out, HexText(set.digest()), " (", int{set.threshold}, " of ", set.keys.size(), ")");
  });
  return absl::StrCat("signed by others: expected ", expected, ", found the key sets ", found);
}

std::string BadSignature(const SignatureSection& section, const RootFault& fault) {
  const KeySet& set = section.key_sets[fault.key_set];
  const KeySet& signers = fault.in_chain ? section.key_sets[fault.key_set - 1] : set;
  const std::string what = fault.in_chain ? absl::StrCat("key set ", set.number) : "the root";
  if (fault.signature < signers.keys.size()) {
    return absl::StrCat("signature ", fault.signature, " of ", what, ", by key ",
                        HexText(signers.keys[fault.signature]), ", is not valid");
  }
  const std::vector<Signature>& signatures = fault.in_chain ? set.signatures : section.signatures;
  const auto there = std::count_if(signatures.begin(), signatures.end(),
                                   [](const Signature& signature) { return signature != kNoSignature; });
  return absl::StrCat(what, " has ", there, " signatures, expected at least ", int{signers.threshold}, " of ",
                      signers.keys.size());
}

}  // namespace

absl::StatusOr<Digest> CheckRoot(const std::string& path, ByteView header, const SignedRoot& root,
                                 const VaultTrust& trust) {
  const auto refuse_as = [&](Refusal why, const auto&... args) {
    return Refused(why, absl::StrCat(path, ": ", args...));
  };
  const auto refuse = [&](const auto&... args) { return refuse_as(Refusal::kUntrusted, args...); };
  const SignatureSection section = DecodeSignature(root);
  const std::optional<Digest> trusted = trust.key_set.has_value() ? trust.key_set : FindKeySet(section, trust);
  if (!trusted.has_value()) return refuse(Untrusted(section, trust));
  const TrustedKeys keys = {.key_set_digest = trusted->data(),
                            .least_version = trust.least_version,
                            .now = trust.now > 0 ? static_cast<uint64_t>(trust.now) : 0};
  Digest last;
  RootFault fault;
  switch (const CoreStatus status = ProveRoot(header, root, keys, HostCrypto(), last.data(), &fault)) {
    case CoreStatus::kOk:
      return last;
    case CoreStatus::kUntrusted:
      return refuse(Untrusted(section, trust));
    case CoreStatus::kUnsigned:
      return refuse("not signed since it was changed: version ", root.version, ", key set ", root.last_key_set.number);
    case CoreStatus::kBadSignature:
      return refuse(BadSignature(section, fault));
    case CoreStatus::kRolledBack:
      return refuse_as(Refusal::kRolledBack, "version ", root.version, " of the vault, expected at least ",
                       trust.least_version);
    case CoreStatus::kExpired:
      return refuse_as(Refusal::kExpired, "valid from ", root.not_before, " to ", root.not_after,
                       " (seconds since 1970; 0: no limit), now is ", trust.now);
    case CoreStatus::kNotAuthentic:
      return refuse("SIGNATURE: the list of digests differs from what was signed");
    default:
      return refuse(CoreStatusName(status));
  }
}

}  // namespace modelvault
