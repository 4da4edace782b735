// Keys in files and vaults that they sign, for tests of mvault.
#ifndef MODELVAULT_TESTS_TOOLS_MVAULT_COMMANDS_SIGNED_FILES_H_
#define MODELVAULT_TESTS_TOOLS_MVAULT_COMMANDS_SIGNED_FILES_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"
#include "vault/keys/key_file.h"

namespace modelvault {

using Arguments = std::vector<std::string>;

// `a` and then `b`.
inline Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// What a run prints, with its exit code: why it failed, or what it tells.
inline testing::Matcher<const ProgramRun&> Fails(int exit_code, const std::string& message) {
  return testing::AllOf(testing::Field(&ProgramRun::exit_code, exit_code),
                        testing::Field(&ProgramRun::err, testing::HasSubstr(message)));
}
inline testing::Matcher<const ProgramRun&> Succeeds(const std::string& text = "") {
  return testing::AllOf(testing::Field(&ProgramRun::exit_code, 0),
                        testing::Field(&ProgramRun::out, testing::HasSubstr(text)));
}

class SignedFiles {
 public:
  SignedFiles() : vault_(models_.Pack()) {
    uint8_t seed = 1;
    for (const char* name : {"ann", "bob", "cat", "dan"}) {
      SecretBytes secret(kKeySize);
      for (size_t i = 0; i < secret.size(); ++i) secret.data()[i] = seed;
      ++seed;
      EXPECT_TRUE(WriteKeyFile(Secret(name), KeyKind::kSigningSecret, {secret.data(), secret.size()}).ok());
      EXPECT_TRUE(WriteKeyFile(Public(name), KeyKind::kSigningPublic, SigningKey(secret).public_key()).ok());
    }
  }

  const CliModels& models() const { return models_; }
  const std::string& vault() const { return vault_; }
  std::string File(const std::string& name) const { return models_.File(name); }
  std::string Secret(const std::string& name) const { return File(name + ".key"); }
  std::string Public(const std::string& name) const { return File(name + ".pub"); }
  std::string Id(const std::string& name) const {
    const auto key = ReadPublicKey(Public(name), KeyKind::kSigningPublic);
    return key.ok() ? KeyId(*key) : "no key";
  }

  // "--key ann.key --key bob.key" and the like, of secret or public keys.
  Arguments Secrets(const Arguments& names) const { return Options("--key", names, ".key"); }
  Arguments Publics(const Arguments& names) const { return Options("--key", names, ".pub"); }
  Arguments Options(const std::string& option, const Arguments& names, const std::string& suffix) const {
    Arguments options;
    for (const std::string& name : names) options = options + Arguments{option, File(name + suffix)};
    return options;
  }

  ProgramRun Sign(const Arguments& options) const { return Mvault(Arguments{"sign", vault_} + options); }
  ProgramRun Verify(const Arguments& options) const { return Mvault(Arguments{"verify", vault_} + options); }

  std::string Bytes() const { return models_.folder().Read(std::filesystem::path(vault_).filename()); }
  void SetBytes(const std::string& bytes) const {
    models_.folder().Write(std::filesystem::path(vault_).filename(), bytes);
  }

 private:
  CliModels models_;
  std::string vault_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_MVAULT_COMMANDS_SIGNED_FILES_H_
