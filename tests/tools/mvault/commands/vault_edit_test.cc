#include "tools/mvault/commands/vault_edit.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/status_matchers.h"
#include "tests/tools/mvault/cli_models.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

// A vault, and another that differs from it in some way.
class CheckKeptTest : public testing::Test {
 protected:
  std::unique_ptr<VaultReader> Open(const std::string& path) {
    auto reader = VaultReader::Open(FileSystem::Default(), path);
    EXPECT_THAT(reader, IsOk());
    return reader.ok() ? *std::move(reader) : nullptr;
  }

  // The vault with bytes of `length` at `offset` inverted.
  std::unique_ptr<VaultReader> Changed(const std::string& path, uint64_t offset) {
    std::string bytes = models_.folder().Read("all.mvlt");
    bytes[static_cast<size_t>(offset)] = static_cast<char>(~bytes[static_cast<size_t>(offset)]);
    return Open(models_.folder().Write(path, bytes));
  }

  CliModels models_;
};

TEST_F(CheckKeptTest, AcceptsTheVaultItself) {
  const auto vault = Open(models_.Pack());
  EXPECT_THAT(CheckKept(*vault, *vault, {}), IsOk());
}

TEST_F(CheckKeptTest, FindsAChangedByteInTheBaseAndInAKeptBlob) {
  const auto vault = Open(models_.Pack());
  const SectionPlace& base = vault->header().section(Section::kBase);
  const auto other_base = Changed("base.mvlt", base.offset + base.size / 2);
  EXPECT_THAT(CheckKept(*vault, *other_base, {}), StatusIs(absl::StatusCode::kInternal, HasSubstr("BASE did not")));

  ASSERT_OK_AND_ASSIGN(const VaultVariant* const many, vault->Find("many"));
  const auto other_blob = Changed("blob.mvlt", many->offset + many->stored_size - 1);
  EXPECT_THAT(CheckKept(*vault, *other_blob, {}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("variant 'many' did not")));
  VaultChanges removal;
  removal.remove = {"many"};
  EXPECT_THAT(CheckKept(*vault, *other_blob, removal), IsOk()) << "what is removed need not be there";
}

TEST_F(CheckKeptTest, FindsAVariantThatIsGoneOrUnderAnotherName) {
  const auto vault = Open(models_.Pack());
  VaultChanges rename;
  rename.rename = {{"few", "a few"}};
  EXPECT_THAT(CheckKept(*vault, *vault, rename), StatusIs(absl::StatusCode::kNotFound, HasSubstr("a few")));
  rename.rename = {{"few", "many"}, {"many", "few"}};  // The file has them the other way round.
  EXPECT_THAT(CheckKept(*vault, *vault, rename), StatusIs(absl::StatusCode::kInternal));
}

TEST_F(CheckKeptTest, FindsAnotherBase) {
  const auto vault = Open(models_.Pack());
  const CliModels others(/*seed=*/7);
  const auto other = Open(others.Pack());
  EXPECT_THAT(CheckKept(*vault, *other, {}), StatusIs(absl::StatusCode::kInternal, HasSubstr("the base did not")));
}

}  // namespace
}  // namespace modelvault
