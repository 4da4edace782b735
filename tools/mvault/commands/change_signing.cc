#include "tools/mvault/commands/change_signing.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/signature_output.h"
#include "tools/mvault/reports/signature_report.h"
#include "vault/vault_reader.h"

namespace modelvault {

void AddChangeKeyOption(Command* command, std::vector<std::string>* keys) {
  command->AddOption("--key", keys, "Sign the changed vault with this secret key; many times: with all of them")
      .TypeName("FILE")
      .OneValue();
}

absl::StatusOr<ChangeSigning> ChangeSigning::Begin(Session& session, const std::string& path,
                                                   const std::vector<std::string>& keys) {
  ChangeSigning signing;
  signing.path_ = path;
  SignerArguments arguments;
  arguments.keys = keys;
  absl::StatusOr<Signers> signers = Signers::Read(session.file_system, arguments);
  if (!signers.ok()) return signers.status();
  signing.signers_ = *std::move(signers);
  return signing;
}

// Looks at the vault that is there and, with keys, proves it.
absl::Status ChangeSigning::TakeVault(Session& session) {
  absl::StatusOr<std::unique_ptr<VaultReader>> vault = VaultReader::Open(session.file_system, path_);
  // A new vault may replace what is none.
  if (!vault.ok()) return signs() ? vault.status() : absl::OkStatus();
  was_signed_ = (*vault)->root() != nullptr;
  if (!was_signed_ || !signs()) return absl::OkStatus();
  absl::StatusOr<SigningPlan> plan = PlanOf(**vault);
  if (!plan.ok()) return plan.status();
  was_ = *std::move(plan);
  if (absl::Status status = signers_.CheckMembers(was_->key_sets.back()); !status.ok()) return status;
  trust_.emplace();
  trust_->key_set = was_->key_sets.back().digest();
  VaultReaderOptions options;
  options.trust = trust_;
  const absl::Status proven = VaultReader::Open(session.file_system, path_, options).status();
  if (!absl::IsPermissionDenied(proven)) return proven;
  return absl::PermissionDeniedError(
      absl::StrCat(proven.message(), "; what is there is not signed in passing: 'mvault sign' signs it"));
}

absl::StatusOr<ChangeSigning> ChangeSigning::OfChange(Session& session, const std::string& path,
                                                      const std::vector<std::string>& keys) {
  absl::StatusOr<ChangeSigning> signing = Begin(session, path, keys);
  if (!signing.ok() || !signing->signs()) return signing;
  if (absl::Status status = signing->TakeVault(session); !status.ok()) return status;
  if (!signing->was_signed_) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": not signed, so --key can't sign it again: 'mvault sign' signs it"));
  }
  return signing;
}

absl::StatusOr<ChangeSigning> ChangeSigning::OfNewVault(Session& session, const std::string& path,
                                                        const std::vector<std::string>& keys) {
  absl::StatusOr<ChangeSigning> signing = Begin(session, path, keys);
  if (!signing.ok()) return signing;
  const absl::StatusOr<bool> exists = session.file_system.Exists(path);
  if (!exists.ok()) return exists.status();
  if (*exists) {
    if (absl::Status status = signing->TakeVault(session); !status.ok()) return status;
  }
  if (!signing->signs()) return signing;
  SigningPlan plan;
  if (signing->was_.has_value()) {
    plan = *signing->was_;
    ++plan.version;
  } else {
    absl::StatusOr<KeySet> set = MakeKeySet(1, signing->signers_.all_keys(), 0);
    if (!set.ok()) return set.status();
    plan.vault_id = MakeVaultId();
    plan.key_sets = {*std::move(set)};
  }
  if (absl::Status status = CheckPlan(plan); !status.ok()) return status;
  signing->signature_ = PlannedSection(plan);
  return signing;
}

void ChangeSigning::NoteWritten(const VaultReader& written) {
  was_signed_ = was_signed_ || written.root() != nullptr;
  report_.json = SignatureJson(written);
  if (!signs()) return;
  const SignatureSection section = DecodeSignature(*written.root());
  report_.text = absl::StrCat("signed: version ", section.version, ", ",
                              SignatureCountText(CountRootSignatures(written, section)), "\n");
}

const ChangeSigning::Report& ChangeSigning::End(Session& session) const {
  if (!signs() && was_signed_) {
    session.console.PrintNote(absl::StrCat(path_, " is not signed from now on, until 'mvault sign' signs it"));
  }
  return report_;
}

}  // namespace modelvault
