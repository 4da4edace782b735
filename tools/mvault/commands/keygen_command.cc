#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/commands.h"
#include "vault/hex_text.h"
#include "vault/keys/key_file.h"
#include "vault/keys/signing_key.h"

namespace modelvault {
namespace {

constexpr char kSecretSuffix[] = ".key";

struct Arguments {
  std::string name;
  bool device = false;
  bool tenant = false;
  bool json = false;
};

// The files that were made, to be removed again if a later one cannot be.
class MadeFiles {
 public:
  explicit MadeFiles(FileSystem& file_system) : file_system_(file_system) {}
  ~MadeFiles() {
    for (const std::string& path : paths_) static_cast<void>(file_system_.Remove(path));
  }
  MadeFiles(const MadeFiles&) = delete;
  MadeFiles& operator=(const MadeFiles&) = delete;

  absl::Status Make(const std::string& path, KeyKind kind, absl::Span<const uint8_t> key) {
    absl::Status status = WriteKeyFile(path, kind, key);
    if (status.ok()) paths_.push_back(path);
    return status;
  }
  void Keep() { paths_.clear(); }

 private:
  FileSystem& file_system_;
  std::vector<std::string> paths_;
};

absl::StatusOr<ExitCode> Keygen(Session& session, const Arguments& arguments) {
  if (arguments.device && arguments.tenant) return UsageError(session, "--device and --tenant are keys of two owners");
  if (absl::EndsWith(arguments.name, kSecretSuffix)) {
    return UsageError(session, "--out is a name, to which '.key' and '.pub' are added");
  }
  const KeyKind secret_kind = arguments.device ? KeyKind::kDeviceSecret : KeyKind::kSigningSecret;
  const KeyKind public_kind = arguments.device ? KeyKind::kDevicePublic : KeyKind::kSigningPublic;
  const std::string secret_path = absl::StrCat(arguments.name, kSecretSuffix);
  const std::string public_path = absl::StrCat(arguments.name, ".pub");
  const std::string content_path = absl::StrCat(arguments.name, ".content");
  const SecretBytes secret = MakeSecretKey();
  const PublicKey key = PublicKeyOf(secret_kind, secret);
  MadeFiles made(session.file_system);
  if (absl::Status status = made.Make(secret_path, secret_kind, {secret.data(), secret.size()}); !status.ok()) {
    return status;
  }
  if (absl::Status status = made.Make(public_path, public_kind, key); !status.ok()) return status;
  if (arguments.tenant) {
    const SecretBytes content = MakeSecretKey();
    absl::Status status = made.Make(content_path, KeyKind::kContentSecret, {content.data(), content.size()});
    if (!status.ok()) return status;
  }
  made.Keep();
  if (arguments.json) {
    session.console.PrintJson({{"kind", arguments.device   ? "device"
                                        : arguments.tenant ? "tenant"
                                                           : "signing"},
                               {"key_id", KeyId(key)},
                               {"public_key", HexText(key)},
                               {"secret_file", secret_path},
                               {"public_file", public_path},
                               {"content_file", arguments.tenant ? Json(content_path) : Json(nullptr)}});
    return ExitCode::kOk;
  }
  std::string text = absl::StrFormat("%s: %s, keep it secret\n%s: its public key %s\n", Printable(secret_path),
                                     DescriptionOf(secret_kind), Printable(public_path), KeyId(key));
  if (arguments.tenant) {
    absl::StrAppend(&text, Printable(content_path), ": ", DescriptionOf(KeyKind::kContentSecret), ", keep it secret\n");
  }
  session.console.Print(text);
  return ExitCode::kOk;
}

}  // namespace

void AddKeygenCommand(Command& app, Session& session) {
  Command command = app.AddCommand("keygen", "Make a key pair");
  auto arguments = std::make_shared<Arguments>();
  command.AddOption("--out", &arguments->name, "The files' name: NAME.key is the secret key, NAME.pub the public one")
      .TypeName("NAME")
      .Required();
  command.AddFlag("--device", &arguments->device, "Of a device group (X25519), for which tenants' keys are wrapped");
  command.AddFlag("--tenant", &arguments->tenant, "Of a tenant: also NAME.content, which its variants are sealed with");
  AddJsonFlag(&command, &arguments->json);
  SetFooter(
      &command, "  mvault keygen --out release\n  mvault keygen --tenant --out clinic\n",
      "Secret files have mode 0600. Nothing is ever overwritten. Without --device keys are for signing (Ed25519);\n"
      "both kinds are PEM files that openssl reads and writes, too.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Keygen(session, *arguments); }; });
}

}  // namespace modelvault
