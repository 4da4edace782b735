#include "tools/mvault/commands/signers.h"

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/reports/signature_report.h"
#include "vault/keys/key_file.h"

namespace modelvault {
namespace {

// A signature in Base64 with some white space around it.
constexpr uint64_t kMaxSignatureFile = 1024;

absl::Status AddKey(const std::string& path, const PublicKey& key, std::vector<PublicKey>* keys) {
  if (std::find(keys->begin(), keys->end(), key) != keys->end()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the key ", KeyId(key), " is given twice"));
  }
  keys->push_back(key);
  return absl::OkStatus();
}

}  // namespace

void AddSignerOptions(Command* command, SignerArguments* arguments) {
  command->AddOption("--key", &arguments->keys, "A secret key that signs; many times: all of them")
      .TypeName("FILE")
      .OneValue();
  command->AddOption("--digest-out", &arguments->digest_out, "Write what is to be signed, for a key that is elsewhere")
      .TypeName("FILE");
  command
      ->AddOption("--signature-in", &arguments->signatures_in,
                  "The Ed25519 signature of that, 64 bytes or Base64, by the key of the --signer that belongs to it")
      .TypeName("FILE")
      .OneValue();
  command->AddOption("--signer", &arguments->signers, "The public key of a signer whose secret key is elsewhere")
      .TypeName("FILE")
      .OneValue();
}

absl::StatusOr<Signature> ReadSignature(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile(file_system, path, kMaxSignatureFile);
  if (!text.ok()) return text.status();
  std::string bytes = *text;
  if (bytes.size() != kSignatureSize &&
      (!absl::Base64Unescape(absl::StripAsciiWhitespace(*text), &bytes) || bytes.size() != kSignatureSize)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no signature: expected ", kSignatureSize,
                                                   " bytes, or their Base64, found ", text->size(), " bytes"));
  }
  Signature signature;
  std::copy(bytes.begin(), bytes.end(), signature.begin());
  return signature;
}

absl::StatusOr<Signers> Signers::Read(FileSystem& file_system, const SignerArguments& arguments) {
  Signers signers;
  for (const std::string& path : arguments.keys) {
    absl::StatusOr<SigningKey> key = ReadSigningKey(path);
    if (!key.ok()) return key.status();
    if (absl::Status status = AddKey(path, key->public_key(), &signers.all_keys_); !status.ok()) return status;
    signers.keys_.push_back(*std::move(key));
  }
  if (!arguments.signatures_in.empty() && arguments.signatures_in.size() != arguments.signers.size()) {
    return absl::InvalidArgumentError(absl::StrCat(arguments.signatures_in.size(), " signatures (--signature-in) of ",
                                                   arguments.signers.size(), " signers (--signer): one each"));
  }
  for (size_t i = 0; i < arguments.signers.size(); ++i) {
    const absl::StatusOr<PublicKey> key = ReadPublicKey(arguments.signers[i], KeyKind::kSigningPublic);
    if (!key.ok()) return key.status();
    if (absl::Status status = AddKey(arguments.signers[i], *key, &signers.all_keys_); !status.ok()) return status;
    if (arguments.signatures_in.empty()) continue;
    const absl::StatusOr<Signature> signature = ReadSignature(file_system, arguments.signatures_in[i]);
    if (!signature.ok()) return signature.status();
    signers.made_elsewhere_.emplace_back(*key, *signature);
  }
  return signers;
}

absl::Status Signers::CheckMembers(const KeySet& set) const {
  for (const PublicKey& key : all_keys_) {
    if (set.Find(key) != set.keys.size()) continue;
    return absl::PermissionDeniedError(absl::StrCat(
        "the key ", KeyId(key), " is not of the key set that signs, number ", set.number, ": ", KeyIds(set.keys)));
  }
  return absl::OkStatus();
}

std::vector<KeySignature> Signers::Sign(absl::string_view message) const {
  std::vector<KeySignature> signatures = made_elsewhere_;
  for (const SigningKey& key : keys_) signatures.emplace_back(key.public_key(), key.Sign(message));
  return signatures;
}

RootSigner Signers::AsRootSigner() const {
  if (empty()) return nullptr;
  return [this](absl::string_view message) { return Sign(message); };
}

}  // namespace modelvault
