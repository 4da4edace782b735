#include "vault/vault_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/temp_folder.h"
#include "tests/vault/recorded_file.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_vault.h"
#include "vault/error_place.h"
#include "vault/section_encoder.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<std::unique_ptr<VaultReader>> OpenBytes(const std::string& bytes) {
  return VaultReader::FromFile(
      std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "v.mvlt"));
}

// A small vault with blobs of every shape, padding, and a hole.
std::string VaultWithAHole() {
  const TempFolder folder;
  FileSystem& files = FileSystem::Default();
  const std::string path = folder.File("v");
  EXPECT_THAT(WriteVault(files, path, MakeTestContents(11, 8)), IsOk());
  EXPECT_THAT(ChangeVault(files, path, {.remove = {"dept-1"}, .rename = {}}), IsOk());
  return folder.Read("v");
}

std::string PlainVault(size_t variants = 5) {
  const TempFolder folder;
  EXPECT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), MakeTestContents(12, variants)), IsOk());
  return folder.Read("v");
}

// A vault of version 1.1.
std::string VaultWithFreeLayouts() {
  const TempFolder folder;
  TestContents contents = MakeTestContents(14, 4);
  for (size_t i = 0; i < 4; ++i) contents.variants[i].layout = TestFreeLayout(2 * i);
  EXPECT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), contents), IsOk());
  ExpectContents(folder.Read("v"), contents);
  return folder.Read("v");
}

// A vault of version 1.2.
std::string VaultWithANetwork() {
  const TempFolder folder;
  TestContents contents = MakeTestContents(15, 3);
  contents.network = TestRandom(15).Bytes(45);
  EXPECT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), contents), IsOk());
  ExpectContents(folder.Read("v"), contents);
  return folder.Read("v");
}

// A vault of version 1.3.
std::string VaultWithADescribedFrame() {
  const TempFolder folder;
  TestContents contents = MakeTestContents(16, 2);
  contents.variants[0].header = "MVFRAME\x01 and so on";
  EXPECT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), contents), IsOk());
  ExpectContents(folder.Read("v"), contents);
  return folder.Read("v");
}

// A vault of version 1.4.
std::string VaultWithASignature() {
  const TempFolder folder;
  const TestContents contents = MakeTestContents(17, 3, 500);
  EXPECT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), contents), IsOk());
  VaultWriterOptions options;
  options.sign_root = SignerOf({TestKey(1)});
  EXPECT_THAT(PrepareSignature(FileSystem::Default(), folder.File("v"), TestPlan(TestKeySet({TestKey(1)}, 1)), options),
              IsOk());
  ExpectContents(folder.Read("v"), contents);
  return folder.Read("v");
}

class VaultBitsTest : public testing::TestWithParam<std::string (*)()> {};

TEST_P(VaultBitsTest, DetectsEverySingleFlippedBit) {
  const std::string vault = GetParam()();
  ASSERT_THAT(ReadAll(vault), IsOk());
  ASSERT_LT(vault.size(), 4000u);
  int undetected = 0;
  for (size_t bit = 0; bit < vault.size() * 8; ++bit) {
    std::string damaged = vault;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const absl::Status status = ReadAll(damaged);
    // A major version of another time is the one thing a flipped bit can look like beside damage.
    const bool version = bit / 8 >= 8 && bit / 8 < 10;
    if (status.code() != (version ? StatusCode::kUnimplemented : StatusCode::kDataLoss)) {
      ADD_FAILURE() << "bit " << bit % 8 << " of byte " << bit / 8 << ": " << status.ToString();
      if (++undetected == 10) break;
    } else {
      EXPECT_THAT(status.message(), HasSubstr("v.mvlt"));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, VaultBitsTest,
                         testing::Values(&VaultWithAHole, &VaultWithFreeLayouts, &VaultWithANetwork,
                                         &VaultWithADescribedFrame, &VaultWithASignature));

TEST(VaultReaderTest, RefusesEveryTruncationAndExtension) {
  const std::string vault = PlainVault();
  for (size_t size = 0; size < vault.size(); ++size) {
    EXPECT_THAT(OpenBytes(vault.substr(0, size)),
                StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("v.mvlt"), HasSubstr("truncated"))))
        << size;
  }
  EXPECT_THAT(OpenBytes(vault + '\0'), StatusIs(StatusCode::kDataLoss, HasSubstr("extended")));
  EXPECT_THAT(OpenBytes(""), StatusIs(StatusCode::kDataLoss, HasSubstr("this file has 0")));
}

TEST(VaultReaderTest, SaysWhatIsNotAVault) {
  EXPECT_THAT(OpenBytes("PK\3\4 something else"),
              StatusIs(StatusCode::kDataLoss, HasSubstr("v.mvlt: not a vault: it is a ZIP archive")));
  EXPECT_THAT(OpenBytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"),
              StatusIs(StatusCode::kDataLoss, HasSubstr("not a vault: it is a git-LFS pointer")));
  for (const std::string& length : {std::string("\x02\0", 2), std::string("\x80\x02"), std::string("PK")}) {
    EXPECT_THAT(OpenBytes(length + std::string(6, '\0') + "{}" + std::string(300, 'x')),
                StatusIs(StatusCode::kDataLoss, HasSubstr("not a vault: it is a safetensors file")));
  }
  EXPECT_THAT(OpenBytes(std::string(257, 'x') + "ustar" + std::string(300, 'x')),
              StatusIs(StatusCode::kDataLoss, HasSubstr("not a vault: it is a tar archive")));
  EXPECT_THAT(OpenBytes(std::string(300, '\x01')), StatusIs(StatusCode::kDataLoss, HasSubstr("it is a binary file")));
  std::string text_mode = PlainVault();
  text_mode.erase(4, 1);
  EXPECT_THAT(OpenBytes(text_mode), StatusIs(StatusCode::kDataLoss, HasSubstr("a vault whose line ends were changed")));
  const TempFolder folder;
  FileSystem& files = FileSystem::Default();
  EXPECT_THAT(VaultReader::Open(files, folder.File("none")), StatusIs(StatusCode::kNotFound, HasSubstr("none")));
  EXPECT_THAT(VaultReader::Open(files, folder.path()), StatusIs(StatusCode::kInvalidArgument));
}

TEST(VaultReaderTest, RefusesOtherVersionsAndFeatures) {
  std::string vault = PlainVault();
  // Those before 1.0 are no longer read, those from 2.0 on not yet.
  for (const auto& [major, minor, message] :
       {std::tuple(0, 2, "v.mvlt: vault format 0.2, this program reads 1.0 and later"),
        std::tuple(2, 0, "v.mvlt: vault format 2.0, this program reads 1.0 and later")}) {
    vault = PlainVault();
    Store<uint16_t>(&vault, 8, static_cast<uint16_t>(major));
    Store<uint16_t>(&vault, 10, static_cast<uint16_t>(minor));
    RepairChecksums(&vault);
    EXPECT_THAT(OpenBytes(vault), StatusIs(StatusCode::kUnimplemented, HasSubstr(message)));
  }
  vault = PlainVault();
  Store<uint32_t>(&vault, 12, 6);
  RepairChecksums(&vault);
  EXPECT_THAT(OpenBytes(vault), StatusIs(StatusCode::kUnimplemented, HasSubstr("needs features 0x6")));
  // A later one that needs nothing new is read.
  vault = PlainVault();
  Store<uint16_t>(&vault, 10, 77);
  RepairChecksums(&vault);
  EXPECT_THAT(OpenBytes(vault), IsOk());
  Store<uint32_t>(&vault, 12, 0x100);
  RepairChecksums(&vault);
  EXPECT_THAT(OpenBytes(vault), StatusIs(StatusCode::kUnimplemented, HasSubstr("in format 1.77")));
}

TEST(VaultReaderTest, NamesWhatIsDamaged) {
  const std::string vault = PlainVault();
  ASSERT_OK_AND_ASSIGN(const auto good, OpenBytes(vault));
  const auto flip = [&](uint64_t offset) {
    std::string damaged = vault;
    damaged[offset] = static_cast<char>(damaged[offset] ^ 1);
    return ReadAll(damaged);
  };
  const auto hex = [](uint64_t offset) { return absl::StrCat("offset 0x", absl::Hex(offset), ": checksum mismatch"); };
  EXPECT_THAT(flip(40), StatusIs(StatusCode::kDataLoss, HasSubstr("header at offset 248: checksum mismatch")));
  const char* const names[] = {"MODEL", "CHUNKS", "BASE", "INDEX", "MANIFEST"};
  for (size_t i : {0, 1, 3, 4}) {
    const uint64_t offset = SectionOffset(vault, i);
    const std::string stored =
        absl::StrCat("stored 0x", absl::Hex(Load<uint64_t>(vault, SectionField(i) + 16), absl::kZeroPad16));
    EXPECT_THAT(flip(offset), StatusIs(StatusCode::kDataLoss,
                                       AllOf(HasSubstr(absl::StrCat("v.mvlt: ", names[i], " at ", hex(offset))),
                                             HasSubstr(stored), HasSubstr("computed 0x"))));
  }
  const uint64_t chunk2 = SectionOffset(vault, 2) + good->base_chunk_stored_size(0) + good->base_chunk_stored_size(1);
  EXPECT_THAT(flip(chunk2),
              StatusIs(StatusCode::kDataLoss, HasSubstr(absl::StrCat("v.mvlt: base chunk 2 at ", hex(chunk2)))));
  // dept-1 has a layout and two segments.
  ASSERT_OK_AND_ASSIGN(const VaultVariant* variant, good->Find("dept-1"));
  ASSERT_OK_AND_ASSIGN(const VaultBlob blob, good->OpenBlob(*variant));
  EXPECT_THAT(flip(variant->offset + blob.head_size() - 1),
              StatusIs(StatusCode::kDataLoss,
                       HasSubstr(absl::StrCat("v.mvlt: variant 'dept-1', blob at ", hex(variant->offset)))));
  const uint64_t segment1 = variant->offset + blob.head_size() + blob.segment_stored_size(0);
  EXPECT_THAT(flip(segment1),
              StatusIs(StatusCode::kDataLoss,
                       HasSubstr(absl::StrCat("v.mvlt: variant 'dept-1', segment 1 at ", hex(segment1)))));
}

TEST(VaultReaderTest, NamesADamagedOrMisplacedNetwork) {
  std::string vault = VaultWithANetwork();
  const size_t offset = SectionOffset(vault, 6);
  ASSERT_OK_AND_ASSIGN(const auto good, OpenBytes(vault));
  EXPECT_EQ(good->BytesBySection().network, 45u);
  std::string damaged = vault;
  damaged[offset + 7] = static_cast<char>(damaged[offset + 7] ^ 1);
  EXPECT_THAT(OpenBytes(damaged),
              StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr(absl::StrCat("NETWORK at offset 0x", absl::Hex(offset))),
                                                    HasSubstr("checksum mismatch, stored 0x"))));
  Store<uint64_t>(&vault, 228, 1 << 20);
  RepairChecksums(&vault);
  EXPECT_THAT(OpenBytes(vault),
              StatusIs(StatusCode::kDataLoss, HasSubstr("header at offset 220: section NETWORK of 1048576 bytes")));
}

TEST(VaultReaderTest, ErrorsHaveTheirPlaceInTheFile) {
  const std::string vault = PlainVault();
  ASSERT_OK_AND_ASSIGN(const auto good, OpenBytes(vault));
  ASSERT_OK_AND_ASSIGN(const VaultVariant* variant, good->Find("dept-1"));
  ASSERT_OK_AND_ASSIGN(const VaultBlob blob, good->OpenBlob(*variant));
  const uint64_t chunk1 = SectionOffset(vault, 2) + good->base_chunk_stored_size(0);
  const uint64_t segment1 = variant->offset + blob.head_size() + blob.segment_stored_size(0);
  for (const auto& [flipped, place] :
       {std::pair<uint64_t, uint64_t>(SectionOffset(vault, 0) + 3, SectionOffset(vault, 0)),
        {SectionOffset(vault, 3) + 3, SectionOffset(vault, 3)},
        {SectionOffset(vault, 4) + 3, SectionOffset(vault, 4)},
        {chunk1 + 1, chunk1},
        {variant->offset, variant->offset},
        {segment1, segment1}}) {
    std::string damaged = vault;
    damaged[flipped] = static_cast<char>(damaged[flipped] ^ 1);
    const absl::Status status = ReadAll(damaged);
    EXPECT_THAT(status, StatusIs(StatusCode::kDataLoss));
    EXPECT_EQ(PlaceOf(status).file_offset, place) << status;
    EXPECT_EQ(PlaceOf(status).data_offset, std::nullopt);
  }
  // What is asked for and not there has none.
  EXPECT_EQ(PlaceOf(good->Find("nobody").status()).file_offset, std::nullopt);
  EXPECT_EQ(PlaceOf(AtFileOffset(AtFileOffset(absl::DataLossError("twice"), 1), 2)).file_offset, 1u);
}

absl::StatusOr<std::unique_ptr<VaultReader>> OpenRecorded(const std::string& vault, FileReads* reads,
                                                          const VaultReaderOptions& options = {}) {
  auto file = std::make_unique<MemoryFile>(std::vector<uint8_t>(vault.begin(), vault.end()), "v.mvlt");
  return VaultReader::FromFile(std::make_unique<RecordedFile>(std::move(file), reads), options);
}

TEST(VaultReaderTest, OpeningTakesAReadOfTheFrontAndOneOfTheEnd) {
  // 5,000 chunks of some 20 bytes: INDEX is beyond what is read first.
  const TempFolder folder;
  TestContents contents = MakeTestContents(16, 100, 5000 * 256);
  contents.network = TestRandom(16).Bytes(45);
  ASSERT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), contents), IsOk());
  const std::string vault = folder.Read("v");
  const uint64_t index = SectionOffset(vault, 3);
  ASSERT_GT(index, uint64_t{64} << 10);
  const FileReads::Read front = {0, uint64_t{64} << 10};
  const FileReads::Read end = {index, vault.size() - index};
  FileReads reads;
  ASSERT_THAT(OpenRecorded(vault, &reads, {.network = false}), IsOk());
  EXPECT_THAT(reads.all, ElementsAre(front, end));
  reads = {};
  ASSERT_THAT(OpenRecorded(vault, &reads), IsOk());
  EXPECT_THAT(reads.all, ElementsAre(front, FileReads::Read{SectionOffset(vault, 6), 45}, end));

  // A vault of that size or less comes at once.
  const std::string small = VaultWithANetwork();
  reads = {};
  ASSERT_THAT(OpenRecorded(small, &reads), IsOk());
  EXPECT_THAT(reads.all, ElementsAre(FileReads::Read{0, small.size()}));
}

TEST(VaultReaderTest, AReadThatFailsHasItsPlace) {
  FileReads reads;
  reads.longest = 255;
  const auto refused = OpenRecorded(PlainVault(), &reads).status();
  EXPECT_THAT(refused, StatusIs(StatusCode::kUnavailable, HasSubstr("the disk says no")));
  EXPECT_EQ(PlaceOf(refused).file_offset, 0u);
}

TEST(VaultReaderTest, ANetworkThatIsNotReadIsCheckedOnRequest) {
  std::string vault = VaultWithANetwork();
  FileReads reads;
  ASSERT_OK_AND_ASSIGN(const auto good, OpenRecorded(vault, &reads, {.network = false}));
  EXPECT_EQ(good->network_section().size, 0u);
  EXPECT_THAT(good->CheckNetworkSection(), IsOk());
  const size_t offset = SectionOffset(vault, 6);
  vault[offset] = static_cast<char>(vault[offset] ^ 1);
  ASSERT_OK_AND_ASSIGN(const auto damaged, OpenRecorded(vault, &reads, {.network = false}));
  EXPECT_THAT(damaged->CheckNetworkSection(), StatusIs(StatusCode::kDataLoss, HasSubstr("NETWORK")));
  ASSERT_OK_AND_ASSIGN(const auto none, OpenBytes(PlainVault()));
  EXPECT_THAT(none->CheckNetworkSection(), IsOk());
}

TEST(VaultReaderTest, ChecksBaseAndPaddingOnRequest) {
  std::string vault = VaultWithAHole();
  ASSERT_OK_AND_ASSIGN(const auto good, OpenBytes(vault));
  EXPECT_GT(good->BytesBySection().unused, 60u);
  // In MODEL's padding, and in the hole behind the first blob.
  ASSERT_OK_AND_ASSIGN(const VaultVariant* first, good->Find("dept-0"));
  for (const uint64_t offset : {SectionOffset(vault, 0) + SectionSize(vault, 0), first->offset + first->stored_size}) {
    std::string stray = vault;
    ASSERT_EQ(stray[offset], '\0');
    stray[offset] = 0x20;
    ASSERT_OK_AND_ASSIGN(const auto reader, OpenBytes(stray));
    EXPECT_THAT(reader->CheckPadding(),
                StatusIs(StatusCode::kDataLoss, HasSubstr(absl::StrCat("padding at offset 0x", absl::Hex(offset),
                                                                       ": expected 0x00, found 0x20"))));
  }
  // A chunk and its checksum forged together: BASE as a whole tells.
  const size_t base = SectionOffset(vault, 2);
  vault[base] = static_cast<char>(vault[base] ^ 1);
  Store<uint32_t>(&vault, SectionOffset(vault, 1) + 4,
                  static_cast<uint32_t>(XXH64(vault.data() + base, good->base_chunk_stored_size(0), 0)));
  const uint64_t checksum = Load<uint64_t>(vault, SectionField(2) + 16);
  RepairChecksums(&vault);
  Store<uint64_t>(&vault, SectionField(2) + 16, checksum);
  Store<uint64_t>(&vault, 248, XXH64(vault.data(), 248, 0));
  ASSERT_OK_AND_ASSIGN(const auto reader, OpenBytes(vault));
  std::vector<uint8_t> stored;
  EXPECT_THAT(reader->ReadBaseChunk(0, &stored), IsOk());
  EXPECT_THAT(reader->CheckBaseSection(), StatusIs(StatusCode::kDataLoss, HasSubstr("BASE at offset")));
}

TEST(VaultReaderTest, RefusesLiesUnderRightChecksums) {
  const std::string vault = PlainVault();
  struct Case {
    const char* what;
    std::function<void(std::string*)> edit;
    const char* message;
  };
  const auto entry = [](std::string* v, size_t i, size_t field) { return IndexEntry(*v, i) + field; };
  const Case cases[] = {
      {"chunk size", [](std::string* v) { Store<uint32_t>(v, 24, 100); },
       "header at offset 24: chunk size: expected 256 to 16777216, a multiple of 256, found 100"},
      {"segment size", [](std::string* v) { Store<uint32_t>(v, 28, 0); },
       "header at offset 28: segment size: expected 4096 to 16777216, a multiple of 256, found 0"},
      {"base size", [](std::string* v) { Store<uint64_t>(v, 32, (uint64_t{1} << 60) + 1); },
       "size of the base's data: expected at most 1152921504606846976, found 1152921504606846977"},
      {"free layouts", [](std::string* v) { Store<uint32_t>(v, 216, 7); },
       "expected 0, without such variants, found 7"},
      {"reserved", [](std::string* v) { Store<uint8_t>(v, 246, 7); }, "reserved bytes: expected zeros"},
      {"a network that is not there", [](std::string* v) { Store<uint8_t>(v, 230, 7); }, "section NETWORK"},
      {"signature", [](std::string* v) { Store<uint8_t>(v, SectionField(5), 8); }, "section SIGNATURE: expected zeros"},
      {"absurd number of variants", [](std::string* v) { Store<uint32_t>(v, 68, 0xFFFFFFFF); }, "section INDEX"},
      {"a variant fewer", [](std::string* v) { Store<uint32_t>(v, 68, 4); }, "INDEX"},
      {"absurd base", [](std::string* v) { Store<uint64_t>(v, 32, uint64_t{1} << 60); }, "section CHUNKS"},
      {"MODEL as long as the file", [](std::string* v) { Store<uint64_t>(v, SectionField(0) + 8, v->size()); },
       "section MODEL"},
      {"INDEX of no bytes", [](std::string* v) { Store<uint64_t>(v, SectionField(3) + 8, 0); }, "section INDEX"},
      {"INDEX over BASE", [](std::string* v) { Store<uint64_t>(v, SectionField(3), SectionOffset(*v, 2)); },
       "section INDEX"},
      {"INDEX a little longer", [](std::string* v) { Store<uint64_t>(v, SectionField(3) + 8, SectionSize(*v, 3) + 1); },
       "bytes follow its last name"},
      {"MANIFEST a little shorter",
       [](std::string* v) {
         Store<uint64_t>(v, SectionField(4) + 8, SectionSize(*v, 4) - 1);
         v->pop_back();
         Store<uint64_t>(v, 16, v->size());
       },
       "MANIFEST"},
      {"chunks out of order", [](std::string* v) { Store<uint32_t>(v, SectionOffset(*v, 1) + 16, 0); },
       "base chunk 1 does not lie"},
      {"chunk past BASE", [](std::string* v) { Store<uint32_t>(v, SectionOffset(*v, 1) + 24, 0x7FFFFFFF); },
       "base chunk 2 does not lie"},
      {"first chunk not at 0", [](std::string* v) { Store<uint32_t>(v, SectionOffset(*v, 1), 1); },
       "base chunk 0 does not lie"},
      {"blob in BASE",
       [&](std::string* v) { Store<uint32_t>(v, entry(v, 1, 8), static_cast<uint32_t>(SectionOffset(*v, 2))); },
       "entry 1"},
      {"blob unaligned",
       [&](std::string* v) { Store<uint32_t>(v, entry(v, 0, 8), Load<uint32_t>(*v, entry(v, 0, 8)) + 2); }, "entry 0"},
      {"blob into INDEX", [&](std::string* v) { Store<uint32_t>(v, entry(v, 2, 12), 100000); }, "entry 2"},
      {"blob of 4 GiB", [&](std::string* v) { Store<uint32_t>(v, entry(v, 2, 12), 0xFFFFFFFF); }, "entry 2"},
      {"unsorted",
       [&](std::string* v) {
         const std::string first = v->substr(IndexEntry(*v, 0), 40);
         v->replace(IndexEntry(*v, 0), 40, v->substr(IndexEntry(*v, 1), 40));
         v->replace(IndexEntry(*v, 1), 40, first);
       },
       "entry 0"},
      {"name too long", [&](std::string* v) { Store<uint8_t>(v, IndexEntry(*v, 5), 255); }, "entry 0"},
      {"name empty", [&](std::string* v) { Store<uint8_t>(v, IndexEntry(*v, 5), 0); }, "entry 0"},
      {"name with NUL",
       [&](std::string* v) {
         Store<uint8_t>(v, IndexEntry(*v, 5) + 2, 0);
         Store<uint32_t>(v, entry(v, 0, 0), static_cast<uint32_t>(XXH64(v->data() + IndexEntry(*v, 5) + 1, 6, 0)));
       },
       "entry"},
  };
  for (const Case& c : cases) {
    std::string forged = vault;
    c.edit(&forged);
    RepairChecksums(&forged);
    const auto status = ReadAll(forged);
    EXPECT_THAT(status, StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("v.mvlt"), HasSubstr(c.message)))) << c.what;
  }
}

// A vault whose INDEX is replaced by one of `variants`, whatever they say.
std::string WithIndex(std::string vault, std::vector<VaultVariant> variants, bool sort = true) {
  if (sort) std::sort(variants.begin(), variants.end(), IndexOrder);
  const std::string index = EncodeIndex(variants, false);
  const std::string manifest = vault.substr(SectionOffset(vault, 4), SectionSize(vault, 4));
  vault.resize(SectionOffset(vault, 3));
  vault += index;
  Store<uint64_t>(&vault, SectionField(3) + 8, index.size());
  vault.resize((vault.size() + 3) / 4 * 4);
  Store<uint64_t>(&vault, SectionField(4), vault.size());
  vault += manifest;
  Store<uint64_t>(&vault, 16, vault.size());
  Store<uint32_t>(&vault, 68, static_cast<uint32_t>(variants.size()));
  RepairChecksums(&vault);
  return vault;
}

TEST(VaultReaderTest, RefusesBlobsThatOverlap) {
  const std::string vault = PlainVault();
  ASSERT_OK_AND_ASSIGN(const auto good, OpenBytes(vault));
  ASSERT_THAT(ReadAll(WithIndex(vault, good->variants())), IsOk());
  std::vector<VaultVariant> variants = good->variants();
  std::swap(variants[1].offset, variants[2].offset);
  variants[1].offset = variants[2].offset;
  EXPECT_THAT(
      OpenBytes(WithIndex(vault, variants)),
      StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("'dept-1'"), HasSubstr("'dept-2'"), HasSubstr("overlap"))));
  variants = good->variants();
  variants[0].stored_size += 8;
  EXPECT_THAT(
      OpenBytes(WithIndex(vault, variants)),
      StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("'dept-0'"), HasSubstr("'dept-1'"), HasSubstr("overlap"))));
}

TEST(VaultReaderTest, RefusesNamesThatMustNotBe) {
  const std::string vault = PlainVault();
  ASSERT_OK_AND_ASSIGN(const auto good, OpenBytes(vault));
  for (const std::string& name :
       {std::string("../x"), std::string("a\0b", 3), std::string("."), std::string(".."), std::string("base"),
        std::string("-x"), std::string("a\\b"), std::string("\xFF"), std::string("a\n")}) {
    std::vector<VaultVariant> variants = good->variants();
    variants[3].name = name;
    EXPECT_THAT(OpenBytes(WithIndex(vault, variants)), StatusIs(StatusCode::kDataLoss, HasSubstr("INDEX")))
        << testing::PrintToString(name);
  }
  std::vector<VaultVariant> twice = good->variants();
  twice[3].name = twice[2].name;
  EXPECT_THAT(OpenBytes(WithIndex(vault, twice)), StatusIs(StatusCode::kDataLoss, HasSubstr("INDEX")));
  std::vector<VaultVariant> reversed = good->variants();
  std::sort(reversed.begin(), reversed.end(), IndexOrder);
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_THAT(OpenBytes(WithIndex(vault, reversed, false)), StatusIs(StatusCode::kDataLoss, HasSubstr("entry 1")));
}

TEST(VaultReaderTest, RefusesAManifestOfOtherVariants) {
  const std::string vault = PlainVault();
  ASSERT_OK_AND_ASSIGN(const auto good, OpenBytes(vault));
  std::vector<VaultVariant> variants = good->variants();
  variants.pop_back();
  EXPECT_THAT(OpenBytes(WithIndex(vault, variants)),
              StatusIs(StatusCode::kDataLoss, HasSubstr("headers of 5 variants, INDEX has 4")));
}

TEST(VaultReaderTest, RefusesAVariantHeaderThatDoesNotFit) {
  std::string vault = PlainVault(1);
  const size_t manifest = SectionOffset(vault, 4);
  ASSERT_OK_AND_ASSIGN(FileHeaders headers,
                       DecodeManifest(absl::MakeSpan(reinterpret_cast<const uint8_t*>(vault.data()) + manifest,
                                                     vault.size() - manifest)));
  headers.variants[0].suffix_size = ~uint64_t{0};
  ASSERT_OK_AND_ASSIGN(const std::string forged, EncodeManifest(headers));
  vault.replace(manifest, std::string::npos, forged);
  Store<uint64_t>(&vault, SectionField(4) + 8, forged.size());
  Store<uint64_t>(&vault, 16, vault.size());
  RepairChecksums(&vault);
  ASSERT_OK_AND_ASSIGN(const auto reader, OpenBytes(vault));
  EXPECT_THAT(
      reader->variant_header("dept-0"),
      StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("v.mvlt"), HasSubstr("'dept-0'"), HasSubstr("MANIFEST"))));
}

TEST(VaultReaderTest, RefusesSegmentsThatDoNotAddUp) {
  const std::string vault = PlainVault();
  ASSERT_OK_AND_ASSIGN(const auto good, OpenBytes(vault));
  // dept-2 has three segments and no layout: flags, count, directory.
  std::vector<VaultVariant> variants = good->variants();
  VaultVariant& variant = variants[2];
  const size_t directory = variant.offset + 2;
  for (const uint32_t size : {0u, 1u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
    std::string forged = vault;
    Store<uint32_t>(&forged, directory + 8, size);
    variant.checksum32 = static_cast<uint32_t>(XXH64(forged.data() + variant.offset, 2 + 3 * 8, 0));
    ASSERT_OK_AND_ASSIGN(const auto reader, OpenBytes(WithIndex(forged, variants)));
    EXPECT_THAT(ReadVariant(*reader, "dept-2"),
                StatusIs(StatusCode::kDataLoss,
                         AllOf(HasSubstr("v.mvlt: variant 'dept-2'"), HasSubstr("variant blob malformed"))))
        << size;
  }
}

TEST(VaultReaderTest, FindsVariantsAndSaysWhichAreMissing) {
  ASSERT_OK_AND_ASSIGN(const auto reader, OpenBytes(PlainVault(12)));
  std::vector<std::string> names;
  for (const VaultVariant& variant : reader->variants()) names.push_back(variant.name);
  EXPECT_THAT(names, ElementsAre("dept-0", "dept-1", "dept-10", "dept-11", "dept-2", "dept-3", "dept-4", "dept-5",
                                 "dept-6", "dept-7", "dept-8", "dept-9"));
  for (const std::string& name : names) {
    ASSERT_OK_AND_ASSIGN(const VaultVariant* variant, reader->Find(name));
    EXPECT_EQ(variant->name, name);
  }
  for (const char* name : {"", "dept", "dept-12", "zzz", "base"}) {
    EXPECT_THAT(reader->Find(name),
                StatusIs(StatusCode::kNotFound, HasSubstr(absl::StrCat("v.mvlt: no variant '", name, "'"))));
    EXPECT_THAT(reader->variant_header(name), StatusIs(StatusCode::kNotFound));
  }
}

TEST(VaultReaderTest, RefusesIndicesOutOfRange) {
  ASSERT_OK_AND_ASSIGN(const auto reader, OpenBytes(PlainVault()));
  std::vector<uint8_t> stored;
  EXPECT_THAT(reader->ReadBaseChunk(4, &stored),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no base chunk 4, there are 4")));
  ASSERT_OK_AND_ASSIGN(const VaultVariant* variant, reader->Find("dept-0"));
  ASSERT_OK_AND_ASSIGN(const VaultBlob blob, reader->OpenBlob(*variant));
  EXPECT_THAT(reader->ReadSegment(blob, 1, &stored), StatusIs(StatusCode::kInvalidArgument, HasSubstr("there are 1")));
  ASSERT_OK_AND_ASSIGN(const VaultVariant* same, reader->Find("dept-3"));
  ASSERT_OK_AND_ASSIGN(const VaultBlob empty, reader->OpenBlob(*same));
  EXPECT_EQ(empty.segment_count(), 0u);
}

TEST(VaultReaderTest, ReadsHeadsLongerThanTheFirstRead) {
  // 4,000 segments make a directory of 32,000 bytes, 20,000 tensors a layout of 60,000.
  const TempFolder folder;
  TestContents contents = MakeTestContents(13, 0);
  contents.params.tensor_count = 20000;
  TestVariant variant = MakeTestVariant("long", 4000, false, 1);
  variant.layout = {LayoutForm::kEachOnce, 20000, ""};
  for (uint32_t i = 0; i < 20000; ++i) variant.layout.bytes += "\x81\x01\x03";
  contents.variants = {variant, MakeTestVariant("short", 1, false, 2)};
  contents.variants[1].segments[0] = TestRandom(3).Bytes(100000);
  EXPECT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), contents), IsOk());
  ExpectContents(folder.Read("v"), contents);
}

TEST(VaultReaderTest, ServesManyThreads) {
  const std::string vault = PlainVault(8);
  ASSERT_OK_AND_ASSIGN(const auto reader, OpenBytes(vault));
  std::vector<absl::Status> results(4);
  std::vector<std::thread> threads;
  for (absl::Status& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50 && result.ok(); ++i) result = ReadAll(*reader);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) EXPECT_THAT(result, IsOk());
}

// A file of a few extents among zeros, of any size.
class SparseFile : public RandomAccessFile {
 public:
  void Put(uint64_t offset, std::string bytes) {
    size_ = std::max<uint64_t>(size_, offset + bytes.size());
    extents_[offset] = std::move(bytes);
  }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    if (offset > size_ || out.size() > size_ - offset) return absl::DataLossError("out of the file");
    std::fill(out.begin(), out.end(), uint8_t{0});
    for (const auto& [begin, bytes] : extents_) {
      const uint64_t from = std::max(begin, offset);
      const uint64_t to = std::min(begin + bytes.size(), offset + out.size());
      if (from < to) std::copy_n(bytes.begin() + (from - begin), to - from, out.begin() + (from - offset));
    }
    return absl::OkStatus();
  }
  uint64_t size() const override { return size_; }
  const std::string& path() const override { return path_; }

 private:
  const std::string path_ = "sparse";
  std::map<uint64_t, std::string> extents_;
  uint64_t size_ = 0;
};

uint64_t Hash(const std::string& bytes) { return XXH64(bytes.data(), bytes.size(), 0); }

// A wide vault spread over 12 GiB: base chunks and blobs begin beyond 4 GiB of BASE and of the file.
TEST(VaultReaderTest, ReadsBeyondFourGigabytes) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  const std::string last_chunk = "the last chunk", segments[2] = {"first", "second"};
  const std::string blob = EncodeBlobHead({}, {{.size = 5, .checksum32 = static_cast<uint32_t>(Hash(segments[0]))},
                                               {.size = 6, .checksum32 = static_cast<uint32_t>(Hash(segments[1]))}});
  for (const bool damaged : {false, true}) {
    VaultHeader header;
    header.features = kFeatureWideChunks | kFeatureWideIndex;
    header.chunk_size = 1 << 24;
    header.segment_size = 4096;
    header.base_data_size = (1 << 24) + 1;
    header.variant_count = 1;
    auto file = std::make_unique<SparseFile>();
    const auto put = [&](Section section, uint64_t offset, const std::string& bytes) {
      header.section(section) = {.offset = offset, .size = bytes.size(), .checksum = Hash(bytes)};
      file->Put(offset, bytes);
    };
    put(Section::kModel, 256, "model");
    put(Section::kChunks, 264,
        EncodeChunks({{.offset = 0, .size = 5 * kGiB, .checksum32 = 1},
                      {.offset = 5 * kGiB, .size = 14, .checksum32 = static_cast<uint32_t>(Hash(last_chunk))}},
                     true));
    header.section(Section::kBase) = {.offset = kGiB, .size = 5 * kGiB + last_chunk.size(), .checksum = 0};
    file->Put(6 * kGiB, last_chunk);
    VaultVariant variant;
    variant.name = "far";
    variant.offset = 8 * kGiB;
    variant.stored_size = blob.size() + 11;
    variant.checksum32 = static_cast<uint32_t>(Hash(blob));
    file->Put(8 * kGiB, blob + segments[0] + (damaged ? "sEcond" : "second"));
    put(Section::kIndex, 12 * kGiB, EncodeIndex({variant}, true));
    FileHeaders headers;
    headers.variants.push_back(DiffHeader("", "far's header"));
    ASSERT_OK_AND_ASSIGN(const std::string manifest, EncodeManifest(headers));
    put(Section::kManifest, 12 * kGiB + 56, manifest);
    header.file_size = file->size();
    file->Put(0, EncodeHeader(header));

    ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::FromFile(std::move(file)));
    EXPECT_EQ(reader->base_chunk_stored_size(0), 5 * kGiB);
    std::vector<uint8_t> stored;
    ASSERT_THAT(reader->ReadBaseChunk(1, &stored), IsOk());
    EXPECT_EQ(ToString(stored), last_chunk);
    EXPECT_THAT(reader->variant_header("far"), IsOkAndHolds("far's header"));
    EXPECT_EQ(reader->BytesBySection().file, 12 * kGiB + 56 + manifest.size());
    if (!damaged) {
      ASSERT_OK_AND_ASSIGN(const TestVariant read, ReadVariant(*reader, "far"));
      EXPECT_THAT(read.segments, ElementsAre("first", "second"));
    } else {
      EXPECT_THAT(ReadVariant(*reader, "far"),
                  StatusIs(StatusCode::kDataLoss, HasSubstr("sparse: variant 'far', segment 1 at offset 0x200000017")));
    }
  }
}

}  // namespace
}  // namespace modelvault
