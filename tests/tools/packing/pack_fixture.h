#ifndef MODELVAULT_TESTS_TOOLS_PACKING_PACK_FIXTURE_H_
#define MODELVAULT_TESTS_TOOLS_PACKING_PACK_FIXTURE_H_

// A folder with model files and the vault that is packed of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"
#include "tools/packing/pack.h"

namespace modelvault {

class PackFixture : public testing::Test {
 protected:
  // Writes a model file and remembers it; "base" is the base.
  std::string Put(const std::string& name, const std::string& file) {
    files_of_[name] = file;
    return folder_.Write(name + ".safetensors", file);
  }
  VariantInput PutVariant(const std::string& name, const std::string& file) { return {name, Put(name, file)}; }

  absl::StatusOr<PackReport> Pack(const std::vector<VariantInput>& variants, const PackOptions& options) {
    return PackVault(files_, folder_.File("base.safetensors"), variants, vault_, options);
  }
  // Whether the vault holds just the files that were put.
  void ExpectAllBack() { EXPECT_THAT(VerifyVault(files_, vault_, &files_of_), IsOk()); }
  std::string Vault() const { return folder_.Read("v.mvlt"); }

  FileSystem& files_ = FileSystem::Default();
  TempFolder folder_;
  const std::string vault_ = folder_.File("v.mvlt");
  ModelFiles files_of_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_PACKING_PACK_FIXTURE_H_
