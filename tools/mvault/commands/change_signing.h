// What commands that change a vault do about its signature: with --key they sign what they have made, without it they
// say that the vault is not signed any more.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_CHANGE_SIGNING_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_CHANGE_SIGNING_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "tools/mvault/cli/command_line.h"
#include "tools/mvault/cli/console.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/signers.h"
#include "vault/vault_reader.h"
#include "vault/vault_signing.h"
#include "vault/vault_trust.h"

namespace modelvault {

// Declares --key. `keys` must outlive the parsing.
void AddChangeKeyOption(Command* command, std::vector<std::string>* keys);

class ChangeSigning {
 public:
  // For a change of the vault at `path`. With keys it must be signed, by the key set that they are of: a vault that
  // somebody else changed is not to be signed unseen. kPermissionDenied otherwise.
  static absl::StatusOr<ChangeSigning> OfChange(Session& session, const std::string& path,
                                                const std::vector<std::string>& keys);
  // For a new vault that takes the name `path`: with keys it keeps the id and key sets of a vault that is there, on the
  // same terms, else gets its own.
  static absl::StatusOr<ChangeSigning> OfNewVault(Session& session, const std::string& path,
                                                  const std::vector<std::string>& keys);

  // What the change is written with. This must outlive them.
  RootSigner sign_root() const { return signers_.AsRootSigner(); }
  // SIGNATURE of a new vault that is to be signed.
  const std::optional<SignatureSection>& signature() const { return signature_; }
  const std::optional<VaultTrust>& trust() const { return trust_; }

  // Whether there is anything that signs.
  bool signs() const { return !signers_.empty(); }

  // What is to be said of the signature, in text and JSON: empty and null if there is none.
  struct Report {
    std::string text;
    Json json;
  };
  // Takes that from the vault as it is written.
  void NoteWritten(const VaultReader& written);
  // After the change: prints the note that the vault is not signed, if it was.
  const Report& End(Session& session) const;

 private:
  ChangeSigning() = default;

  static absl::StatusOr<ChangeSigning> Begin(Session& session, const std::string& path,
                                             const std::vector<std::string>& keys);
  absl::Status TakeVault(Session& session);

  std::string path_;
  Signers signers_;
  bool was_signed_ = false;                    // There was SIGNATURE.
  std::optional<VaultTrust> trust_;            // In what there was, with keys.
  std::optional<SigningPlan> was_;             // Its plan, with keys.
  std::optional<SignatureSection> signature_;  // Of a new vault that is to be signed.
  Report report_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_CHANGE_SIGNING_H_
