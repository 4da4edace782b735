#include "tools/mvault/commands/signature_output.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/reports/signature_report.h"
#include "vault/keys/signing_key.h"

namespace modelvault {

VaultId MakeVaultId() {
  const SecretBytes random = MakeSecretKey();
  VaultId id;
  std::copy_n(random.data(), id.size(), id.begin());
  return id;
}

absl::StatusOr<KeySet> MakeKeySet(uint32_t number, std::vector<PublicKey> keys, unsigned threshold) {
  if (keys.empty() || keys.size() > kMaxKeys) {
    return absl::InvalidArgumentError(absl::StrCat("a key set has 1 to ", kMaxKeys, " keys, not ", keys.size()));
  }
  if (threshold > keys.size()) {
    return absl::InvalidArgumentError(absl::StrCat("--threshold ", threshold, " of ", keys.size(), " keys"));
  }
  std::sort(keys.begin(), keys.end());
  KeySet set;
  set.number = number;
  set.threshold = static_cast<uint8_t>(threshold != 0 ? threshold : keys.size());
  set.keys = std::move(keys);
  return set;
}

bool HasSignature(const VaultReader& vault) { return DecodeSignature(*vault.root()).has_signature(); }

void PrintSignature(Session& session, const std::string& command, const VaultReader& vault,
                    const std::string& digest_out, bool json) {
  if (json) {
    session.console.PrintJson({{"command", command},
                               {"vault", vault.path()},
                               {"digest_out", digest_out.empty() ? Json(nullptr) : Json(digest_out)},
                               {"signature", SignatureJson(vault)}});
    return;
  }
  const SignatureSection section = DecodeSignature(*vault.root());
  const SignatureCount count = CountRootSignatures(vault, section);
  std::string text =
      absl::StrCat(Printable(vault.path()), ": version ", section.version, ", ", SignatureCountText(count), "\n");
  if (!digest_out.empty()) {
    absl::StrAppend(&text, Printable(digest_out), ": what is to be signed (Ed25519 of the bytes as they are)\n");
  }
  session.console.Print(text);
}

}  // namespace modelvault
