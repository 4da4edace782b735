// Vaults for hosts alone, from files and back: what the packer promises of all vaults, and what is special to them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"
#include "tests/tools/packing/pack_fixture.h"
#include "tools/packing/pack.h"
#include "vault/core/vault_view.h"
#include "vault/vault_editor.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

PackOptions Options(uint32_t chunk_size, uint32_t segment_size, int threads) {
  PackOptions options;
  options.profile = BaseProfile::kHost;
  options.chunk_size = chunk_size;
  options.segment_size = segment_size;
  options.threads = threads;
  return options;
}

class HostPackTest : public PackFixture {
 protected:
  VaultHeader Header() {
    const auto reader = VaultReader::Open(files_, vault_);
    EXPECT_THAT(reader, IsOk());
    return reader.ok() ? (*reader)->header() : VaultHeader();
  }
};

TEST_F(HostPackTest, RandomModelsComeBackByteForByteAndTheSameOnAnyNumberOfThreads) {
  constexpr uint32_t kChunkSizes[] = {0, 256, 512, 4096};
  constexpr uint32_t kSegmentSizes[] = {0, 4096, 4352, 16384};
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    TestRandom random(seed);
    files_of_.clear();
    const FileModel base = RandomModel(&random, 12);
    Put("base", SerializeOddly(base, &random));
    std::vector<VariantInput> variants;
    for (uint64_t v = random.Below(5); v > 0; --v) {
      variants.push_back(PutVariant(absl::StrCat("dept-", v), SerializeOddly(RandomVariant(base, &random), &random)));
    }
    PackOptions options = Options(kChunkSizes[random.Below(4)], kSegmentSizes[random.Below(4)], 1);
    const auto report = Pack(variants, options);
    ASSERT_THAT(report, IsOk());
    ExpectAllBack();
    EXPECT_EQ(report->profile->profile, BaseProfile::kHost);
    const std::string bytes = Vault();
    const VaultHeader header = Header();
    EXPECT_TRUE(header.has_host_codings());
    EXPECT_EQ(header.version_minor(), 5);
    EXPECT_EQ(header.chunk_size, options.chunk_size == 0 ? 256u << 10 : options.chunk_size);
    EXPECT_EQ(header.segment_size, options.segment_size == 0 ? 256u << 10 : options.segment_size);
    options.threads = 3;
    ASSERT_THAT(Pack(variants, options), IsOk());
    ASSERT_TRUE(Vault() == bytes);
  }
}

TEST_F(HostPackTest, AVaultThatIsEditedStaysOneForHosts) {
  TestRandom random(50);
  const FileModel base = RandomModel(&random, 10);
  Put("base", Serialize(base));
  ASSERT_THAT(Pack({PutVariant("a", Serialize(RandomVariant(base, &random)))}, Options(512, 4096, 2)), IsOk());
  // What the options say of a new vault does not count.
  PackOptions others;
  others.threads = 2;
  const auto added = AddVariants(
      files_, vault_, {PutVariant("b", Serialize(Ternary(base, 4, &random))), PutVariant("c", Serialize(base))}, false,
      others);
  ASSERT_THAT(added, IsOk());
  ExpectAllBack();
  ASSERT_THAT(AddVariants(files_, vault_, {PutVariant("a", Serialize(Ternary(base, 9, &random)))}, true, others),
              IsOk());
  ExpectAllBack();
  VaultChanges changes;
  changes.remove = {"a"};
  changes.rename = {{"b", "d"}};
  changes.compact = true;
  ASSERT_OK_AND_ASSIGN(const auto writer, EditVault(files_, vault_, changes, {}));
  ASSERT_THAT(writer->Finish(), IsOk());
  ASSERT_THAT(writer->Commit(), IsOk());
  files_of_["d"] = files_of_["b"];
  files_of_.erase("a");
  files_of_.erase("b");
  ExpectAllBack();
  EXPECT_TRUE(Header().has_host_codings());
}

TEST_F(HostPackTest, AVariantThatIsTheBaseTakesNoBytes) {
  TestRandom random(51);
  FileModel base = RandomModel(&random, 6);
  base.tensors.push_back(MakeTensor("large", "BF16", {100, 70}, &random));
  Put("base", Serialize(base));
  FileModel last_differs = base;
  last_differs.tensors.back().data.back() ^= 1;
  ASSERT_OK_AND_ASSIGN(const PackReport report, Pack({PutVariant("same", SerializeOddly(base, &random)),
                                                      PutVariant("last", Serialize(last_differs))},
                                                     Options(4096, 8192, 2)));
  EXPECT_EQ(report.variants[0].stored_size, 0u);
  EXPECT_GT(report.variants[1].stored_size, 0u);
  ExpectAllBack();
}

TEST_F(HostPackTest, BoardsRefuseItAndItRefusesANetwork) {
  TestRandom random(52);
  const FileModel base = RandomModel(&random, 4);
  Put("base", Serialize(base));
  ASSERT_THAT(Pack({}, Options(0, 0, 1)), IsOk());
  const std::string bytes = Vault();
  VaultHeader header;
  uint32_t field = 0;
  EXPECT_EQ(ParseHeader(ToByteView(bytes), bytes.size(), &header, &field), CoreStatus::kUnknownVersion);
  EXPECT_EQ(field, kFeaturesField.offset);

  PackOptions options = Options(0, 0, 1);
  options.network.emplace();
  EXPECT_THAT(Pack({}, options), StatusIs(StatusCode::kInvalidArgument, HasSubstr("profile host")));
  EXPECT_EQ(Vault(), bytes);
  VaultParams params;
  params.host_codings = true;
  ASSERT_OK_AND_ASSIGN(const auto writer, VaultWriter::Create(files_, folder_.File("new"), params, "model"));
  ASSERT_THAT(writer->FinishBase({}, "header"), IsOk());
  EXPECT_THAT(writer->AddNetwork("network"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("for boards")));
}

TEST_F(HostPackTest, ABudgetHolds) {
  TestRandom random(53);
  Put("base", Serialize(RandomModel(&random, 10)));
  PackOptions options = Options(0, 0, 1);
  options.budget = 100;
  EXPECT_THAT(Pack({}, options), StatusIs(StatusCode::kResourceExhausted, HasSubstr("over budget")));
}

}  // namespace
}  // namespace modelvault
