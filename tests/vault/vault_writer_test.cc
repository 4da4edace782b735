#include "vault/vault_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/temp_folder.h"
#include "tests/vault/test_vault.h"
#include "vault/variant_name.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

class VaultWriterTest : public testing::Test {
 protected:
  std::string Write(const TestContents& contents, const VaultWriterOptions& options = {}) {
    EXPECT_THAT(WriteVault(files_, path_, contents, options), IsOk());
    EXPECT_THAT(folder_.Names(), ElementsAre("v.mvlt"));
    return folder_.Read("v.mvlt");
  }

  TempFolder folder_;
  FileSystem& files_ = FileSystem::Default();
  const std::string path_ = folder_.File("v.mvlt");
};

TEST_F(VaultWriterTest, GivesBackWhatItWasGiven) {
  for (const size_t variants : {0, 1, 2, 8, 100}) {
    for (const uint64_t base_size : {0, 1, 255, 256, 257, 1000}) {
      SCOPED_TRACE(absl::StrCat(variants, " variants, base of ", base_size));
      const TestContents contents = MakeTestContents(variants + 1, variants, base_size);
      ExpectContents(Write(contents), contents);
    }
  }
}

TEST_F(VaultWriterTest, GivesBackTheWideProfile) {
  const TestContents contents = MakeTestContents(3, 8);
  for (const bool wide_chunks : {false, true}) {
    for (const bool wide_index : {false, true}) {
      const std::string vault = Write(contents, {.wide_chunks = wide_chunks, .wide_index = wide_index});
      EXPECT_EQ(Load<uint32_t>(vault, 12), (wide_chunks ? 1u : 0u) | (wide_index ? 2u : 0u));
      EXPECT_EQ(SectionSize(vault, 1), (wide_chunks ? 12u : 8u) * 4);
      ExpectContents(vault, contents);
    }
  }
}

TEST_F(VaultWriterTest, MakesTheChunkDirectoryWideForLargeBases) {
  for (const uint64_t size : {(uint64_t{1} << 31) - 1, uint64_t{1} << 31}) {
    const VaultParams params = {.chunk_size = 1 << 24, .segment_size = 4096, .base_data_size = size, .tensor_count = 1};
    ASSERT_OK_AND_ASSIGN(const auto writer, VaultWriter::Create(files_, path_, params, "MODEL"));
    for (int chunk = 0; chunk < 128; ++chunk) ASSERT_THAT(writer->AppendBaseChunk("chunk"), IsOk());
    ASSERT_THAT(writer->FinishBase({}, ""), IsOk());
    ASSERT_THAT(writer->Finish(), IsOk());
    ASSERT_OK_AND_ASSIGN(const auto reader, writer->OpenWritten());
    EXPECT_EQ(reader->header().features, size < uint64_t{1} << 31 ? 0u : kFeatureWideChunks);
    EXPECT_EQ(reader->header().chunk_entry_size(), size < uint64_t{1} << 31 ? 8u : 12u);
  }
}

TEST_F(VaultWriterTest, SameInputGivesTheSameBytes) {
  const TestContents contents = MakeTestContents(4, 9);
  const std::string once = Write(contents);
  EXPECT_EQ(Write(contents), once);
}

TEST_F(VaultWriterTest, LaysOutTheFileAsTheFormatSays) {
  const TestContents contents = MakeTestContents(5, 9);
  const std::string vault = Write(contents);
  // Sections and blobs follow one another at the next multiple of 4, blobs in the order of adding, their heads of
  // even size.
  uint64_t at = 256;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(SectionOffset(vault, i), at);
    at = (at + SectionSize(vault, i) + 3) / 4 * 4;
  }
  ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::Open(files_, path_));
  for (const TestVariant& variant : contents.variants) {
    ASSERT_OK_AND_ASSIGN(const VaultVariant* entry, reader->Find(variant.name));
    if (variant.segments.empty() && variant.layout.form == LayoutForm::kBase) {
      EXPECT_EQ(entry->offset, 0u);
      EXPECT_EQ(entry->stored_size, 0u);
      continue;
    }
    EXPECT_EQ(entry->offset, at);
    size_t size = 1 + variant.layout.bytes.size();
    if (variant.segments.size() > 1) size += 1 + 8 * variant.segments.size();
    size += size % 2;
    for (const std::string& segment : variant.segments) size += segment.size();
    EXPECT_EQ(entry->stored_size, size);
    at = (at + size + 3) / 4 * 4;
  }
  EXPECT_EQ(SectionOffset(vault, 3), at);
  EXPECT_EQ(SectionOffset(vault, 4), (at + SectionSize(vault, 3) + 3) / 4 * 4);
  EXPECT_EQ(SectionOffset(vault, 4) + SectionSize(vault, 4), vault.size());
}

TEST_F(VaultWriterTest, IsOfTheLowestVersionThatWillDo) {
  TestContents contents = MakeTestContents(5, 4);
  std::string vault = Write(contents);
  EXPECT_EQ(Load<uint16_t>(vault, 10), 0);
  EXPECT_EQ(Load<uint32_t>(vault, 12), 0u);
  EXPECT_EQ(Load<uint32_t>(vault, 216), 0u);
  contents.variants[0].layout = TestFreeLayout(4);
  contents.variants[1].layout = TestFreeLayout(7);
  contents.variants[2].layout = TestFreeLayout(5);
  vault = Write(contents);
  EXPECT_EQ(Load<uint16_t>(vault, 10), 1);
  EXPECT_EQ(Load<uint32_t>(vault, 12), 4u);
  EXPECT_EQ(Load<uint32_t>(vault, 216), 7u);
  ExpectContents(vault, contents);
  // A layout without tensors counts as one of one: 0 would say that there is none.
  contents = MakeTestContents(5, 1);
  contents.variants[0].layout = TestFreeLayout(0);
  contents.variants[0].segments = {};
  vault = Write(contents);
  EXPECT_EQ(Load<uint16_t>(vault, 10), 1);
  EXPECT_EQ(Load<uint32_t>(vault, 216), 1u);
  ExpectContents(vault, contents);
}

TEST_F(VaultWriterTest, ANetworkTakesVersion12AndLiesBetweenBaseAndBlobs) {
  TestContents contents = MakeTestContents(5, 3);
  const std::string plain = Write(contents);
  for (const size_t size : {1, 2, 3, 4, 5, 1000}) {
    contents.network = TestRandom(size).Bytes(size);
    const std::string vault = Write(contents);
    ExpectContents(vault, contents);
    EXPECT_EQ(Load<uint16_t>(vault, 10), 2);
    EXPECT_EQ(Load<uint32_t>(vault, 12), 8u);
    const size_t base_end = SectionOffset(vault, 2) + SectionSize(vault, 2);
    EXPECT_EQ(SectionOffset(vault, 6), (base_end + 3) / 4 * 4);
    EXPECT_EQ(SectionSize(vault, 6), size);
    EXPECT_EQ(vault.substr(SectionOffset(vault, 6), size), contents.network);
    EXPECT_EQ(vault.size(), plain.size() + (size + 3) / 4 * 4);
  }
  contents.variants[1].layout = TestFreeLayout(2);
  const std::string vault = Write(contents);
  EXPECT_EQ(Load<uint16_t>(vault, 10), 2);
  EXPECT_EQ(Load<uint32_t>(vault, 12), 12u);
  ExpectContents(vault, contents);
}

TEST_F(VaultWriterTest, FramesThatDescribeThemselvesTakeVersion13) {
  const std::string described = "MVFRAME\x01 and so on";
  TestContents contents = MakeTestContents(5, 3);
  contents.base_header = described;
  std::string vault = Write(contents);
  ExpectContents(vault, contents);
  EXPECT_EQ(Load<uint16_t>(vault, 10), 3);
  EXPECT_EQ(Load<uint32_t>(vault, 12), 16u);
  contents = MakeTestContents(5, 3);
  contents.variants[1].header = described;
  contents.variants[1].layout = TestFreeLayout(2);
  vault = Write(contents);
  ExpectContents(vault, contents);
  EXPECT_EQ(Load<uint16_t>(vault, 10), 3);
  EXPECT_EQ(Load<uint32_t>(vault, 12), 20u);
  contents.variants[1].header = "MVFRAME\x02 and so on";
  EXPECT_EQ(Load<uint16_t>(Write(contents), 10), 1);
}

TEST_F(VaultWriterTest, ANetworkIsGivenOnceAndBeforeTheVariants) {
  const auto out_of_order = StatusIs(StatusCode::kFailedPrecondition, HasSubstr("AddNetwork called out of order"));
  const TestContents contents = MakeTestContents(6, 1);
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, VaultWriter::Create(files_, path_, contents.params, contents.model));
    EXPECT_THAT(writer->AddNetwork("n"), out_of_order);
  }
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, StartVault(files_, path_, contents));
    EXPECT_THAT(writer->AddNetwork(""), StatusIs(StatusCode::kInvalidArgument, HasSubstr("empty NETWORK")));
    ASSERT_THAT(writer->AddNetwork("n"), IsOk());
    EXPECT_THAT(writer->AddNetwork("n"), out_of_order);
  }
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, StartVault(files_, path_, contents));
    ASSERT_THAT(AddVariant(*writer, contents.variants[0]), IsOk());
    EXPECT_THAT(writer->AddNetwork("n"), out_of_order);
  }
  Write(contents);
  ASSERT_OK_AND_ASSIGN(const auto edit, EditVault(files_, path_, {.remove = {"dept-0"}, .rename = {}}));
  EXPECT_THAT(edit->AddNetwork("n"), out_of_order);
}

TEST_F(VaultWriterTest, RefusesMoreTensorsThanTheFormatAllows) {
  ASSERT_OK_AND_ASSIGN(const auto writer, StartVault(files_, path_, MakeTestContents(5, 0)));
  EXPECT_THAT(writer->BeginVariant("a", {LayoutForm::kFree, (1 << 20) + 1, ""}, 1),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("variant 'a': 1048577 tensors, at most 1048576")));
}

TEST_F(VaultWriterTest, AccountsForEveryByte) {
  TestContents contents = MakeTestContents(5, 9);
  contents.network = "a network";
  const std::string vault = Write(contents);
  ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::Open(files_, path_));
  const VaultBytes bytes = reader->BytesBySection();
  EXPECT_EQ(bytes.file, vault.size());
  EXPECT_EQ(bytes.header, 256u);
  EXPECT_EQ(bytes.model, SectionSize(vault, 0));
  EXPECT_EQ(bytes.index, SectionSize(vault, 3));
  EXPECT_EQ(bytes.network, 9u);
  EXPECT_EQ(bytes.header + bytes.model + bytes.chunks + bytes.base + bytes.network + bytes.variants + bytes.index +
                bytes.manifest + bytes.unused,
            vault.size());
  EXPECT_LT(bytes.unused, 8u * 13);
}

TEST_F(VaultWriterTest, OpensWhatIsWrittenBeforeTheCommit) {
  const TestContents contents = MakeTestContents(6, 5);
  ASSERT_OK_AND_ASSIGN(const auto writer, StartVault(files_, path_, contents));
  for (const TestVariant& variant : contents.variants) ASSERT_THAT(AddVariant(*writer, variant), IsOk());
  EXPECT_THAT(writer->OpenWritten(), StatusIs(StatusCode::kFailedPrecondition));
  ASSERT_THAT(writer->Finish(), IsOk());
  EXPECT_THAT(files_.Exists(path_), IsOkAndHolds(false));
  {
    ASSERT_OK_AND_ASSIGN(const auto reader, writer->OpenWritten());
    EXPECT_THAT(ReadAll(*reader), IsOk());
    EXPECT_EQ(reader->header().file_size, writer->file_size());
    EXPECT_EQ(reader->variants().size(), 5u);
  }
  ASSERT_THAT(writer->Commit(), IsOk());
  ExpectContents(folder_.Read("v.mvlt"), contents);
  EXPECT_THAT(writer->Commit(), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(VaultWriterTest, AVaultThatSomebodyMadeMeanwhileIsNotLost) {
  const VaultParams params = {.chunk_size = 4096, .segment_size = 4096, .base_data_size = 0, .tensor_count = 0};
  ASSERT_OK_AND_ASSIGN(const auto writer, VaultWriter::Create(files_, path_, params, "MODEL"));
  ASSERT_THAT(writer->FinishBase({}, ""), IsOk());
  ASSERT_THAT(writer->Finish(), IsOk());
  folder_.Write("v.mvlt", "theirs");
  EXPECT_THAT(writer->Commit(), StatusIs(StatusCode::kAborted, HasSubstr("another program made it meanwhile")));
  EXPECT_EQ(folder_.Read("v.mvlt"), "theirs");
}

TEST_F(VaultWriterTest, LeavesNothingBehindWithoutACommit) {
  folder_.Write("v.mvlt", "something else");
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, StartVault(files_, path_, MakeTestContents(6, 1)));
    ASSERT_THAT(writer->Finish(), IsOk());
  }
  EXPECT_THAT(folder_.Names(), ElementsAre("v.mvlt"));
  EXPECT_EQ(folder_.Read("v.mvlt"), "something else");
}

TEST_F(VaultWriterTest, RefusesParametersOutOfRange) {
  const auto create = [&](const VaultParams& params) {
    return VaultWriter::Create(files_, path_, params, "MODEL").status();
  };
  EXPECT_THAT(create({.chunk_size = 300}), StatusIs(StatusCode::kInvalidArgument, HasSubstr("chunk size 300")));
  EXPECT_THAT(create({.chunk_size = 0}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(create({.chunk_size = (1 << 24) + 256}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(create({.segment_size = 2048}), StatusIs(StatusCode::kInvalidArgument, HasSubstr("segment size 2048")));
  EXPECT_THAT(create({.base_data_size = (uint64_t{1} << 60) + 1}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(folder_.Names(), ElementsAre());
}

TEST_F(VaultWriterTest, RefusesBadNames) {
  ASSERT_OK_AND_ASSIGN(const auto writer, StartVault(files_, path_, MakeTestContents(6, 0)));
  const auto begin = [&](const std::string& name) { return writer->BeginVariant(name, {}, 1); };
  EXPECT_THAT(begin(""), StatusIs(StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(begin(std::string(300, 'x')), StatusIs(StatusCode::kInvalidArgument, HasSubstr("300 bytes")));
  EXPECT_THAT(begin("."), StatusIs(StatusCode::kInvalidArgument, HasSubstr("'.' is reserved")));
  EXPECT_THAT(begin(".."), StatusIs(StatusCode::kInvalidArgument, HasSubstr("reserved")));
  EXPECT_THAT(begin("base"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("'base' is reserved")));
  EXPECT_THAT(begin("-x"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("'-x' begins with '-'")));
  EXPECT_THAT(begin("a/b"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("'a/b' contains")));
  EXPECT_THAT(begin(std::string("a\0b", 3)), StatusIs(StatusCode::kInvalidArgument, HasSubstr("'a\\x00")));
  EXPECT_THAT(begin("a\xFF"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("'a\\xff' is not valid UTF-8")));
  // None of it did any harm.
  EXPECT_THAT(AddVariant(*writer, MakeTestVariant("a", 1, false, 1)), IsOk());
  EXPECT_THAT(begin("a"), StatusIs(StatusCode::kAlreadyExists, HasSubstr("v.mvlt: there is a variant 'a'")));
  ASSERT_THAT(writer->Finish(), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto reader, writer->OpenWritten());
  EXPECT_EQ(reader->variants().size(), 1u);
}

TEST_F(VaultWriterTest, RefusesCallsOutOfOrder) {
  const auto out_of_order = StatusIs(StatusCode::kFailedPrecondition, HasSubstr("out of order"));
  const TestContents contents = MakeTestContents(6, 0);
  ASSERT_OK_AND_ASSIGN(const auto writer, VaultWriter::Create(files_, path_, contents.params, contents.model));
  EXPECT_THAT(writer->BeginVariant("a", {}, 1), out_of_order);
  EXPECT_THAT(writer->AppendSegment("s"), out_of_order);
  EXPECT_THAT(writer->FinishVariant({}, ""), out_of_order);
  EXPECT_THAT(writer->Finish(), out_of_order);
  EXPECT_THAT(writer->Commit(), out_of_order);
  for (const std::string& chunk : contents.chunks) ASSERT_THAT(writer->AppendBaseChunk(chunk), IsOk());
  ASSERT_THAT(writer->FinishBase({}, ""), IsOk());
  EXPECT_THAT(writer->AppendBaseChunk("c"), out_of_order);
  EXPECT_THAT(writer->FinishBase({}, ""), out_of_order);
  ASSERT_THAT(writer->BeginVariant("a", {}, 1), IsOk());
  EXPECT_THAT(writer->BeginVariant("b", {}, 1), out_of_order);
  EXPECT_THAT(writer->Finish(), out_of_order);
  ASSERT_THAT(writer->AppendSegment("s"), IsOk());
  ASSERT_THAT(writer->FinishVariant({}, ""), IsOk());
  ASSERT_THAT(writer->Finish(), IsOk());
  EXPECT_THAT(writer->Finish(), out_of_order);
  EXPECT_THAT(writer->BeginVariant("b", {}, 1), out_of_order);
}

TEST_F(VaultWriterTest, RefusesCountsThatDoNotMatch) {
  const TestContents contents = MakeTestContents(6, 0);
  ASSERT_OK_AND_ASSIGN(const auto writer, VaultWriter::Create(files_, path_, contents.params, contents.model));
  EXPECT_THAT(writer->AppendBaseChunk(""), StatusIs(StatusCode::kInvalidArgument));
  for (int i = 0; i < 3; ++i) ASSERT_THAT(writer->AppendBaseChunk("c"), IsOk());
  EXPECT_THAT(writer->FinishBase({}, ""),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("3 base chunks, expected 4")));
  ASSERT_THAT(writer->AppendBaseChunk("c"), IsOk());
  EXPECT_THAT(writer->AppendBaseChunk("c"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("more base chunks")));
  ASSERT_THAT(writer->FinishBase({}, ""), IsOk());
  ASSERT_THAT(writer->BeginVariant("a", {}, 2), IsOk());
  EXPECT_THAT(writer->AppendSegment(""), StatusIs(StatusCode::kInvalidArgument));
  ASSERT_THAT(writer->AppendSegment("s"), IsOk());
  EXPECT_THAT(writer->FinishVariant({}, ""),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("variant 'a': 1 segments, 2 announced")));
  ASSERT_THAT(writer->AppendSegment("s"), IsOk());
  EXPECT_THAT(writer->AppendSegment("s"), StatusIs(StatusCode::kInvalidArgument));
  ASSERT_THAT(writer->FinishVariant({}, ""), IsOk());
  EXPECT_THAT(writer->BeginVariant("b", {}, uint64_t{1} << 40), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(VaultWriterTest, RefusesHeadersThatReadersWouldRefuse) {
  TestContents contents = MakeTestContents(6, 0);
  contents.base_header = std::string(8 << 20, ' ');
  ASSERT_OK_AND_ASSIGN(const auto writer, StartVault(files_, path_, contents));
  EXPECT_THAT(writer->Finish(), StatusIs(StatusCode::kResourceExhausted, HasSubstr("v.mvlt: the file headers")));
}

TEST_F(VaultWriterTest, WaitsForOrGivesWayToWhoHoldsTheOldVault) {
  Write(MakeTestContents(7, 1));
  ASSERT_OK_AND_ASSIGN(auto lock, files_.Lock(path_));
  EXPECT_THAT(StartVault(files_, path_, MakeTestContents(8, 0), {.lock = {.attempts = 2, .interval_ms = 1}}),
              StatusIs(StatusCode::kAborted, HasSubstr("v.mvlt is being written")));
  lock.reset();
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, StartVault(files_, path_, MakeTestContents(8, 0)));
    EXPECT_THAT(files_.Lock(path_, {.attempts = 1}), StatusIs(StatusCode::kAborted)) << "others give way to it, too";
  }
  EXPECT_THAT(files_.Lock(path_, {.attempts = 1}), IsOk());
  EXPECT_THAT(folder_.Names(), ElementsAre("v.mvlt"));
}

TEST(ValidateVariantNameTest, AcceptsUtf8) {
  EXPECT_THAT(ValidateVariantName("Grüße 部門"), IsOk());
  EXPECT_THAT(ValidateVariantName(std::string(255, 'x')), IsOk());
}

}  // namespace
}  // namespace modelvault
