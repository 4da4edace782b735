#include "tools/mvault/reports/signature_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/mvault/cli/time_text.h"
#include "vault/crypto.h"
#include "vault/hex_text.h"
#include "vault/keys/signing_key.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

Json KeysJson(const std::vector<PublicKey>& keys) {
  Json json = Json::array();
  for (const PublicKey& key : keys) json.push_back({{"key_id", KeyId(key)}, {"public_key", HexText(key)}});
  return json;
}

Json TimeJson(uint64_t seconds) { return seconds == 0 ? Json(nullptr) : Json(FormatTime(seconds)); }

std::string ValidityText(const SignatureSection& section) {
  if (section.not_before == 0 && section.not_after == 0) return "valid at all times";
  std::string text = "valid";
  if (section.not_before != 0) absl::StrAppend(&text, " from ", FormatTime(section.not_before));
  if (section.not_after != 0) absl::StrAppend(&text, " until ", FormatTime(section.not_after));
  return text;
}

bool IsChecked(const VaultReader& vault) { return vault.key_set_digest().has_value(); }

}  // namespace

SignatureCount CountSignatures(const KeySet& signer, const std::vector<Signature>& signatures,
                               absl::string_view message) {
  SignatureCount count;
  count.threshold = signer.threshold;
  for (size_t i = 0; i < signer.keys.size(); ++i) {
    const PublicKey& key = signer.keys[i];
    if (i >= signatures.size() || signatures[i] == kNoSignature) {
      count.missing.push_back(key);
    } else if (HostCrypto().verify(signatures[i].data(), reinterpret_cast<const uint8_t*>(message.data()),
                                   message.size(), key.data())) {
      count.signed_by.push_back(key);
    } else {
      count.wrong.push_back(key);
    }
  }
  return count;
}

std::string SignatureCountText(const SignatureCount& count) {
  std::string text = absl::StrCat(count.signed_by.size(), " of ", count.threshold,
                                  count.threshold == 1 ? " signature" : " signatures");
  if (!count.wrong.empty()) absl::StrAppend(&text, "; wrong: ", KeyIds(count.wrong));
  if (count.signed_by.size() < count.threshold) {
    const size_t needed = count.threshold - count.signed_by.size();
    absl::StrAppend(&text, "; needs ", needed == 1 ? "one" : absl::StrCat(needed), " more of: ", KeyIds(count.missing));
  }
  return text;
}

Json SignatureCountJson(const SignatureCount& count) {
  return {{"threshold", count.threshold},
          {"signed_by", KeysJson(count.signed_by)},
          {"missing", KeysJson(count.missing)},
          {"wrong", KeysJson(count.wrong)},
          {"complete", count.complete()}};
}

SignatureCount CountRootSignatures(const VaultReader& vault, const SignatureSection& section) {
  const absl::StatusOr<std::string> message = RootMessage(vault);
  return CountSignatures(section.key_sets.back(), section.signatures, message.ok() ? *message : "");
}

std::string KeyIds(const std::vector<PublicKey>& keys) {
  return absl::StrJoin(keys, ", ", [](std::string* out, const PublicKey& key) { *out += KeyId(key); });
}

Json SignatureJson(const VaultReader& vault) {
  if (vault.root() == nullptr) return nullptr;
  const SignatureSection section = DecodeSignature(*vault.root());
  Json json = {{"vault_id", HexText(section.vault_id)},
               {"version", section.version},
               {"not_before", TimeJson(section.not_before)},
               {"not_after", TimeJson(section.not_after)},
               {"key_sets", Json::array()}};
  for (const KeySet& set : section.key_sets) {
    json["key_sets"].push_back({{"number", set.number},
                                {"threshold", set.threshold},
                                {"keys", KeysJson(set.keys)},
                                {"digest", HexText(set.digest())}});
  }
  json["root"] = SignatureCountJson(CountRootSignatures(vault, section));
  json["checked"] = IsChecked(vault);
  return json;
}

std::string SignatureText(const VaultReader& vault) {
  if (vault.root() == nullptr) return "";
  const SignatureSection section = DecodeSignature(*vault.root());
  std::string text =
      absl::StrFormat("vault %s, version %d, %s\n", HexText(section.vault_id), section.version, ValidityText(section));
  for (const KeySet& set : section.key_sets) {
    absl::StrAppendFormat(&text, "key set %d: %d of %s\n", set.number, set.threshold, KeyIds(set.keys));
  }
  absl::StrAppend(&text, SignedByText(vault), "\n");
  return text;
}

std::string SignedByText(const VaultReader& vault) {
  if (vault.root() == nullptr) return "";
  const SignatureSection section = DecodeSignature(*vault.root());
  const SignatureCount count = CountRootSignatures(vault, section);
  std::string text = count.signed_by.empty() ? "not signed" : absl::StrCat("signed by ", KeyIds(count.signed_by));
  if (!count.complete()) absl::StrAppend(&text, ", ", SignatureCountText(count));
  absl::StrAppend(&text, ", version ", section.version, IsChecked(vault) ? "" : " (not checked: no --key)");
  return text;
}

}  // namespace modelvault
