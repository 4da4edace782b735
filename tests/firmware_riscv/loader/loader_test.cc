#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/core/core_status.h"
#include "firmware_riscv/loader/modelvault_loader.h"
#include "tests/firmware_riscv/loader/loader_fixture.h"
#include "tests/restore/coded_models.h"
#include "vault/core/vault_view.h"
#include "vault/format.h"

namespace modelvault {
namespace {

TEST(LoaderTest, EveryModelComesBackInTilesOfAnySizeInTheMemoryAskedFor) {
  for (const CodedModels* models : {&Models(), &WholeModels()}) {
    const std::string vault = CodedVaultBytes(*models);
    for (const size_t tile_size : {256, 257, 1000, 4096, 100'000}) {
      OpenedVault opened(vault, tile_size);
      ASSERT_NE(opened.loader(), nullptr);
      size_t used = 0;
      for (const auto& [name, bytes] : Contents(*models)) {
        SCOPED_TRACE(absl::StrCat("'", name, "' in tiles of ", tile_size));
        mv_variant variant;
        ASSERT_EQ(Find(opened.loader(), name, &variant), MV_OK);
        for (int pass = 0; pass < 2; ++pass) {
          const Restored restored = Restore(opened.loader(), variant, tile_size);
          EXPECT_EQ(restored.error, MV_OK);
          EXPECT_EQ(restored.verdict, MV_VERIFIED);
          EXPECT_TRUE(restored.bytes == bytes);
          EXPECT_EQ(restored.digest, XXH64(bytes.data(), bytes.size(), 0));
          EXPECT_EQ(variant.digest, restored.digest);
          EXPECT_EQ(mv_model_size(opened.loader()), bytes.size());
        }
        used = std::max(used, mv_memory_used(opened.loader()));
      }
      EXPECT_EQ(used, opened.memory_size());  // The variants with layouts of their own took all of it.
    }
  }
}

TEST(LoaderTest, TilesHaveTheSizeAskedForButTheLast) {
  OpenedVault opened(CodedVaultBytes(Models()), 300);
  mv_variant base;
  mv_base(opened.loader(), &base);
  ASSERT_EQ(mv_start(opened.loader(), &base, 300), MV_OK);
  size_t left = Models().base.size();
  const uint8_t* tile;
  size_t size;
  while (left > 0) {
    ASSERT_EQ(mv_next(opened.loader(), &tile, &size), MV_OK);
    ASSERT_EQ(size, std::min<size_t>(left, 300));
    left -= size;
  }
  ASSERT_EQ(mv_next(opened.loader(), &tile, &size), MV_OK);
  EXPECT_EQ(size, 0u);
}

TEST(LoaderTest, TheListHasEveryVariantOnce) {
  OpenedVault opened(CodedVaultBytes(Models()));
  EXPECT_EQ(mv_count(opened.loader()), Models().variants.size());
  std::vector<std::string> names, expected;
  mv_cursor cursor = {};
  mv_variant variant;
  mv_error error;
  while ((error = mv_list(opened.loader(), &cursor, &variant)) == MV_OK) {
    names.emplace_back(variant.name, variant.name_size);
    mv_variant found;
    ASSERT_EQ(mv_find(opened.loader(), variant.name, variant.name_size, &found), MV_OK);
    EXPECT_EQ(found.name, variant.name);
    EXPECT_EQ(found.digest, variant.digest);
    EXPECT_EQ(found.blob_offset, variant.blob_offset);
    EXPECT_EQ(found.blob_size, variant.blob_size);
    EXPECT_EQ(found.blob_checksum, variant.blob_checksum);
  }
  EXPECT_EQ(error, MV_NOT_FOUND);
  for (const CodedVariant& v : Models().variants) expected.push_back(v.name);
  std::sort(names.begin(), names.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(names, expected);
}

TEST(LoaderTest, NoOtherNameIsFound) {
  OpenedVault opened(CodedVaultBytes(Models()));
  mv_variant variant;
  for (const std::string& name : {std::string("base"), std::string(), std::string("ternar"), std::string("ternary "),
                                  std::string("ternary\0", 8), std::string(300, 'x')}) {
    EXPECT_EQ(mv_find(opened.loader(), name.data(), name.size(), &variant), MV_NOT_FOUND) << name;
  }
}

TEST(LoaderTest, AVaultMayLieInALongerPartition) {
  const std::string vault = CodedVaultBytes(Models());
  OpenedVault opened(vault + std::string(1000, '\xFF'));
  ASSERT_NE(opened.loader(), nullptr);
  mv_variant base;
  mv_base(opened.loader(), &base);
  EXPECT_EQ(Restore(opened.loader(), base, 4096).verdict, MV_VERIFIED);
}

TEST(LoaderTest, AVaultThatIsLongerThanItsPartitionIsTruncated) {
  const std::string vault = CodedVaultBytes(Models());
  Memory memory(1 << 20);
  for (size_t size : {vault.size() - 1, vault.size() / 2, size_t{256}, size_t{255}, size_t{1}, size_t{0}}) {
    mv_loader* loader;
    mv_fault fault;
    size_t needed;
    EXPECT_EQ(mv_open(Data(vault), size, memory.data(), memory.size(), nullptr, &loader, &fault), MV_TRUNCATED) << size;
    EXPECT_EQ(loader, nullptr);
    EXPECT_EQ(fault.place, MV_PLACE_HEADER);
    EXPECT_EQ(mv_memory_needed(Data(vault), size, 4096, nullptr, &needed), MV_TRUNCATED) << size;
  }
}

TEST(LoaderTest, TooLittleMemoryIsNamedWhereverItRunsOut) {
  const std::string vault = CodedVaultBytes(Models());
  size_t needed;
  ASSERT_EQ(mv_memory_needed(Data(vault), vault.size(), 256, nullptr, &needed), MV_OK);
  int opened = 0;
  for (size_t size = 0; size < needed; size += size < needed - 64 ? 61 : 1) {
    SCOPED_TRACE(size);
    Memory memory(size);
    mv_loader* loader;
    mv_fault fault;
    const mv_error error = mv_open(Data(vault), vault.size(), memory.data(), size, nullptr, &loader, &fault);
    if (error != MV_OK) {
      EXPECT_EQ(error, MV_WORKSPACE_TOO_SMALL);
      EXPECT_EQ(fault.place, MV_PLACE_MEMORY);
      continue;
    }
    ++opened;
    mv_variant variant;
    ASSERT_EQ(Find(loader, "free", &variant), MV_OK);
    EXPECT_EQ(mv_start(loader, &variant, 256), MV_WORKSPACE_TOO_SMALL);
    const uint8_t* tile;
    size_t tile_size;
    EXPECT_EQ(mv_next(loader, &tile, &tile_size), MV_WORKSPACE_TOO_SMALL);
    EXPECT_EQ(tile, nullptr);
    uint32_t verdict = MV_VERIFIED;
    EXPECT_EQ(mv_finish(loader, &verdict), MV_WORKSPACE_TOO_SMALL);
    EXPECT_EQ(verdict, MV_REJECTED);
  }
  EXPECT_GT(opened, 3);
}

TEST(LoaderTest, ArgumentsAreChecked) {
  const std::string vault = CodedVaultBytes(Models());
  Memory memory(1 << 20);
  mv_loader* loader;
  EXPECT_EQ(mv_open(nullptr, 0, memory.data(), memory.size(), nullptr, &loader, nullptr), MV_BAD_ARGUMENT);
  EXPECT_EQ(mv_open(Data(vault), vault.size(), nullptr, 0, nullptr, &loader, nullptr), MV_BAD_ARGUMENT);
  EXPECT_EQ(mv_open(Data(vault), size_t{1} << 31, memory.data(), memory.size(), nullptr, &loader, nullptr),
            MV_BAD_ARGUMENT);
  for (size_t shift = 1; shift < MV_MEMORY_ALIGNMENT; ++shift) {
    EXPECT_EQ(mv_open(Data(vault), vault.size(), memory.data() + shift, memory.size() - 8, nullptr, &loader, nullptr),
              MV_MISALIGNED);
    EXPECT_EQ(loader, nullptr);
  }
  for (size_t shift = 1; shift < 4; ++shift) {
    const std::string shifted = std::string(shift, '\0') + vault;
    EXPECT_EQ(mv_open(Data(shifted) + shift, vault.size(), memory.data(), memory.size(), nullptr, &loader, nullptr),
              MV_MISALIGNED);
    EXPECT_EQ(loader, nullptr);
  }
  ASSERT_EQ(mv_open(Data(vault), vault.size(), memory.data(), memory.size(), nullptr, &loader, nullptr), MV_OK);
  mv_variant variant;
  ASSERT_EQ(Find(loader, "ternary", &variant), MV_OK);
  size_t needed;
  for (const size_t tile_size : {size_t{0}, size_t{255}, size_t{1} << 31}) {
    EXPECT_EQ(mv_start(loader, &variant, tile_size), MV_BAD_ARGUMENT);
    EXPECT_EQ(mv_memory_needed(Data(vault), vault.size(), tile_size, nullptr, &needed), MV_BAD_ARGUMENT);
  }
  mv_variant outside = variant;
  outside.blob_offset = 0xFFFFFFF0u;
  EXPECT_EQ(mv_start(loader, &outside, 4096), MV_BAD_ARGUMENT);
  outside = variant;
  outside.blob_size = static_cast<uint32_t>(vault.size() - variant.blob_offset + 1);
  EXPECT_EQ(mv_start(loader, &outside, 4096), MV_BAD_ARGUMENT);
  EXPECT_EQ(mv_start(loader, &variant, 4096), MV_OK);
}

TEST(LoaderTest, NothingIsVerifiedBeforeItIsDone) {
  OpenedVault opened(CodedVaultBytes(Models()));
  mv_loader* const loader = opened.loader();
  const uint8_t* tile;
  size_t size;
  uint32_t verdict = MV_VERIFIED;
  EXPECT_EQ(mv_next(loader, &tile, &size), MV_NOT_FINISHED);  // Nothing was started.
  EXPECT_EQ(mv_finish(loader, &verdict), MV_NOT_FINISHED);
  EXPECT_EQ(verdict, MV_REJECTED);
  mv_variant variant;
  ASSERT_EQ(Find(loader, "ternary", &variant), MV_OK);
  ASSERT_EQ(mv_start(loader, &variant, 4096), MV_OK);
  do {
    verdict = MV_VERIFIED;
    EXPECT_EQ(mv_finish(loader, &verdict), MV_NOT_FINISHED);
    EXPECT_EQ(verdict, MV_REJECTED);
    ASSERT_EQ(mv_next(loader, &tile, &size), MV_OK);
  } while (size > 0);
  EXPECT_EQ(mv_finish(loader, &verdict), MV_OK);
  EXPECT_EQ(verdict, MV_VERIFIED);
}

TEST(LoaderTest, AnotherModelsDigestIsAMismatch) {
  OpenedVault opened(CodedVaultBytes(Models()));
  mv_variant variant, other;
  ASSERT_EQ(Find(opened.loader(), "ternary", &variant), MV_OK);
  ASSERT_EQ(Find(opened.loader(), "residual", &other), MV_OK);
  variant.digest = other.digest;
  const Restored restored = Restore(opened.loader(), variant, 4096);
  EXPECT_EQ(restored.error, MV_DIGEST_MISMATCH);
  EXPECT_EQ(restored.verdict, MV_REJECTED);
  EXPECT_EQ(mv_diagnose(opened.loader(), &variant).place, MV_PLACE_UNKNOWN);
}

TEST(LoaderTest, GivesTheNetworkAndProvesIt) {
  const uint8_t* bytes = nullptr;
  size_t size = 99;
  {
    OpenedVault opened(CodedVaultBytes(Models()));
    EXPECT_EQ(mv_network(opened.loader(), &bytes, &size), MV_NOT_FOUND);
    EXPECT_EQ(bytes, nullptr);
    EXPECT_EQ(size, 0u);
  }
  CodedModels models = Encode(MakePlainModels(4), 4096, 1 << 20);
  models.network = TestRandom(3).Bytes(5001);
  std::string vault = CodedVaultBytes(models);
  {
    OpenedVault opened(vault);
    ASSERT_EQ(mv_network(opened.loader(), &bytes, &size), MV_OK);
    EXPECT_EQ(std::string(bytes, bytes + size), models.network);
    // The variants behind it are where they were.
    mv_variant variant;
    ASSERT_EQ(Find(opened.loader(), "ternary", &variant), MV_OK);
    EXPECT_EQ(Restore(opened.loader(), variant, 4096).verdict, MV_VERIFIED);
  }
  // Damaged, it does not keep the models from being restored.
  const size_t place = static_cast<size_t>(LoadLe64(Data(vault) + kNetworkField.offset));
  vault[place + 5000] = static_cast<char>(vault[place + 5000] ^ 1);
  OpenedVault opened(vault);
  EXPECT_EQ(mv_network(opened.loader(), &bytes, &size), MV_CHECKSUM_MISMATCH);
  EXPECT_EQ(bytes, nullptr);
  mv_variant variant;
  ASSERT_EQ(Find(opened.loader(), "ternary", &variant), MV_OK);
  EXPECT_EQ(Restore(opened.loader(), variant, 4096).verdict, MV_VERIFIED);
}

// What a flipped bit at `at` hits, by the header's own table.
mv_place PlaceOf(const std::string& vault, size_t at) {
  if (at < kHeaderSize) return MV_PLACE_HEADER;
  const mv_place kPlaces[] = {MV_PLACE_MODEL, MV_PLACE_CHUNKS, MV_PLACE_BASE, MV_PLACE_INDEX};
  for (size_t s = 0; s < 4; ++s) {
    const uint8_t* const entry = Data(vault) + kSectionsField.offset + s * kSectionEntrySize;
    const uint64_t offset = LoadLe64(entry), size = LoadLe64(entry + 8);
    if (at >= offset && at - offset < size) return kPlaces[s];
  }
  return MV_PLACE_UNKNOWN;
}

TEST(LoaderTest, NoFlippedBitIsEverMissed) {
  for (const CodedModels* models : {&Models(), &WholeModels()}) {
    const std::string vault = CodedVaultBytes(*models);
    const std::map<std::string, std::string> contents = Contents(*models);
    size_t needed;
    ASSERT_EQ(mv_memory_needed(Data(vault), vault.size(), 4096, nullptr, &needed), MV_OK);
    std::map<mv_place, int> caught;
    TestRandom random(9);
    for (size_t at = 0; at < vault.size(); ++at) {
      const mv_place place = PlaceOf(vault, at);
      // Where a whole model must be restored to notice, some bytes stand for all.
      const bool before_models = place != MV_PLACE_BASE && place != MV_PLACE_UNKNOWN;
      if (!before_models && at % 17 != 0) continue;
      std::string damaged = vault;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.Below(8)));
      SCOPED_TRACE(absl::StrCat("byte ", at, ", in ", mv_place_name(place)));
      Memory memory(needed);
      mv_loader* loader;
      mv_fault fault;
      const mv_error error =
          mv_open(Data(damaged), damaged.size(), memory.data(), memory.size(), nullptr, &loader, &fault);
      if (before_models) {
        EXPECT_NE(error, MV_OK);
        EXPECT_EQ(fault.place, place);
        ++caught[place];
        continue;
      }
      ASSERT_EQ(error, MV_OK);
      // The model that has something there, and one that has not.
      bool hit = false;
      for (const auto& [name, bytes] : contents) {
        mv_variant variant;
        ASSERT_EQ(Find(loader, name, &variant), MV_OK);
        const bool in_blob = at >= variant.blob_offset && at - variant.blob_offset < variant.blob_size;
        if (!in_blob && name != (at % 2 == 0 ? "" : "ternary")) continue;
        const Restored restored = Restore(loader, variant, 4096);
        if (restored.verdict == MV_VERIFIED) {
          EXPECT_EQ(restored.error, MV_OK);
          EXPECT_TRUE(restored.bytes == bytes) << "wrong bytes were verified";
          continue;
        }
        hit = true;
        EXPECT_NE(restored.error, MV_OK);
        EXPECT_TRUE(in_blob || place == MV_PLACE_BASE);
        const mv_fault found = mv_diagnose(loader, &variant);
        EXPECT_EQ(found.place, in_blob ? MV_PLACE_DELTA : MV_PLACE_BASE);
        ++caught[found.place];
      }
      EXPECT_TRUE(hit || place != MV_PLACE_BASE);
    }
    for (const mv_place place :
         {MV_PLACE_HEADER, MV_PLACE_MODEL, MV_PLACE_CHUNKS, MV_PLACE_BASE, MV_PLACE_INDEX, MV_PLACE_DELTA}) {
      EXPECT_GT(caught[place], 20) << mv_place_name(place);
    }
  }
}

TEST(LoaderTest, TheChunkAndTheSegmentAtFaultAreNamed) {
  const CodedModels& models = Models();
  const std::string vault = CodedVaultBytes(models);
  const uint64_t base = LoadLe64(Data(vault) + kSectionsField.offset + 2 * kSectionEntrySize);
  uint64_t at = base;
  for (size_t chunk = 0; chunk < models.chunks.size(); at += models.chunks[chunk++].size()) {
    std::string damaged = vault;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    OpenedVault opened(damaged);
    mv_variant variant;
    mv_base(opened.loader(), &variant);
    const mv_fault fault = mv_diagnose(opened.loader(), &variant);
    EXPECT_EQ(fault.place, MV_PLACE_BASE);
    EXPECT_EQ(fault.number, chunk);
  }
  mv_variant variant;
  {
    OpenedVault opened(vault);
    ASSERT_EQ(Find(opened.loader(), "dense", &variant), MV_OK);
  }
  at = variant.blob_offset + variant.blob_size;
  const std::vector<std::string>& segments = models.variant("dense").segments;
  ASSERT_GT(segments.size(), 3u);
  for (size_t segment = segments.size(); segment-- > 0;) {
    at -= segments[segment].size();
    std::string damaged = vault;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    OpenedVault opened(damaged);
    const mv_fault fault = mv_diagnose(opened.loader(), &variant);
    EXPECT_EQ(fault.place, MV_PLACE_DELTA);
    EXPECT_EQ(fault.number, segment);
  }
}

// Damage that comes after the vault was opened.
TEST(LoaderTest, WhatRotsWhileItIsOpenIsFoundToo) {
  std::string vault = CodedVaultBytes(Models());
  Memory memory(1 << 20);
  mv_loader* loader;
  for (size_t shift = 1; shift < 4; ++shift) {
    const std::string shifted = std::string(shift, '\0') + vault;
    EXPECT_EQ(mv_open(Data(shifted) + shift, vault.size(), memory.data(), memory.size(), nullptr, &loader, nullptr),
              MV_MISALIGNED);
    EXPECT_EQ(loader, nullptr);
  }
  ASSERT_EQ(mv_open(Data(vault), vault.size(), memory.data(), memory.size(), nullptr, &loader, nullptr), MV_OK);
  mv_variant variant;
  ASSERT_EQ(Find(loader, "ternary", &variant), MV_OK);
  EXPECT_EQ(mv_diagnose(loader, &variant).place, MV_PLACE_UNKNOWN);
  for (const auto& [at, place] : std::vector<std::pair<size_t, mv_place>>{
           {100, MV_PLACE_HEADER},
           {LoadLe64(Data(vault) + kSectionsField.offset), MV_PLACE_MODEL},
           {LoadLe64(Data(vault) + kSectionsField.offset + kSectionEntrySize), MV_PLACE_CHUNKS},
           {LoadLe64(Data(vault) + kSectionsField.offset + 3 * kSectionEntrySize), MV_PLACE_INDEX}}) {
    vault[at] = static_cast<char>(vault[at] ^ 4);
    EXPECT_EQ(mv_diagnose(loader, &variant).place, place);
    vault[at] = static_cast<char>(vault[at] ^ 4);
  }
}

TEST(LoaderTest, TheBaseIsProvenWithoutTheIndex) {
  std::string vault = CodedVaultBytes(Models());
  VaultHeader header;
  ASSERT_EQ(ParseHeader({Data(vault), kHeaderSize}, vault.size(), &header), CoreStatus::kOk);
  vault[header.section(Section::kIndex).offset + 3] ^= 1;
  Memory memory(1 << 20);
  mv_loader* loader;
  mv_fault fault;
  ASSERT_EQ(mv_open(Data(vault), vault.size(), memory.data(), memory.size(), nullptr, &loader, &fault),
            MV_CHECKSUM_MISMATCH);
  ASSERT_EQ(fault.place, MV_PLACE_INDEX);
  ASSERT_EQ(mv_open_base(Data(vault), vault.size(), memory.data(), memory.size(), nullptr, &loader, &fault), MV_OK);
  EXPECT_EQ(mv_count(loader), 0u);
  mv_cursor cursor = {};
  mv_variant variant;
  EXPECT_EQ(mv_list(loader, &cursor, &variant), MV_BAD_INDEX);
  EXPECT_EQ(Find(loader, Models().variants.front().name, &variant), MV_BAD_INDEX);
  ASSERT_EQ(Find(loader, "", &variant), MV_OK);
  const Restored restored = Restore(loader, variant, MV_DEFAULT_TILE_SIZE);
  EXPECT_EQ(restored.verdict, MV_VERIFIED);
  EXPECT_EQ(restored.bytes, Contents(Models())[""]);
  EXPECT_EQ(mv_diagnose(loader, &variant).place, MV_PLACE_UNKNOWN);
  // All else is checked as ever.
  vault[header.section(Section::kModel).offset + 3] ^= 1;
  EXPECT_EQ(mv_open_base(Data(vault), vault.size(), memory.data(), memory.size(), nullptr, &loader, &fault),
            MV_CHECKSUM_MISMATCH);
  EXPECT_EQ(fault.place, MV_PLACE_MODEL);
  EXPECT_EQ(loader, nullptr);
}

TEST(LoaderTest, ForgedVaultsAreRefusedByName) {
  const std::string vault = CodedVaultBytes(Models());
  struct Forgery {
    size_t offset;
    std::string bytes;
    mv_error error;
  };
  for (const Forgery& forgery :
       std::vector<Forgery>{{kBaseDataSizeField.offset,
                             std::string(1, static_cast<char>(vault[kBaseDataSizeField.offset] ^ 1)), MV_BAD_MODEL},
                            {kTensorCountField.offset,
                             std::string(1, static_cast<char>(vault[kTensorCountField.offset] + 1)), MV_BAD_MODEL}}) {
    std::string forged = vault;
    forged.replace(forgery.offset, forgery.bytes.size(), forgery.bytes);
    RepairEverything(&forged);
    Memory memory(1 << 20);
    mv_loader* loader;
    EXPECT_EQ(mv_open(Data(forged), forged.size(), memory.data(), memory.size(), nullptr, &loader, nullptr),
              forgery.error);
  }
}

// What a loader does is counted by what it feeds: 4 KiB hashed at most, something parsed, or a tile.
struct WorkMeter {
  uint64_t fed = 0;
  mv_watchdog watchdog = {[](void* self) { ++static_cast<WorkMeter*>(self)->fed; }, this};
};

// Opens, proves and diagnoses all there is. The digests of what was proven.
std::vector<uint64_t> ProveEverything(const std::string& vault, const mv_watchdog* watchdog) {
  std::vector<uint64_t> proven;
  Memory memory(1 << 18);
  mv_loader* loader;
  size_t needed;
  static_cast<void>(mv_memory_needed(Data(vault), vault.size(), 4096, watchdog, &needed));
  if (mv_open(Data(vault), vault.size(), memory.data(), memory.size(), watchdog, &loader, nullptr) != MV_OK) {
    return proven;
  }
  mv_cursor cursor = {};
  mv_variant variant;
  mv_base(loader, &variant);
  do {
    const Restored restored = Restore(loader, variant, 4096);
    if (restored.verdict == MV_VERIFIED) {
      proven.push_back(restored.digest);
    } else {
      static_cast<void>(mv_diagnose(loader, &variant));
    }
  } while (mv_list(loader, &cursor, &variant) == MV_OK);
  return proven;
}

TEST(LoaderTest, SizesAtTheirExtremesTakeNoMoreWorkThanTheVaultDoes) {
  const std::string vault = CodedVaultBytes(WholeModels());
  WorkMeter whole;
  const std::vector<uint64_t> expected = ProveEverything(vault, &whole.watchdog);
  ASSERT_EQ(expected.size(), WholeModels().variants.size() + 1);
  VaultHeader header;
  ASSERT_EQ(ParseHeader({Data(vault), kHeaderSize}, vault.size(), &header), CoreStatus::kOk);
  // Every word and every two words of the header, of MODEL's front, of CHUNKS and of INDEX.
  std::vector<size_t> places;
  const auto add = [&](size_t begin, size_t size) {
    for (size_t at = begin; at + 8 <= begin + size; at += at < kHeaderSize ? 4 : 2) places.push_back(at);
  };
  add(kFeaturesField.offset, kHeaderChecksumField.offset - kFeaturesField.offset);
  for (const Section s : {Section::kModel, Section::kChunks, Section::kIndex}) {
    add(header.section(s).offset, std::min<size_t>(header.section(s).size, 160));
  }
  uint64_t most = 0;
  for (const size_t at : places) {
    for (const size_t size : {2, 4, 8}) {
      for (const uint64_t value :
           {uint64_t{0}, uint64_t{1}, uint64_t{0x7FFFFFFFFFFFFFFF}, ~uint64_t{0}, uint64_t{1} << 31,
            uint64_t{0x0FFFFF00}, uint64_t{1} << 24, uint64_t{0x7F7F7F7F7F7F7F7F}}) {
        std::string forged = vault;
        for (size_t i = 0; i < size; ++i) forged[at + i] = static_cast<char>(value >> (8 * i));
        RepairEverything(&forged);
        WorkMeter work;
        const std::vector<uint64_t> proven = ProveEverything(forged, &work.watchdog);
        most = std::max(most, work.fed);
        ASSERT_LE(work.fed, 4 * whole.fed) << "offset " << at << ", " << size << " bytes, value " << value;
        ASSERT_LE(proven.size(), expected.size());
      }
    }
  }
  EXPECT_GT(most, whole.fed / 2);  // Some forgeries are close to the vault itself.
}

TEST(LoaderTest, TheWatchdogIsFedByWhateverTakesLong) {
  const std::string vault = CodedVaultBytes(WholeModels());
  Memory memory(1 << 18);
  mv_loader* loader;
  WorkMeter work;
  size_t needed;
  EXPECT_EQ(mv_memory_needed(Data(vault), vault.size(), 4096, &work.watchdog, &needed), MV_OK);
  EXPECT_GE(std::exchange(work.fed, 0), 4u);  // MODEL, CHUNKS, INDEX, and what is parsed.
  ASSERT_EQ(mv_open(Data(vault), vault.size(), memory.data(), memory.size(), &work.watchdog, &loader, nullptr), MV_OK);
  EXPECT_GE(std::exchange(work.fed, 0), 5u);
  mv_variant variant;
  mv_base(loader, &variant);
  EXPECT_EQ(mv_start(loader, &variant, 4096), MV_OK);
  EXPECT_EQ(std::exchange(work.fed, 0), 1u);
  const uint8_t* tile;
  size_t size;
  EXPECT_EQ(mv_next(loader, &tile, &size), MV_OK);
  EXPECT_EQ(std::exchange(work.fed, 0), 1u);
  static_cast<void>(mv_diagnose(loader, &variant));
  EXPECT_GE(std::exchange(work.fed, 0), vault.size() / 2 / 4096);
}

TEST(LoaderTest, StepsAreObserved) {
  OpenedVault opened(CodedVaultBytes(Models()));
  std::string steps;
  mv_observe(
      opened.loader(),
      [](void* context, mv_step step) {
        static_cast<std::string*>(context)->push_back(step == MV_STEP_DECODE ? 'd' : step == MV_STEP_HASH ? 'h' : '.');
      },
      &steps);
  mv_variant base;
  mv_base(opened.loader(), &base);
  ASSERT_EQ(Restore(opened.loader(), base, 4096).verdict, MV_VERIFIED);
  std::string expected = "d.";
  for (size_t at = 0; at < Models().base.size(); at += 4096) expected += "dh.";
  EXPECT_EQ(steps, expected + "d.");
}

TEST(LoaderTest, NamesOfErrorsAreWordsAndDiffer) {
  std::vector<std::string> names;
  for (int number = 0; number < 256; ++number) {
    const std::string name = mv_error_name(static_cast<mv_error>(number));
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string::npos) << name;
    if (name != "unknown-error") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  // Every error of the core has a name of its own.
  for (int number = 0; std::string(CoreStatusName(static_cast<CoreStatus>(number))) != "unknown error"; ++number) {
    EXPECT_STRNE(mv_error_name(static_cast<mv_error>(number)), "unknown-error") << number;
  }
}

}  // namespace
}  // namespace modelvault
