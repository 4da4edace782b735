#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/formats/text_file.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/time_text.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/signature_output.h"
#include "tools/mvault/commands/signers.h"
#include "tools/mvault/commands/vault_argument.h"
#include "vault/format.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  SignerArguments signers;
  unsigned threshold = 0;  // 0: all keys of a first key set.
  std::optional<uint64_t> not_before;
  std::optional<uint64_t> not_after;
  bool json = false;
};

// The plan of a vault's first signature.
absl::StatusOr<SigningPlan> FirstPlan(const Arguments& arguments, const Signers& signers) {
  if (!arguments.signers.signatures_in.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(arguments.vault,
                     ": has no key set yet, so a signature from elsewhere can't be of it: --signer and --digest-out "
                     "make one"));
  }
  SigningPlan plan;
  plan.vault_id = MakeVaultId();
  plan.not_before = arguments.not_before.value_or(0);
  plan.not_after = arguments.not_after.value_or(0);
  absl::StatusOr<KeySet> set = MakeKeySet(1, signers.all_keys(), arguments.threshold);
  if (!set.ok()) return set.status();
  plan.key_sets = {*std::move(set)};
  return plan;
}

absl::Status CheckKeySet(const Arguments& arguments, const KeySet& set, const Signers& signers) {
  if (arguments.threshold != 0 && arguments.threshold != set.threshold) {
    return absl::InvalidArgumentError(absl::StrCat(arguments.vault, ": ", int{set.threshold}, " of ", set.keys.size(),
                                                   " keys sign it, not ", arguments.threshold,
                                                   ": 'mvault rotate' changes that"));
  }
  return signers.CheckMembers(set);
}

// Signs a vault that has a key set.
absl::Status SignAgain(Session& session, const Arguments& arguments, const VaultReader& vault, const Signers& signers) {
  absl::StatusOr<SigningPlan> plan = PlanOf(vault);
  if (!plan.ok()) return plan.status();
  if (absl::Status status = CheckKeySet(arguments, plan->key_sets.back(), signers); !status.ok()) return status;
  // What is signed is the list of digests: it should be of this vault's bytes.
  if (absl::Status status = vault.CheckSigned(); !status.ok()) return status;
  const uint64_t not_before = arguments.not_before.value_or(plan->not_before);
  const uint64_t not_after = arguments.not_after.value_or(plan->not_after);
  if (not_before == plan->not_before && not_after == plan->not_after) {
    if (signers.empty()) return absl::OkStatus();
    const absl::StatusOr<std::string> message = RootMessage(vault);
    if (!message.ok()) return message.status();
    return AddRootSignatures(session.file_system, arguments.vault, signers.Sign(*message));
  }
  plan->not_before = not_before;
  plan->not_after = not_after;
  if (HasSignature(vault)) ++plan->version;
  VaultWriterOptions options;
  options.sign_root = signers.AsRootSigner();
  return PrepareSignature(session.file_system, arguments.vault, *plan, options);
}

absl::StatusOr<ExitCode> Sign(Session& session, const Arguments& arguments) {
  const absl::StatusOr<Signers> signers = Signers::Read(session.file_system, arguments.signers);
  if (!signers.ok()) return signers.status();
  if (signers->empty() && arguments.signers.digest_out.empty()) {
    return UsageError(session, "who signs? give --key, or --digest-out and then --signature-in");
  }
  absl::StatusOr<std::unique_ptr<VaultReader>> vault = VaultReader::Open(session.file_system, arguments.vault);
  if (!vault.ok()) return vault.status();
  if ((*vault)->root() != nullptr) {
    if (absl::Status status = SignAgain(session, arguments, **vault, *signers); !status.ok()) return status;
  } else {
    const absl::StatusOr<SigningPlan> plan = FirstPlan(arguments, *signers);
    if (!plan.ok()) return plan.status();
    VaultWriterOptions options;
    options.sign_root = signers->AsRootSigner();
    absl::Status status = PrepareSignature(session.file_system, arguments.vault, *plan, options);
    if (!status.ok()) return status;
  }
  vault = VaultReader::Open(session.file_system, arguments.vault);
  if (!vault.ok()) return vault.status();
  if (!arguments.signers.digest_out.empty()) {
    const absl::StatusOr<std::string> message = RootMessage(**vault);
    if (!message.ok()) return message.status();
    absl::Status status = WriteTextFile(session.file_system, arguments.signers.digest_out, *message);
    if (!status.ok()) return status;
  }
  PrintSignature(session, "sign", **vault, arguments.signers.digest_out, arguments.json);
  return ExitCode::kOk;
}

}  // namespace

void AddSignCommand(Command& app, Session& session) {
  Command command = app.AddCommand("sign", "Sign a vault");
  auto arguments = std::make_shared<Arguments>();
  AddChangedVaultArgument(&command, &arguments->vault);
  AddSignerOptions(&command, &arguments->signers);
  command.AddOption("--threshold", &arguments->threshold, "How many of a new vault's keys must sign; default: all")
      .TypeName("N")
      .Range(1, static_cast<int>(kMaxKeys));
  AddTimeOption(&command, "--not-before", &arguments->not_before, "The vault is valid from this time on");
  AddTimeOption(&command, "--not-after", &arguments->not_after, "The vault is valid until this time");
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command,
            "  mvault sign all.mvlt --key release.key\n"
            "  mvault sign all.mvlt --key ann.key --signer bob.pub --signer cat.pub --threshold 2\n"
            "  mvault sign all.mvlt --digest-out root.msg\n"
            "  mvault sign all.mvlt --signature-in root.sig --signer safe.pub\n",
            "The first signature gives the vault an id and a key set: the keys of --key and --signer, of which\n"
            "--threshold must sign. From then on these keys sign it, until 'mvault rotate' names others.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Sign(session, *arguments); }; });
}

}  // namespace modelvault
