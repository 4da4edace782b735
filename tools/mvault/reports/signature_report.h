// Who has signed a vault, for people and for programs.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_SIGNATURE_REPORT_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_SIGNATURE_REPORT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tools/mvault/cli/console.h"
#include "vault/signature_section.h"
#include "vault/vault_reader.h"

namespace modelvault {

// The signatures of one message by the keys of a set.
struct SignatureCount {
  std::vector<PublicKey> signed_by;
  std::vector<PublicKey> missing;
  std::vector<PublicKey> wrong;
  size_t threshold = 0;

  bool complete() const { return wrong.empty() && signed_by.size() >= threshold; }
};

// `signatures` are those of `signer`'s keys, in their order.
SignatureCount CountSignatures(const KeySet& signer, const std::vector<Signature>& signatures,
                               absl::string_view message);

// "2 of 2 signatures", "1 of 2 signatures; needs one more of: KEYID, KEYID".
std::string SignatureCountText(const SignatureCount& count);
Json SignatureCountJson(const SignatureCount& count);

// Of a vault's root.
SignatureCount CountRootSignatures(const VaultReader& vault, const SignatureSection& section);

// "KEYID, KEYID".
std::string KeyIds(const std::vector<PublicKey>& keys);

// What SIGNATURE says, and whether that was checked; null without SIGNATURE.
Json SignatureJson(const VaultReader& vault);
// Lines; empty without SIGNATURE.
std::string SignatureText(const VaultReader& vault);
// "signed by KEYID, version 3"; empty without SIGNATURE.
std::string SignedByText(const VaultReader& vault);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_SIGNATURE_REPORT_H_
