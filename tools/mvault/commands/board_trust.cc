#include "tools/mvault/commands/board_trust.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/formats/text_file.h"
#include "vault/format.h"
#include "vault/signature_section.h"

namespace modelvault {
namespace {

Digest KeySetOf(const VaultReader& vault, const VaultTrust& trust) {
  KeySet given;
  given.threshold = trust.threshold;
  given.keys = trust.keys;
  std::sort(given.keys.begin(), given.keys.end());
  if (vault.root() != nullptr) {
    for (const KeySet& set : DecodeSignature(*vault.root()).key_sets) {
      if (set.keys == given.keys && set.threshold == given.threshold) return set.digest();
    }
  }
  return given.digest();
}

}  // namespace

absl::StatusOr<std::optional<TrustStraps>> BoardTrustOf(FileSystem& file_system, const VaultReader& vault,
                                                        const TrustArguments& arguments) {
  const absl::StatusOr<VaultReaderOptions> keys = ReadKeys(arguments);
  if (!keys.ok()) return keys.status();
  if (!keys->trust.has_value()) return std::nullopt;
  TrustStraps straps;
  straps.key_set = KeySetOf(vault, *keys->trust);
  if (!keys->keys.devices.empty()) {
    std::copy_n(keys->keys.devices.front().data(), straps.device_key.size(), straps.device_key.begin());
  }
  straps.least_version = arguments.min_version;
  straps.now = arguments.at.value_or(0);
  straps.least_revocation = arguments.min_revocations;
  if (arguments.revocations.empty()) return straps;
  absl::StatusOr<std::string> list = ReadTextFile(file_system, arguments.revocations);
  if (!list.ok()) return list.status();
  if (list->size() > kRevocationStrapSize) {
    return absl::InvalidArgumentError(absl::StrCat(arguments.revocations, ": ", list->size(),
                                                   " bytes, expected at most the ", kRevocationStrapSize,
                                                   " of a revocation list"));
  }
  straps.revocations = *std::move(list);
  return straps;
}

std::string BoardNameOf(const VaultReader& vault, const std::string& name) {
  if (name == kReservedVariantName) return "";
  const absl::StatusOr<const VaultVariant*> variant = vault.Find(name);
  return variant.ok() ? (*variant)->index_name() : name;
}

}  // namespace modelvault
