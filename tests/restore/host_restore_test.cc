// Models out of vaults with host codings: whole, in parts, in order and in any order, and what is said of damaged ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "restore/file_assembler.h"
#include "restore/file_placer.h"
#include "restore/model_weights.h"
#include "restore/restorer.h"
#include "tests/restore/coded_models.h"
#include "tests/status_matchers.h"
#include "tests/vault/test_vault.h"
#include "vault/model_digester.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

// So that elements, tensors, chunks and segments end at different places.
constexpr uint32_t kChunkSize = 512;
constexpr uint32_t kSegmentSize = 4352;

const CodedModels& Models() {
  static const CodedModels* const models =
      new CodedModels(Encode(MakeFreeModels(3), kChunkSize, kSegmentSize, BaseProfile::kHost));
  return *models;
}
const std::string& VaultBytes() {
  static const std::string* const bytes = new std::string(CodedVaultBytes(Models()));
  return *bytes;
}

const TestBytes& Expected(const std::string& name) {
  return name == "base" ? Models().base : Models().variant(name).data;
}

std::vector<std::string> ModelNames() {
  std::vector<std::string> names = {"base"};
  for (const CodedVariant& v : Models().variants) names.push_back(v.name);
  return names;
}

RestoreOptions Threads(int threads, bool any_order = false) {
  RestoreOptions options;
  options.threads = threads;
  options.any_order = any_order;
  return options;
}

// Everything of a vault; the first error.
absl::Status RestoreAll(const std::string& vault) {
  const auto restorer = OpenBytes(vault);
  if (!restorer.ok()) return restorer.status();
  if (absl::Status s = (*restorer)->vault().CheckPadding(); !s.ok()) return s;
  if (absl::Status s = (*restorer)->vault().CheckBaseSection(); !s.ok()) return s;
  std::vector<std::string> names = {"base"};
  for (const VaultVariant& v : (*restorer)->vault().variants()) names.push_back(v.name);
  for (const std::string& name : names) {
    const auto model = OpenModel(**restorer, name);
    if (!model.ok()) return model.status();
    if (absl::Status s = (*model)->Verify(); !s.ok()) return s;
    if (name == "base") continue;
    const auto header = (*restorer)->vault().variant_header(name);
    if (!header.ok()) return header.status();
  }
  return absl::OkStatus();
}

TEST(HostRestoreTest, ComesBackWholeOnAnyNumberOfThreads) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(VaultBytes()));
  EXPECT_EQ(restorer->vault().header().version_minor(), 5);
  EXPECT_TRUE(restorer->vault().params().host_codings);
  for (const std::string& name : ModelNames()) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const auto model, OpenModel(*restorer, name));
    for (const int threads : {1, 2, 5}) {
      TestBytes bytes;
      const auto gather = [&](uint64_t offset, absl::Span<const uint8_t> piece) {
        EXPECT_EQ(offset, bytes.size());
        bytes.insert(bytes.end(), piece.begin(), piece.end());
        return absl::OkStatus();
      };
      EXPECT_THAT(model->Restore(Threads(threads), gather), IsOk());
      EXPECT_TRUE(bytes == Expected(name));
      EXPECT_THAT(model->Verify(Threads(threads)), IsOk());
    }
  }
}

TEST(HostRestoreTest, InAnyOrderAllBytesComeOnce) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(VaultBytes()));
  for (const std::string& name : ModelNames()) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const auto model, OpenModel(*restorer, name));
    TestBytes bytes(model->data_size());
    std::vector<int> times(bytes.size());
    std::mutex mutex;
    const auto place = [&](uint64_t offset, absl::Span<const uint8_t> piece) {
      const std::lock_guard<std::mutex> lock(mutex);
      std::copy(piece.begin(), piece.end(), bytes.begin() + static_cast<ptrdiff_t>(offset));
      for (size_t i = 0; i < piece.size(); ++i) ++times[offset + i];
      return absl::OkStatus();
    };
    EXPECT_THAT(model->Restore(Threads(4, true), place), IsOk());
    EXPECT_TRUE(bytes == Expected(name));
    EXPECT_EQ(std::count(times.begin(), times.end(), 1), static_cast<ptrdiff_t>(times.size()));
  }
}

TEST(HostRestoreTest, AnErrorOfTheConsumerEndsTheRestore) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(VaultBytes()));
  ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant("dense"));
  for (const bool any_order : {false, true}) {
    const auto full = [](uint64_t, absl::Span<const uint8_t>) { return absl::UnavailableError("full"); };
    EXPECT_THAT(model->Restore(Threads(2, any_order), full), StatusIs(StatusCode::kUnavailable, "full"));
  }
}

TEST(HostRestoreTest, AnyRangeIsASlice) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(VaultBytes()));
  for (const std::string& name : ModelNames()) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const auto model, OpenModel(*restorer, name));
    const TestBytes& expected = Expected(name);
    const std::vector<uint64_t> borders = Borders(model->layout(), kChunkSize, kSegmentSize);
    TestRandom random(80);
    for (int i = 0; i < 300; ++i) {
      const uint64_t a = borders[random.Below(borders.size())];
      const uint64_t b = random.Below(3) == 0 ? std::min<uint64_t>(expected.size(), a + random.Below(40))
                                              : borders[random.Below(borders.size())];
      const auto [begin, end] = std::minmax(a, b);
      TestBytes bytes;
      EXPECT_THAT(model->ReadRange(begin, end, Threads(1 + i % 3),
                                   [&](uint64_t offset, absl::Span<const uint8_t> piece) {
                                     EXPECT_EQ(offset, begin + bytes.size());
                                     bytes.insert(bytes.end(), piece.begin(), piece.end());
                                     return absl::OkStatus();
                                   }),
                  IsOk());
      EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), expected.begin() + static_cast<ptrdiff_t>(begin),
                             expected.begin() + static_cast<ptrdiff_t>(end)))
          << begin << " to " << end;
    }
    EXPECT_THAT(model->ReadRange(0, expected.size() + 1, {}, nullptr), StatusIs(StatusCode::kInvalidArgument));
  }
}

TEST(HostRestoreTest, TheBaseIsASourceForCoders) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(VaultBytes()));
  const std::unique_ptr<DataSource> source = restorer->BaseSource();
  const TestBytes& base = Models().base;
  ASSERT_EQ(source->size(), base.size());
  TestRandom random(81);
  for (int i = 0; i < 200; ++i) {
    const size_t begin = random.Below(base.size());
    TestBytes bytes(random.Below(std::min<size_t>(base.size() - begin, 3000) + 1));
    ASSERT_THAT(source->Read(begin, absl::MakeSpan(bytes)), IsOk());
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), base.begin() + static_cast<ptrdiff_t>(begin)));
  }
  TestBytes one(1);
  EXPECT_THAT(source->Read(base.size(), absl::MakeSpan(one)),
              StatusIs(StatusCode::kOutOfRange, HasSubstr("v.mvlt: base: read of 1 bytes")));
}

TEST(HostRestoreTest, DigestsAreThoseOfLeaves) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(VaultBytes()));
  const auto leaves = [](const TestBytes& data, size_t unit_size) {
    std::string joined;
    for (size_t begin = 0; begin < data.size(); begin += unit_size) {
      XXH128_canonical_t leaf;
      XXH128_canonicalFromHash(&leaf, XXH3_128bits(data.data() + begin, std::min(unit_size, data.size() - begin)));
      joined.append(reinterpret_cast<const char*>(leaf.digest), sizeof(leaf.digest));
    }
    return joined;
  };
  const auto expect = [](const std::string& joined, const ModelDigests& digests) {
    EXPECT_EQ(digests.xxh64, XXH64(joined.data(), joined.size(), 0));
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(joined.data(), joined.size()));
    EXPECT_TRUE(std::equal(digests.xxh3.begin(), digests.xxh3.end(), digest.digest));
  };
  expect(leaves(Models().base, kChunkSize), restorer->vault().base_digests());
  for (const CodedVariant& v : Models().variants) {
    ASSERT_OK_AND_ASSIGN(const VaultVariant* stored, restorer->vault().Find(v.name));
    expect(leaves(v.data, kSegmentSize), stored->digests);
  }
  // Whatever vectors are used.
  TestRandom random(82);
  for (const size_t size : {0, 1, 16, 17, 128, 129, 240, 241, 1000, 5000}) {
    const std::string text = random.Bytes(size);
    const auto bytes = absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), size);
    EXPECT_EQ(Xxh3Of64(bytes), XXH3_64bits(bytes.data(), size));
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(bytes.data(), size));
    EXPECT_TRUE(std::equal(digest.digest, digest.digest + 16, Xxh3Of128(bytes).begin())) << size;
  }
}

TEST(HostRestoreTest, ADamagedUnitIsNamedAndTheOthersAreThere) {
  std::string vault = VaultBytes();
  {
    ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(vault));
    const VaultHeader& header = restorer->vault().header();
    ChunkPlace place;
    const SectionPlace& chunks = header.section(Section::kChunks);
    ASSERT_EQ(FindChunk(header, ToByteView(vault.substr(chunks.offset, chunks.size)), 3, &place), CoreStatus::kOk);
    vault[header.section(Section::kBase).offset + place.offset] ^= 1;
  }
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(vault));
  const auto drop = [](uint64_t, absl::Span<const uint8_t>) { return absl::OkStatus(); };
  for (const std::string name : {"base", "residual"}) {
    ASSERT_OK_AND_ASSIGN(const auto model, OpenModel(*restorer, name));
    const auto damaged = StatusIs(StatusCode::kDataLoss, HasSubstr("base chunk 3 at offset"));
    for (const int threads : {1, 3}) {
      EXPECT_THAT(model->Verify(Threads(threads)), damaged);
      EXPECT_THAT(model->ReadRange(3 * kChunkSize - 1, 3 * kChunkSize + 1, Threads(threads), drop), damaged);
      // A variant's segment is coded against several chunks.
      const bool is_base = name == "base";
      if (is_base) {
        EXPECT_THAT(model->ReadRange(0, 3 * kChunkSize, Threads(threads), drop), IsOk());
      }
      const uint64_t next = is_base ? 4 * kChunkSize : kSegmentSize;
      EXPECT_THAT(model->ReadRange(next, model->data_size(), Threads(threads), drop), IsOk());
    }
  }
}

TEST(HostRestoreTest, NoByteOfAVaultMayChange) {
  EXPECT_THAT(RestoreAll(VaultBytes()), IsOk());
  const CodedModels models = [] {
    PlainModels plain = MakePlainModels(4);
    plain.variants.resize(2);
    return Encode(plain, 16384, 16384, BaseProfile::kHost);
  }();
  const std::string vault = CodedVaultBytes(models);
  ASSERT_THAT(RestoreAll(vault), IsOk());
  // All of the small parts, and a sample of what is large.
  for (size_t i = 0; i < vault.size(); i += i % 4096 < 700 ? 1 : 37) {
    std::string damaged = vault;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
    EXPECT_FALSE(RestoreAll(damaged).ok()) << i;
  }
}

TEST(HostRestoreTest, WhatIsForgedIsAnErrorOrGivesTheSameModels) {
  const std::string& vault = VaultBytes();
  TestRandom random(83);
  for (int i = 0; i < 300; ++i) {
    std::string forged = vault;
    for (uint64_t n = 1 + random.Below(3); n > 0; --n) {
      forged[random.Below(forged.size())] = static_cast<char>(random.Next());
    }
    RepairEverything(&forged);
    const absl::Status status = RestoreAll(forged);
    EXPECT_THAT(status.code(), testing::AnyOf(StatusCode::kOk, StatusCode::kDataLoss, StatusCode::kUnimplemented,
                                              StatusCode::kNotFound))
        << status;
  }
}

TEST(HostRestoreTest, ModelSaysNothingButWhichTensorsThereAre) {
  for (const BaseProfile profile : {BaseProfile::kSmall, BaseProfile::kFast}) {
    std::string vault = CodedVaultBytes(Encode(MakePlainModels(5), kChunkSize, kSegmentSize, profile));
    Store<uint16_t>(&vault, 10, 5);
    Store<uint32_t>(&vault, 12, Load<uint32_t>(vault, 12) | kFeatureHostCodings);
    RepairEverything(&vault);
    EXPECT_THAT(OpenBytes(vault),
                StatusIs(StatusCode::kDataLoss,
                         AllOf(HasSubstr("v.mvlt: MODEL section: "),
                               HasSubstr(profile == BaseProfile::kSmall ? "tables; with host codings" : "flags"))));
  }
}

TEST(HostRestoreTest, EnginesDoNotReadIt) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(VaultBytes()));
  EXPECT_THAT(ModelWeights::Open(*restorer, "base", {}, 0),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("profile host")));
}

// What FileAssembler makes of data in order.
TEST(FilePlacerTest, PutsAFileTogetherInAnyOrder) {
  ModelStructure structure;
  structure.description_size = 3;
  structure.pieces = {{0, 4}, {0, 2}, {10, 1}, {25, 3}, {40, 5}};
  const std::string frame = "xyzABCDEFGHIJKLMNO";
  std::string data;
  for (char c = 0; c < 40; ++c) data += static_cast<char>('a' + c % 26);
  std::string expected;
  FileAssembler assembler(frame, structure, [&](absl::Span<const uint8_t> bytes) {
    expected.append(bytes.begin(), bytes.end());
    return absl::OkStatus();
  });
  ASSERT_THAT(assembler.Append(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(data.data()), data.size())),
              IsOk());
  ASSERT_THAT(assembler.Finish(), IsOk());
  ASSERT_EQ(expected.size(), 55u);

  EXPECT_TRUE(FilePlacer::CanPlace(structure));
  std::string file(expected.size(), '.');
  const FilePlacer placer(frame, structure, [&](uint64_t offset, absl::Span<const uint8_t> bytes) {
    EXPECT_EQ(file.substr(offset, bytes.size()), std::string(bytes.size(), '.')) << offset;
    std::copy(bytes.begin(), bytes.end(), file.begin() + static_cast<ptrdiff_t>(offset));
    return absl::OkStatus();
  });
  for (const size_t begin : {32, 8, 0, 24, 16}) {
    const auto bytes = absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(data.data()) + begin, 8);
    EXPECT_THAT(placer.Place(begin, bytes), IsOk());
  }
  EXPECT_THAT(placer.PlaceFrame(), IsOk());
  EXPECT_EQ(file, expected);

  const FilePlacer failing(frame, structure,
                           [](uint64_t, absl::Span<const uint8_t>) { return absl::UnavailableError("full"); });
  EXPECT_THAT(failing.PlaceFrame(), StatusIs(StatusCode::kUnavailable));
  structure.weaves = {{0, 1, {4, 4}}};
  EXPECT_FALSE(FilePlacer::CanPlace(structure));
}

}  // namespace
}  // namespace modelvault
