// Vaults that are not what was packed: cut short, with any bit turned over, with lies under checksums that are right.
// What comes back is exact or an error that names the file, and never a large allocation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/varint.h"
#include "restore/restorer.h"
#include "tests/restore/allocation_meter.h"
#include "tests/restore/coded_models.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"
#include "tools/packing/pack.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AnyOf;
using testing::HasSubstr;

// A small vault with all there is: several chunks, a dictionary, blobs of one segment and of two, one with a layout of
// its own and one that is empty.
struct SmallVault {
  std::string bytes;
  ModelFiles files;
};

const SmallVault& Small() {
  static const SmallVault* const vault = [] {
    auto* made = new SmallVault;
    TestRandom random(40);
    FileModel base;
    base.tensors = {MakeTensor("embed", "I8", {50, 90}, &random), MakeTensor("norm", "F32", {12}, &random),
                    MakeTensor("head", "I8", {7, 90}, &random)};
    for (size_t i = 0; i < base.tensors[0].data.size(); ++i) {
      base.tensors[0].data[i] = static_cast<char>(i % 90 % 7 + (random.Below(9) == 0 ? 1 : 0));
    }
    base.metadata = {{"model", "small"}};
    FileModel reordered = Ternary(base, 50, &random);
    std::swap(reordered.tensors[0], reordered.tensors[2]);
    reordered.tensors[1] = MakeTensor("norm", "F16", {12}, &random);
    made->files = {{"base", Serialize(base)},
                   {"claims", Serialize(Ternary(base, 40, &random))},
                   {"fleet", Serialize(reordered)},
                   {"same", Serialize(base)}};
    TempFolder folder;
    std::vector<VariantInput> inputs;
    for (const auto& [name, file] : made->files) {
      const std::string path = folder.Write(name, file);
      if (name != "base") inputs.push_back({name, path});
    }
    PackOptions options;
    options.chunk_size = 2048;
    options.segment_size = 4096;
    options.threads = 1;
    const auto report = PackVault(FileSystem::Default(), folder.File("base"), inputs, folder.File("v.mvlt"), options);
    EXPECT_THAT(report, IsOk());
    made->bytes = folder.Read("v.mvlt");
    return made;
  }();
  return *vault;
}

constexpr size_t kHonestAllocation = 32 << 10;  // No single allocation for the small vault is larger.

// Expects verification to fail with an error that names the file, within the memory of an honest vault.
void ExpectDetected(const std::string& vault) {
  const AllocationMeter meter;
  const absl::Status status = VerifyVault(vault);
  EXPECT_LE(meter.largest(), kHonestAllocation);
  EXPECT_THAT(status, StatusIs(AnyOf(StatusCode::kDataLoss, StatusCode::kUnimplemented), HasSubstr("v.mvlt: ")));
}

// Expects each model to come back exactly or with an error that names the file.
void ExpectExactOrRefused(const std::string& vault) {
  const auto restorer = OpenVault(vault);
  if (!restorer.ok()) {
    EXPECT_THAT(restorer, StatusIs(AnyOf(StatusCode::kDataLoss, StatusCode::kUnimplemented), HasSubstr("v.mvlt: ")));
    return;
  }
  for (const auto& [name, file] : Small().files) {
    const auto restored = RestoreFile(**restorer, name);
    if (restored.ok()) {
      EXPECT_TRUE(*restored == file) << name;
    } else {
      EXPECT_THAT(restored, StatusIs(AnyOf(StatusCode::kDataLoss, StatusCode::kNotFound), HasSubstr("v.mvlt: ")));
    }
  }
}

TEST(HostileVaultTest, TheHonestVaultVerifiesAndHasWhatTheTestsAreAbout) {
  const SmallVault& small = Small();
  EXPECT_GE(small.bytes.size(), 2000u);
  EXPECT_LE(small.bytes.size(), 4000u);
  const AllocationMeter meter;
  EXPECT_THAT(VerifyVault(small.bytes, &small.files), IsOk());
  EXPECT_LE(meter.largest(), kHonestAllocation);
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenVault(small.bytes));
  const VaultReader& vault = restorer->vault();
  EXPECT_EQ(vault.header().chunk_count(), 3u);
  const auto blob = [&](const std::string& name) { return *vault.OpenBlob(**vault.Find(name)); };
  EXPECT_EQ(blob("claims").segment_count(), 2u);
  EXPECT_TRUE(blob("fleet").has_own_layout());
  EXPECT_TRUE(blob("same").empty());
  EXPECT_GT(vault.BytesBySection().unused, 0u);
  const SharedTables& shared = restorer->shared();
  EXPECT_NE(shared.tensor(0).flags & kFlagDictionary, 0);
  // What is repaired after a forgery that changes nothing is nothing.
  std::string repaired = small.bytes;
  RepairEverything(&repaired);
  EXPECT_TRUE(repaired == small.bytes);
}

TEST(HostileVaultTest, EveryTruncationAndExtensionIsRefused) {
  const std::string& whole = Small().bytes;
  for (size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    ExpectDetected(whole.substr(0, size));
    EXPECT_FALSE(OpenVault(whole.substr(0, size)).ok());
  }
  for (const size_t more : {1, 8, 4096}) {
    ExpectDetected(whole + std::string(more, '\0'));
    ExpectDetected(whole + std::string(more, 'x'));
  }
}

TEST(HostileVaultTest, EverySingleFlippedBitFailsVerificationAndRestoresNothingWrong) {
  std::string vault = Small().bytes;
  for (size_t bit = 0; bit < 8 * vault.size(); ++bit) {
    SCOPED_TRACE(absl::StrCat("bit ", bit % 8, " of byte ", bit / 8));
    vault[bit / 8] = static_cast<char>(vault[bit / 8] ^ (1 << (bit % 8)));
    ExpectDetected(vault);
    ExpectExactOrRefused(vault);
    vault[bit / 8] = static_cast<char>(vault[bit / 8] ^ (1 << (bit % 8)));
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_TRUE(vault == Small().bytes);
}

// --- Lies under right checksums.

// What no lie may exceed: MANIFEST may claim so much.
size_t AllocationLimit() { return (1 << 20) + 256 * Small().bytes.size(); }

// After a lie and the repair of all checksums: every model whose digests agree must be exact, and memory stays small.
void ExpectHarmless(std::string vault) {
  RepairEverything(&vault);
  const AllocationMeter meter;
  const absl::Status status = VerifyVault(vault);
  if (!status.ok()) {
    EXPECT_THAT(status, StatusIs(AnyOf(StatusCode::kDataLoss, StatusCode::kUnimplemented), HasSubstr("v.mvlt: ")));
  }
  ExpectExactOrRefused(vault);
  EXPECT_LE(meter.largest(), AllocationLimit());
}

TEST(HostileVaultTest, AnyByteMayLie) {
  const std::string& honest = Small().bytes;
  for (size_t at = 0; at < honest.size(); ++at) {
    SCOPED_TRACE(at);
    const uint8_t byte = static_cast<uint8_t>(honest[at]);
    for (const int lie : {0, 255, byte + 1, byte - 1, byte ^ 0x80}) {
      std::string vault = honest;
      vault[at] = static_cast<char>(lie);
      ExpectHarmless(vault);
    }
    if (testing::Test::HasFailure()) break;
  }
}

TEST(HostileVaultTest, AnyFieldMayHoldAnAbsurdNumber) {
  const std::string& honest = Small().bytes;
  const uint64_t numbers[] = {1,
                              0x7FFFFFFF,
                              0x80000000,
                              0xFFFFFFFF,
                              0x100000000,
                              uint64_t{1} << 60,
                              uint64_t{1} << 63,
                              ~uint64_t{0},
                              ~uint64_t{0} - 255,
                              honest.size(),
                              honest.size() - 1};
  for (size_t at = 0; at + 8 <= honest.size(); at += 2) {
    SCOPED_TRACE(at);
    for (const uint64_t number : numbers) {
      std::string vault = honest;
      if (number <= 0xFFFFFFFF) {
        Store<uint32_t>(&vault, at, static_cast<uint32_t>(number));
      } else {
        Store<uint64_t>(&vault, at, number);
      }
      ExpectHarmless(vault);
    }
    if (testing::Test::HasFailure()) break;
  }
}

TEST(HostileVaultTest, MixedLiesAreHarmless) {
  constexpr uint64_t kSeed = 41;
  TestRandom random(kSeed);
  for (int round = 0; round < 5000; ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round, ", seed ", kSeed));
    std::string vault = Small().bytes;
    for (uint64_t lies = 2 + random.Below(6); lies > 0; --lies) {
      const size_t at = random.Below(vault.size());
      if (random.Below(2) == 0) {
        vault[at] = static_cast<char>(random.Next());
      } else if (at + 8 <= vault.size()) {  // A field from elsewhere.
        Store<uint64_t>(&vault, at, Load<uint64_t>(vault, random.Below(vault.size() - 7)));
      }
    }
    ExpectHarmless(vault);
    if (testing::Test::HasFailure()) break;
  }
}

// A vault of that MODEL and nothing else, with all that must agree with it; its chunks are empty streams.
std::string WithModel(const std::string& model, uint64_t data_size, uint32_t chunk_size, uint32_t tensor_count) {
  const TempFolder folder;
  VaultParams params;
  params.chunk_size = chunk_size;
  params.segment_size = 1u << 24;
  params.base_data_size = data_size;
  params.tensor_count = tensor_count;
  auto writer = VaultWriter::Create(FileSystem::Default(), folder.File("v.mvlt"), params, model);
  EXPECT_THAT(writer, IsOk());
  const uint64_t chunks = data_size / chunk_size + (data_size % chunk_size != 0 ? 1 : 0);
  for (uint64_t c = 0; c < chunks; ++c) EXPECT_THAT((*writer)->AppendBaseChunk(std::string("\0\0\1\0", 4)), IsOk());
  EXPECT_THAT((*writer)->FinishBase({}, "{}"), IsOk());
  EXPECT_THAT((*writer)->Finish(), IsOk());
  EXPECT_THAT((*writer)->Commit(), IsOk());
  return folder.Read("v.mvlt");
}

std::string Record(uint64_t rows, uint64_t cols, uint8_t flags) {
  std::string record = "\3";  // I8
  AppendVarint(&record, rows);
  AppendVarint(&record, cols);
  record += static_cast<char>(flags);
  record += "\x14\xFF";  // level 20, raw bytes
  return record;
}

TEST(HostileVaultTest, ModelsOfAbsurdSizeAreRefusedOrFailAtTheirFirstChunk) {
  const auto model = [](const std::vector<std::string>& records) {
    std::string bytes;
    AppendVarint(&bytes, records.size());
    AppendVarint(&bytes, 0);
    for (const std::string& record : records) bytes += record;
    return bytes;
  };
  const uint64_t huge = uint64_t{1} << 60;
  // Products and sums beyond 64 bits, counts without records, priors without classes.
  for (const std::string& section :
       {model({Record(huge, huge, 0)}), model({Record(uint64_t{1} << 32, uint64_t{1} << 32, 0)}),
        model({Record(huge, 1, 0), Record(1, 1, 0)}), model({Record(1, ~uint64_t{0}, 0)}),
        std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\0", 10), std::string("\x80\x80\x04\0", 4),
        model({Record(huge / 16, 16, kFlagRowPrior)}), model({Record(1, 70000, kFlagColumnPrior)})}) {
    const std::string vault = WithModel(section, 100, 256, 1);
    const AllocationMeter meter;
    EXPECT_THAT(OpenVault(vault), StatusIs(StatusCode::kDataLoss, HasSubstr("v.mvlt")));
    EXPECT_LE(meter.largest(), kHonestAllocation);
  }
  // Everything agrees, but the chunk does not hold what it claims.
  const uint64_t claimed = uint64_t{1} << 30;
  const std::string vault = WithModel(model({Record(1, claimed, 0)}), claimed, 1u << 24, 1);
  const AllocationMeter meter;
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenVault(vault));
  ASSERT_OK_AND_ASSIGN(const auto base, restorer->OpenBase());
  EXPECT_THAT(base->Verify(), StatusIs(StatusCode::kDataLoss, HasSubstr("v.mvlt: base: tensor number 0")));
  EXPECT_LE(meter.largest(), kHonestAllocation);
}

TEST(HostileVaultTest, AddingToADamagedVaultIsRefusedOrExact) {
  TempFolder folder;
  TestRandom random(42);
  const SmallVault& small = Small();
  const std::string added = small.files.at("claims");
  const VariantInput input = {"added", folder.Write("added", added)};
  PackOptions options;
  options.threads = 1;
  int refused = 0;
  for (size_t at = 0; at < small.bytes.size(); at += 7) {
    SCOPED_TRACE(at);
    std::string damaged = small.bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.Below(8)));
    if (at % 2 == 0) RepairEverything(&damaged);
    const std::string path = folder.Write("v.mvlt", damaged);
    const auto report = AddVariants(FileSystem::Default(), path, {input}, false, options);
    EXPECT_THAT(folder.Names(), testing::ElementsAre("added", "v.mvlt"));
    if (!report.ok()) {
      ++refused;
      EXPECT_THAT(report, StatusIs(testing::_, HasSubstr(folder.path())));
      EXPECT_TRUE(folder.Read("v.mvlt") == damaged);
      continue;
    }
    ASSERT_OK_AND_ASSIGN(const auto restorer, OpenVault(folder.Read("v.mvlt")));
    EXPECT_THAT(RestoreFile(*restorer, "added"), IsOkAndHolds(added));
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace modelvault
