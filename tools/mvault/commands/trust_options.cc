#include "tools/mvault/commands/trust_options.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tools/formats/model_formats.h"
#include "tools/mvault/cli/time_text.h"
#include "vault/format.h"
#include "vault/keys/key_file.h"
#include "vault/keys/reader_keys.h"

namespace modelvault {
namespace {

bool AsksForSignatures(const TrustArguments& arguments) {
  return arguments.threshold != 0 || arguments.min_version != 0 || arguments.at.has_value() ||
         !arguments.revocations.empty();
}

}  // namespace

absl::StatusOr<VaultReaderOptions> ReadKeys(const TrustArguments& arguments) {
  ReaderKeys keys;
  for (const std::string& path : arguments.keys) {
    const absl::StatusOr<KeyKind> kind = KindOfKey(path);
    if (!kind.ok()) return kind.status();
    const absl::Status status = OpensSealed(*kind) ? keys.AddOpening({path}) : keys.AddTrusted({path});
    if (!status.ok()) return status;
  }
  VaultReaderOptions options;
  options.keys = std::move(keys.opening);
  VaultTrust trust;
  trust.keys = std::move(keys.trusted);
  if (trust.keys.empty()) {
    if (!AsksForSignatures(arguments)) return options;
    return absl::InvalidArgumentError("a public key must be among those of --key: whose signature is to be trusted?");
  }
  trust.threshold = static_cast<uint8_t>(arguments.threshold != 0 ? arguments.threshold : trust.keys.size());
  trust.least_version = arguments.min_version;
  trust.now = arguments.at.has_value() ? static_cast<int64_t>(*arguments.at) : absl::ToUnixSeconds(absl::Now());
  options.trust = std::move(trust);
  return options;
}

void AddTrustOptions(Command* command, TrustArguments* arguments) {
  command
      ->AddOption("--key", &arguments->keys,
                  "A public key: take the vault only if it is signed by it; many times: by these. A tenant's content "
                  "key, or the secret key of a device group: open what is sealed for it")
      .TypeName("FILE")
      .OneValue();
  command
      ->AddOption("--threshold", &arguments->threshold, "How many of the keys must have signed; default: all of them")
      .TypeName("N")
      .Range(1, static_cast<int>(kMaxKeys));
  command->AddOption("--min-version", &arguments->min_version, "Take no older version of the vault").TypeName("N");
  AddTimeOption(command, "--at", &arguments->at, "Whether the vault is valid at this time, not now");
  command->AddOption("--revocations", &arguments->revocations, "Take no variant that this list revokes")
      .TypeName("LIST");
  command->AddOption("--min-revocations", &arguments->min_revocations, "Take no older list: its number at least")
      .TypeName("N");
}

std::string TrustUsageFault(const TrustArguments& arguments) {
  const std::pair<bool, const char*> given[] = {{arguments.threshold != 0, "--threshold"},
                                                {arguments.min_version != 0, "--min-version"},
                                                {arguments.at.has_value(), "--at"},
                                                {!arguments.revocations.empty(), "--revocations"},
                                                {arguments.min_revocations != 0, "--min-revocations"}};
  for (const auto& [is_given, name] : given) {
    if (is_given && arguments.keys.empty())
      return absl::StrCat(name, " needs --key: whose signature is to be trusted?");
  }
  if (arguments.keys.size() > kMaxKeys) return absl::StrCat("--key: at most ", kMaxKeys, " keys");
  if (arguments.threshold > arguments.keys.size()) {
    return absl::StrCat("--threshold ", arguments.threshold, " of ", arguments.keys.size(), " keys");
  }
  if (arguments.min_revocations != 0 && arguments.revocations.empty()) return "--min-revocations needs --revocations";
  return "";
}

absl::Status TrustedVault::CheckNotRevoked(const std::string& name) const {
  if (!revocations.has_value() || name == kReservedVariantName) return absl::OkStatus();
  return revocations->Check(vault.vault(), name);
}

absl::StatusOr<TrustedVault> OpenTrustedVault(FileSystem& file_system, const std::string& path,
                                              const TrustArguments& arguments) {
  const absl::StatusOr<VaultReaderOptions> options = ReadKeys(arguments);
  if (!options.ok()) return options.status();
  absl::StatusOr<std::unique_ptr<VaultReader>> reader = VaultReader::Open(file_system, path, *options);
  if (!reader.ok()) return reader.status();
  absl::StatusOr<NamedVault> vault = NamedVault::FromReader(*std::move(reader), KnownModelFormats());
  if (!vault.ok()) return vault.status();
  std::optional<ProvenRevocations> revocations;
  if (!arguments.revocations.empty()) {
    absl::StatusOr<ProvenRevocations> list =
        ProvenRevocations::Open(file_system, arguments.revocations, vault->vault(), arguments.min_revocations);
    if (!list.ok()) return list.status();
    revocations = *std::move(list);
  }
  return TrustedVault{*std::move(vault), std::move(revocations)};
}

}  // namespace modelvault
