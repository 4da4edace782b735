// Who signs: secret keys that are files here, and signatures that were made elsewhere, by a key in a safe.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_SIGNERS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_SIGNERS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/mvault/cli/command_line.h"
#include "vault/file_system.h"
#include "vault/keys/signing_key.h"
#include "vault/signature_section.h"

namespace modelvault {

struct SignerArguments {
  std::vector<std::string> keys;           // Files of secret keys.
  std::string digest_out;                  // Where the message goes that others are to sign; empty: nowhere.
  std::vector<std::string> signatures_in;  // Files of signatures from elsewhere, one for each of `signers`,
  std::vector<std::string> signers;        // files of public keys.
};

// Declares --key, --digest-out, --signature-in and --signer. `arguments` must outlive the parsing.
void AddSignerOptions(Command* command, SignerArguments* arguments);

using KeySignature = std::pair<PublicKey, Signature>;

// What signs. Movable; the secret keys are wiped when it goes.
class Signers {
 public:
  // Reads all files. kInvalidArgument also for a key given twice, and for another number of --signature-in than of
  // --signer, unless it is 0.
  static absl::StatusOr<Signers> Read(FileSystem& file_system, const SignerArguments& arguments);

  // Whether there is anything that signs.
  bool empty() const { return keys_.empty() && made_elsewhere_.empty(); }
  // Public keys of the secret ones, then those of --signer.
  const std::vector<PublicKey>& all_keys() const { return all_keys_; }

  // kPermissionDenied, naming it, for a key that is not of the set.
  absl::Status CheckMembers(const KeySet& set) const;

  // Signatures of `message`: made by the secret keys, and those from elsewhere, which may be of any message.
  std::vector<KeySignature> Sign(absl::string_view message) const;
  // The same as what VaultWriterOptions take; null if nothing signs. This must outlive it.
  RootSigner AsRootSigner() const;

 private:
  std::vector<SigningKey> keys_;
  std::vector<KeySignature> made_elsewhere_;
  std::vector<PublicKey> all_keys_;
};

// The signature in a file: 64 bytes, or their Base64.
absl::StatusOr<Signature> ReadSignature(FileSystem& file_system, const std::string& path);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_SIGNERS_H_
