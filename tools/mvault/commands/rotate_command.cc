#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/signature_output.h"
#include "tools/mvault/commands/signers.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/signature_report.h"
#include "vault/format.h"
#include "vault/keys/key_file.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  SignerArguments signers;  // Of the key set that there is.
  std::vector<std::string> to;
  unsigned threshold = 0;
  bool json = false;
};

absl::StatusOr<KeySet> NextKeySet(const Arguments& arguments, const KeySet& last) {
  std::vector<PublicKey> keys;
  for (const std::string& path : arguments.to) {
    const absl::StatusOr<PublicKey> key = ReadPublicKey(path, KeyKind::kSigningPublic);
    if (!key.ok()) return key.status();
    if (std::find(keys.begin(), keys.end(), *key) != keys.end()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": the key ", KeyId(*key), " is given twice"));
    }
    keys.push_back(*key);
  }
  absl::StatusOr<KeySet> next = MakeKeySet(last.number + 1, std::move(keys), arguments.threshold);
  if (next.ok() && next->keys == last.keys && next->threshold == last.threshold) {
    return absl::InvalidArgumentError(absl::StrCat(arguments.vault, ": these keys sign it already"));
  }
  return next;
}

// Puts the old keys' signatures on the new set.
absl::Status SignNext(const KeySet& last, const Signers& signers, const std::string& message, KeySet* next) {
  next->signatures.assign(last.keys.size(), kNoSignature);
  for (const auto& [key, signature] : signers.Sign(message)) next->signatures[last.Find(key)] = signature;
  const SignatureCount count = CountSignatures(last, next->signatures, message);
  if (count.complete()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("key set ", next->number, " must be signed by that before it: ", SignatureCountText(count)));
}

absl::StatusOr<ExitCode> Rotate(Session& session, const Arguments& arguments) {
  const absl::StatusOr<Signers> signers = Signers::Read(session.file_system, arguments.signers);
  if (!signers.ok()) return signers.status();
  if (signers->empty() && arguments.signers.digest_out.empty()) {
    return UsageError(session, "who signs the new keys? give --key, or --digest-out and then --signature-in");
  }
  absl::StatusOr<std::unique_ptr<VaultReader>> vault = VaultReader::Open(session.file_system, arguments.vault);
  if (!vault.ok()) return vault.status();
  if ((*vault)->root() == nullptr) {
    return absl::PermissionDeniedError(absl::StrCat(arguments.vault, ": not signed: 'mvault sign' names its keys"));
  }
  absl::StatusOr<SigningPlan> plan = PlanOf(**vault);
  if (!plan.ok()) return plan.status();
  const KeySet last = plan->key_sets.back();
  if (absl::Status status = signers->CheckMembers(last); !status.ok()) return status;
  absl::StatusOr<KeySet> next = NextKeySet(arguments, last);
  if (!next.ok()) return next.status();
  const std::string message = KeySetMessage(last.digest(), next->digest());
  const std::string& digest_out = arguments.signers.digest_out;
  if (!digest_out.empty()) {
    if (absl::Status status = WriteTextFile(session.file_system, digest_out, message); !status.ok()) return status;
  }
  if (!signers->empty()) {
    if (absl::Status status = SignNext(last, *signers, message, &*next); !status.ok()) return status;
    plan->key_sets.push_back(*std::move(next));
    if (HasSignature(**vault)) ++plan->version;
    absl::Status status = PrepareSignature(session.file_system, arguments.vault, *plan);
    if (!status.ok()) return status;
    vault = VaultReader::Open(session.file_system, arguments.vault);
    if (!vault.ok()) return vault.status();
  }
  PrintSignature(session, "rotate", **vault, digest_out, arguments.json);
  return ExitCode::kOk;
}

}  // namespace

void AddRotateCommand(Command& app, Session& session) {
  Command command = app.AddCommand("rotate", "Have other keys sign a vault from now on");
  auto arguments = std::make_shared<Arguments>();
  AddChangedVaultArgument(&command, &arguments->vault);
  AddSignerOptions(&command, &arguments->signers);
  command.AddOption("--to", &arguments->to, "A public key that signs from now on; many times: all of them")
      .TypeName("FILE")
      .OneValue()
      .Required();
  command.AddOption("--threshold", &arguments->threshold, "How many of the new keys must sign; default: all")
      .TypeName("N")
      .Range(1, static_cast<int>(kMaxKeys));
  AddJsonFlag(&command, &arguments->json);
  SetFooter(
      &command,
      "  mvault rotate all.mvlt --key old.key --to new.pub\n"
      "  mvault rotate all.mvlt --key ann.key --key bob.key --to bob.pub --to cat.pub --to dan.pub --threshold 2\n",
      "--key, --signer and --signature-in are of the keys that sign now, as many as must. Readers that trust\n"
      "those follow to the new ones. The vault is unsigned until the new keys have signed it ('mvault sign').");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Rotate(session, *arguments); }; });
}

}  // namespace modelvault
