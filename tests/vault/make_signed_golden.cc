// Writes the golden vault of version 1.4 anew, for when the format changes (tests/regenerate): the one of 1.2, signed
// by two of three keys that came after another one.
//
//   make_signed_golden tests/vault/golden
#include <string>

#include "tests/golden_main.h"
#include "tests/vault/signed_golden.h"
#include "tests/vault/test_keys.h"
#include "vault/file_system.h"

namespace modelvault {
namespace {

absl::Status Write(const std::string& golden) {
  const std::string path = golden + "/v1.4.mvlt";
  FileSystem& files = FileSystem::Default();
  if (absl::Status status = files.Copy(golden + "/v1.2.mvlt", path); !status.ok()) return status;
  VaultWriterOptions options;
  options.sign_root = SignerOf(GoldenSigners());
  options.log_time = kGoldenTime;
  return PrepareSignature(files, path, GoldenPlan(), options);
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) { return modelvault::WriteGolden(argc, argv, modelvault::Write); }
