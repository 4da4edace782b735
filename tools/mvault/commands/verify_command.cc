#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "restore/named_vault.h"
#include "restore/verify_models.h"
#include "tools/formats/readable_text.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/trust_options.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/checksum_list.h"
#include "tools/mvault/reports/signature_report.h"
#include "vault/format.h"
#include "vault/hex_text.h"

namespace modelvault {
namespace {

// Larger lists than any vault could have: 2^32 variants are not verified by hand.
constexpr uint64_t kMaxChecksumFile = uint64_t{1} << 32;

struct Arguments {
  std::string vault;
  std::vector<std::string> names;
  std::string against;
  TrustArguments trust;
  bool require_signature = false;
  int threads = 0;
  bool json = false;
};

// What went wrong, in the order it was found.
class Failures {
 public:
  explicit Failures(Console* console) : console_(console) {}

  // `name` is the model at fault; empty for the container.
  void Add(const std::string& name, const absl::Status& status) {
    if (status.ok()) return;
    console_->PrintError(status);
    not_authentic_ = not_authentic_ || absl::IsPermissionDenied(status);
    list_.emplace_back(name, std::string(status.message()));
  }
  const std::vector<std::pair<std::string, std::string>>& list() const { return list_; }
  // Whether any of it is for want of a signature.
  bool not_authentic() const { return not_authentic_; }

 private:
  Console* console_;
  bool not_authentic_ = false;
  std::vector<std::pair<std::string, std::string>> list_;
};

// The model that "data/NAME" or "header/NAME" speaks of.
std::string ModelOf(const std::string& what) { return what.substr(what.find('/') + 1); }

// Holds a vault's checksums against a list. With `names` only theirs count.
void Compare(const NamedVault& vault, const ChecksumList& expected, const std::string& list_path,
             const std::vector<std::string>& names, Failures* failures) {
  const std::string& path = vault.vault().path();
  const absl::StatusOr<ChecksumList> actual = StoredChecksums(vault);
  if (!actual.ok()) {
    failures->Add("", actual.status());
    return;
  }
  const auto counts = [&](const std::string& what) {
    return names.empty() || std::find(names.begin(), names.end(), ModelOf(what)) != names.end();
  };
  const auto fail = [&](const std::string& what, const std::string& message) {
    failures->Add(ModelOf(what), absl::DataLossError(absl::StrCat(path, ": ", what, ": ", message)));
  };
  for (const auto& [what, digest] : expected) {
    if (!counts(what)) continue;
    const auto found = actual->find(what);
    if (found == actual->end()) {
      fail(what, absl::StrCat("missing from the vault, expected ", HexText(digest), " by ", list_path));
    } else if (found->second != digest) {
      fail(what, absl::StrCat("expected ", HexText(digest), " by ", list_path, ", found ", HexText(found->second)));
    }
  }
  for (const auto& [what, digest] : *actual) {
    if (counts(what) && expected.count(what) == 0) {
      fail(what, absl::StrCat("extra in the vault (", HexText(digest), "), not in ", list_path));
    }
  }
}

// The models to verify.
absl::StatusOr<std::vector<std::string>> FindNames(const Arguments& arguments, const NamedVault& vault) {
  std::vector<std::string> names;
  for (const std::string& name : arguments.names) {
    if (name != kReservedVariantName) {
      if (absl::Status status = vault.vault().Find(name).status(); !status.ok()) return status;
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  if (names.empty()) {
    names.push_back(kReservedVariantName);
    for (const VaultVariant& v : vault.vault().variants()) {
      if (!v.locked()) names.push_back(v.name);
    }
  }
  return names;
}

// Of variants that are sealed for others only what is stored can be looked at; how many there are.
size_t CheckLocked(const Arguments& arguments, const VaultReader& vault, Failures* failures) {
  size_t locked = 0;
  for (const VaultVariant& variant : vault.variants()) {
    if (!variant.locked() || !arguments.names.empty()) continue;
    ++locked;
    failures->Add(variant.name, vault.CheckStoredBlob(variant));
  }
  return locked;
}

std::string VerdictText(const Arguments& arguments, const NamedVault& vault, const Failures& failures, size_t models,
                        size_t locked) {
  if (!failures.list().empty()) {
    return absl::StrFormat("%s: %s in %s\n", Printable(arguments.vault), Counted(failures.list().size(), "failure"),
                           Counted(models, "model"));
  }
  const std::string signed_by = SignedByText(vault.vault());
  return absl::StrFormat("%s: %s restored, all digests verified%s%s%s\n", Printable(arguments.vault),
                         Counted(models, "model"), arguments.against.empty() ? "" : ", all checksums as listed",
                         locked == 0 ? "" : absl::StrCat("; ", locked, " sealed for others, their checksums compared"),
                         signed_by.empty() ? "" : absl::StrCat("; ", signed_by));
}

absl::StatusOr<ExitCode> Verify(Session& session, const Arguments& arguments) {
  if (const std::string fault = TrustUsageFault(arguments.trust); !fault.empty()) return UsageError(session, fault);
  if (arguments.require_signature && arguments.trust.keys.empty()) {
    return UsageError(session, "--require-signature needs --key: anybody can sign");
  }
  const absl::StatusOr<TrustedVault> trusted = OpenTrustedVault(session.file_system, arguments.vault, arguments.trust);
  if (!trusted.ok()) return trusted.status();
  const NamedVault* const vault = &trusted->vault;
  if (arguments.require_signature && !vault->vault().key_set_digest().has_value()) {
    return UsageError(session, "--require-signature needs a public key among those of --key");
  }
  std::optional<ChecksumList> expected;
  if (!arguments.against.empty()) {
    const absl::StatusOr<std::string> text = ReadTextFile(session.file_system, arguments.against, kMaxChecksumFile);
    if (!text.ok()) return text.status();
    absl::StatusOr<ChecksumList> list = ParseChecksums(*text, arguments.against);
    if (!list.ok()) return list.status();
    expected = *std::move(list);
  }
  absl::StatusOr<std::vector<std::string>> found = FindNames(arguments, *vault);
  if (!found.ok()) return found.status();
  Failures failures(&session.console);
  // One that is revoked is not restored.
  std::vector<std::string> names;
  for (std::string& name : *found) {
    const absl::Status status = trusted->CheckNotRevoked(name);
    failures.Add(name, status);
    if (status.ok()) names.push_back(std::move(name));
  }
  if (arguments.names.empty()) vault->vault().WillReadAll();
  failures.Add("", vault->vault().CheckPadding());
  failures.Add("", vault->vault().CheckBaseSection());
  if (vault->vault().key_set_digest().has_value()) failures.Add("", vault->vault().CheckSigned());
  const size_t locked = CheckLocked(arguments, vault->vault(), &failures);
  if (vault->vault().header().has_network()) failures.Add("", vault->restorer().network().status());
  // Models of a vault are much of one size.
  const uint64_t mean_size = std::max<uint64_t>(1, vault->vault().header().base_data_size);
  const absl::Status status =
      VerifyModels(*vault, names, arguments.threads, [&](size_t i, const absl::Status& verdict) {
        failures.Add(names[i], verdict);
        session.console.progress().Update("verify", (i + 1) * mean_size, names.size() * mean_size);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  // The stored digests are those of what was just restored: one that differs is a failure already.
  if (expected.has_value()) Compare(*vault, *expected, arguments.against, arguments.names, &failures);

  const bool ok = failures.list().empty();
  if (arguments.json) {
    Json json = {{"vault", arguments.vault},
                 {"ok", ok},
                 {"models", names.size()},
                 {"sealed", locked},
                 {"failures", Json::array()}};
    json["signature"] = SignatureJson(vault->vault());
    json["against"] = expected.has_value() ? Json(arguments.against) : Json(nullptr);
    for (const auto& [name, error] : failures.list()) {
      json["failures"].push_back({{"name", name.empty() ? Json(nullptr) : Json(name)}, {"error", error}});
    }
    session.console.PrintJson(json);
  } else {
    session.console.Print(VerdictText(arguments, *vault, failures, names.size(), locked));
  }
  return ok ? ExitCode::kOk : failures.not_authentic() ? ExitCode::kNotAuthentic : ExitCode::kDifferent;
}

}  // namespace

void AddVerifyCommand(Command& app, Session& session) {
  Command command = app.AddCommand("verify", "Restore models and compare their digests");
  auto arguments = std::make_shared<Arguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  command.AddArguments("NAME", &arguments->names, /*required=*/false,
                       "Models to verify: variants, or 'base'; default: all of them");
  command.AddOption("--against", &arguments->against, "Compare with this output of 'mvault checksums', too")
      .TypeName("SUMS");
  AddTrustOptions(&command, &arguments->trust);
  command.AddFlag("--require-signature", &arguments->require_signature, "Refuse to go on without --key");
  AddThreadsOption(&command, &arguments->threads);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command,
            "  mvault verify all.mvlt\n  mvault verify all.mvlt legal marketing\n"
            "  mvault verify all.mvlt --against all.sums\n"
            "  mvault verify all.mvlt --key release.pub --min-version 7\n",
            "Checks the container, restores every model and compares its digests and its file header. A line on\n"
            "standard error for each failure; one bad model does not stop the others. With --against, hashes that\n"
            "differ, and models that are missing or extra, are failures (with NAMEs, only theirs count). With --key\n"
            "every byte is proven to be what was signed.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Verify(session, *arguments); }; });
}

}  // namespace modelvault
