#include "vault/vault_editor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/temp_folder.h"
#include "tests/vault/test_vault.h"
#include "vault/section_encoder.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class VaultEditorTest : public testing::Test {
 protected:
  // A vault of `count` variants, and what it holds.
  void Start(size_t count, const VaultWriterOptions& options = {}) {
    contents_ = MakeTestContents(21, count);
    ASSERT_THAT(WriteVault(files_, path_, contents_, options), IsOk());
  }
  std::string Read() const { return folder_.Read("v.mvlt"); }

  // The bytes of a fresh vault of `contents`.
  std::string Fresh(const TestContents& contents, const VaultWriterOptions& options = {}) {
    EXPECT_THAT(WriteVault(files_, folder_.File("fresh"), contents, options), IsOk());
    std::string bytes = folder_.Read("fresh");
    std::filesystem::remove(folder_.File("fresh"));
    return bytes;
  }

  // Each variant's place and stored bytes.
  std::map<std::string, std::pair<uint64_t, std::string>> Blobs() const {
    std::map<std::string, std::pair<uint64_t, std::string>> blobs;
    const auto reader = VaultReader::Open(files_, path_);
    EXPECT_THAT(reader, IsOk());
    const std::string bytes = Read();
    for (const VaultVariant& v : (*reader)->variants()) {
      blobs[v.name] = {v.offset, bytes.substr(v.offset, v.stored_size)};
    }
    return blobs;
  }

  void Forget(const std::string& name) {
    std::erase_if(contents_.variants, [&](const TestVariant& v) { return v.name == name; });
  }

  TempFolder folder_;
  FileSystem& files_ = FileSystem::Default();
  const std::string path_ = folder_.File("v.mvlt");
  TestContents contents_;
};

TEST_F(VaultEditorTest, ChangingNothingChangesNothing) {
  for (const VaultWriterOptions& options :
       {VaultWriterOptions{}, VaultWriterOptions{.wide_chunks = true, .wide_index = true}}) {
    Start(6, options);
    const std::string before = Read();
    ASSERT_THAT(ChangeVault(files_, path_, {}, {}, options), IsOk());
    EXPECT_EQ(Read(), before);
    ASSERT_THAT(ChangeVault(files_, path_, {.remove = {}, .rename = {}, .compact = true}, {}, options), IsOk());
    EXPECT_EQ(Read(), before);
  }
}

TEST_F(VaultEditorTest, AddingGivesTheBytesOfPackingAllAtOnce) {
  const TestContents all = MakeTestContents(21, 7);
  for (size_t first = 0; first < 7; ++first) {
    Start(first);
    ASSERT_THAT(
        ChangeVault(files_, path_, {}, {all.variants.begin() + static_cast<ptrdiff_t>(first), all.variants.end()}),
        IsOk());
    EXPECT_EQ(Read(), Fresh(all)) << first;
  }
}

TEST_F(VaultEditorTest, RemovingLeavesTheOthersInPlaceAndZerosBehind) {
  const size_t count = 6;
  for (size_t gone = 0; gone < count; ++gone) {
    Start(count);
    const auto before = Blobs();
    const std::string old = Read();
    const std::string name = contents_.variants[gone].name;
    ASSERT_THAT(ChangeVault(files_, path_, {.remove = {name}, .rename = {}}), IsOk());
    Forget(name);
    ExpectContents(Read(), contents_);  // which includes that holes are zero
    for (const auto& [other, blob] : Blobs()) EXPECT_EQ(blob, before.at(other)) << other;
    // MODEL, CHUNKS and BASE stay as they were, too.
    const size_t base_end = SectionOffset(old, 2) + SectionSize(old, 2);
    EXPECT_EQ(Read().substr(256, base_end - 256), old.substr(256, base_end - 256));
    // Compacted, it is as if the variant had never been.
    ASSERT_THAT(ChangeVault(files_, path_, {.remove = {}, .rename = {}, .compact = true}), IsOk());
    EXPECT_EQ(Read(), Fresh(contents_)) << name;
  }
}

TEST_F(VaultEditorTest, RemovesSeveralOrAll) {
  Start(6);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"dept-5", "dept-0", "dept-2"}, .rename = {}}), IsOk());
  for (const char* name : {"dept-5", "dept-0", "dept-2"}) Forget(name);
  ExpectContents(Read(), contents_);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"dept-1", "dept-3", "dept-4"}, .rename = {}}), IsOk());
  contents_.variants.clear();
  EXPECT_EQ(Read(), Fresh(contents_));
}

TEST_F(VaultEditorTest, FillsTheFirstHoleThatFits) {
  Start(0);
  const auto variant = [](const std::string& name, size_t size) {
    TestVariant v = MakeTestVariant(name, 1, false, size);
    v.segments[0] = TestRandom(size).Bytes(size - 2);  // and two bytes of head
    return v;
  };
  ASSERT_THAT(ChangeVault(files_, path_, {},
                          {variant("a", 40), variant("keep1", 10), variant("b", 100), variant("keep2", 10),
                           variant("c", 64), variant("keep3", 10)}),
              IsOk());
  const auto before = Blobs();
  const size_t index = SectionOffset(Read(), 3);
  // 41 bytes do not fit into a's 40; b's 100 take them and then 48 more; 64 fill c's; the rest goes to the end, a
  // directory and its segments included; the last one fits into what b left.
  TestVariant directory = MakeTestVariant("directory", 3, true, 5);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"a", "b", "c"}, .rename = {}},
                          {variant("v41", 41), variant("v48", 48), variant("v64", 64), variant("v65", 65), directory,
                           variant("v9", 9)}),
              IsOk());
  auto after = Blobs();
  EXPECT_EQ(after["v41"].first, before.at("b").first);
  EXPECT_EQ(after["v48"].first, before.at("b").first + 44);
  EXPECT_EQ(after["v64"].first, before.at("c").first);
  EXPECT_EQ(after["v65"].first, index);
  EXPECT_EQ(after["directory"].first, index + 68);
  EXPECT_EQ(after["v9"].first, before.at("a").first);
  for (const char* name : {"keep1", "keep2", "keep3"}) EXPECT_EQ(after[name], before.at(name));
  TestContents found;
  ASSERT_THAT(ReadAll(Read(), &found), IsOk());
  EXPECT_THAT(found.variants, testing::Contains(directory));
  EXPECT_THAT(found.variants, testing::Contains(variant("v48", 48)));
}

TEST_F(VaultEditorTest, ReplacesAVariant) {
  Start(6);
  const auto before = Blobs();
  const TestVariant other = MakeTestVariant("dept-2", 1, true, 77);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"dept-2"}, .rename = {}}, {other}), IsOk());
  contents_.variants[2] = other;
  ExpectContents(Read(), contents_);
  for (const auto& [name, blob] : Blobs()) {
    if (name != "dept-2") {
      EXPECT_EQ(blob, before.at(name)) << name;
    }
  }
  // Nobody's data grew into the vault twice.
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"dept-2"}, .rename = {}}, {other}), IsOk());
  ExpectContents(Read(), contents_);
}

TEST_F(VaultEditorTest, AFreeLayoutRaisesTheVersionAsLongAsItStays) {
  Start(4);
  const std::string plain = Read();
  TestVariant small = MakeTestVariant("small", 1, false, 5), large = MakeTestVariant("large", 2, false, 6);
  small.layout = TestFreeLayout(2);
  large.layout = TestFreeLayout(9);
  const auto expect_header = [&](uint16_t minor, uint32_t features, uint32_t most) {
    const std::string vault = Read();
    EXPECT_EQ(Load<uint16_t>(vault, 10), minor);
    EXPECT_EQ(Load<uint32_t>(vault, 12), features);
    EXPECT_EQ(Load<uint32_t>(vault, 216), most);
    ExpectContents(vault, contents_);
  };
  ASSERT_THAT(ChangeVault(files_, path_, {}, {small, large}), IsOk());
  contents_.variants.push_back(small);
  contents_.variants.push_back(large);
  expect_header(1, 4, 9);
  EXPECT_EQ(Read(), Fresh(contents_));
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"large"}, .rename = {}}), IsOk());
  Forget("large");
  expect_header(1, 4, 2);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"small"}, .rename = {}, .compact = true}), IsOk());
  Forget("small");
  expect_header(0, 0, 0);
  EXPECT_EQ(Read(), plain);
}

TEST_F(VaultEditorTest, TheVersionOfDescribedFramesGoesWithTheLast) {
  const auto expect_header = [&](int minor, uint32_t features) {
    EXPECT_EQ(Load<uint16_t>(Read(), 10), minor);
    EXPECT_EQ(Load<uint32_t>(Read(), 12), features);
    ExpectContents(Read(), contents_);
  };
  contents_ = MakeTestContents(23, 3);
  const std::string plain = Fresh(contents_);
  ASSERT_THAT(WriteVault(files_, path_, contents_), IsOk());
  TestVariant described = MakeTestVariant("described", 1, false, 9);
  described.header = "MVFRAME\x01 and so on";
  ASSERT_THAT(ChangeVault(files_, path_, {}, {described}), IsOk());
  contents_.variants.push_back(described);
  expect_header(3, 16);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"dept-1"}, .rename = {}}), IsOk());
  Forget("dept-1");
  expect_header(3, 16);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"described"}, .rename = {}}), IsOk());
  Forget("described");
  expect_header(0, 0);
  contents_.base_header = described.header;
  ASSERT_THAT(WriteVault(files_, path_, contents_), IsOk());
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"dept-0"}, .rename = {}}), IsOk());
  Forget("dept-0");
  expect_header(3, 16);
}

TEST_F(VaultEditorTest, EveryChangeKeepsTheNetworkWhereItIs) {
  contents_ = MakeTestContents(21, 4);
  contents_.network = TestRandom(22).Bytes(61);
  ASSERT_THAT(WriteVault(files_, path_, contents_), IsOk());
  const uint64_t offset = SectionOffset(Read(), 6);
  const auto change = [&](const VaultChanges& changes, const std::vector<TestVariant>& additions = {}) {
    ASSERT_THAT(ChangeVault(files_, path_, changes, additions), IsOk());
    ExpectContents(Read(), contents_);
    EXPECT_EQ(SectionOffset(Read(), 6), offset);
    EXPECT_EQ(Load<uint16_t>(Read(), 10), 2);
  };
  const std::string before = Read();
  change({});
  EXPECT_EQ(Read(), before);
  contents_.variants[1].name = "renamed";
  change({.remove = {}, .rename = {{"dept-1", "renamed"}}});
  // The hole before all other blobs is filled again.
  contents_.variants.erase(contents_.variants.begin());
  change({.remove = {"dept-0"}, .rename = {}});
  contents_.variants.push_back(MakeTestVariant("added", 1, false, 9));
  contents_.variants.back().segments = {"x"};
  change({}, {contents_.variants.back()});
  change({.remove = {}, .rename = {}, .compact = true});
  std::vector<std::string> all;
  for (const TestVariant& variant : contents_.variants) all.push_back(variant.name);
  contents_.variants.clear();
  change({.remove = all, .rename = {}});
  EXPECT_EQ(Read(), Fresh(contents_));
}

TEST_F(VaultEditorTest, KeepsTheVersionThatADamagedVariantMayNeed) {
  contents_ = MakeTestContents(22, 3);
  contents_.variants[1].layout = TestFreeLayout(9);
  ASSERT_THAT(WriteVault(files_, path_, contents_), IsOk());
  std::string vault = Read();
  ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::Open(files_, path_));
  ASSERT_OK_AND_ASSIGN(const VaultVariant* variant, reader->Find("dept-1"));
  vault[variant->offset + 1] = 3;  // Its number of tensors.
  folder_.Write("v.mvlt", vault);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"dept-0"}, .rename = {}}), IsOk());
  EXPECT_EQ(Load<uint16_t>(Read(), 10), 1);
  EXPECT_EQ(Load<uint32_t>(Read(), 216), 9u);
}

TEST_F(VaultEditorTest, RenamesWithoutTouchingBlobs) {
  Start(6);
  const auto before = Blobs();
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {}, .rename = {{"dept-1", "claims"}}}), IsOk());
  auto after = Blobs();
  EXPECT_EQ(after.at("claims"), before.at("dept-1"));
  EXPECT_EQ(after.count("dept-1"), 0u);
  contents_.variants[1].name = "claims";
  ExpectContents(Read(), contents_);
}

TEST_F(VaultEditorTest, RenamesAllAtOnce) {
  Start(4);
  ASSERT_THAT(
      ChangeVault(files_, path_,
                  {.remove = {"dept-3"}, .rename = {{"dept-0", "dept-1"}, {"dept-1", "dept-0"}, {"dept-2", "dept-3"}}}),
      IsOk());
  Forget("dept-3");
  contents_.variants[0].name = "dept-1";
  contents_.variants[1].name = "dept-0";
  contents_.variants[2].name = "dept-3";
  ExpectContents(Read(), contents_);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {}, .rename = {{"dept-0", "dept-0"}}}), IsOk());
  ExpectContents(Read(), contents_);
}

TEST_F(VaultEditorTest, RefusesChangesThatMakeNoSense) {
  Start(4);
  const std::string before = Read();
  const auto change = [&](const VaultChanges& changes) { return ChangeVault(files_, path_, changes); };
  EXPECT_THAT(change({.remove = {"none"}, .rename = {}}),
              StatusIs(StatusCode::kNotFound, HasSubstr("v.mvlt: no variant 'none'")));
  EXPECT_THAT(change({.remove = {"base"}, .rename = {}}), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(change({.remove = {}, .rename = {{"none", "x"}}}), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(change({.remove = {"dept-1", "dept-1"}, .rename = {}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'dept-1' is named twice")));
  EXPECT_THAT(change({.remove = {"dept-1"}, .rename = {{"dept-1", "x"}}}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(change({.remove = {}, .rename = {{"dept-1", "dept-2"}}}),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr("v.mvlt: there is a variant 'dept-2'")));
  EXPECT_THAT(change({.remove = {}, .rename = {{"dept-1", "x"}, {"dept-2", "x"}}}),
              StatusIs(StatusCode::kAlreadyExists));
  for (const char* name : {"", "base", "-x", "a/b", ".."}) {
    EXPECT_THAT(change({.remove = {}, .rename = {{"dept-1", name}}}), StatusIs(StatusCode::kInvalidArgument)) << name;
  }
  EXPECT_THAT(ChangeVault(files_, path_, {}, {MakeTestVariant("dept-1", 1, false, 1)}),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(ChangeVault(files_, folder_.File("none"), {}), StatusIs(StatusCode::kNotFound));
  EXPECT_EQ(Read(), before);
  EXPECT_THAT(folder_.Names(), ElementsAre("v.mvlt"));
}

TEST_F(VaultEditorTest, RefusesToChangeADamagedVault) {
  Start(4);
  std::string damaged = Read();
  damaged[300] = static_cast<char>(damaged[300] ^ 1);
  folder_.Write("v.mvlt", damaged);
  EXPECT_THAT(ChangeVault(files_, path_, {}), StatusIs(StatusCode::kDataLoss));
  EXPECT_EQ(Read(), damaged);
}

TEST_F(VaultEditorTest, CanReplaceADamagedVariant) {
  Start(4);
  const auto blobs = Blobs();
  std::string damaged = Read();
  damaged[blobs.at("dept-1").first + 3] ^= 1;
  damaged[blobs.at("dept-2").first + 3] ^= 1;
  folder_.Write("v.mvlt", damaged);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {"dept-1"}, .rename = {}}, {contents_.variants[1]}), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::Open(files_, path_));
  EXPECT_THAT(ReadVariant(*reader, "dept-1"), IsOkAndHolds(contents_.variants[1]));
  EXPECT_THAT(ReadVariant(*reader, "dept-2"), StatusIs(StatusCode::kDataLoss)) << "damage was passed on as it was";
}

TEST_F(VaultEditorTest, ShowsTheOldVaultAndTheNewOneBeforeTheCommit) {
  Start(4);
  const std::string before = Read();
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, EditVault(files_, path_, {.remove = {"dept-1"}, .rename = {}}));
    ASSERT_NE(writer->original(), nullptr);
    EXPECT_EQ(writer->original()->variants().size(), 4u);
    ASSERT_THAT(writer->Finish(), IsOk());
    ASSERT_OK_AND_ASSIGN(const auto reader, writer->OpenWritten());
    EXPECT_THAT(ReadAll(*reader), IsOk());
    EXPECT_EQ(reader->variants().size(), 3u);
  }
  EXPECT_EQ(Read(), before) << "not committed";
  EXPECT_THAT(folder_.Names(), ElementsAre("v.mvlt"));
}

TEST_F(VaultEditorTest, ManyRandomChangesKeepWhatTheyShould) {
  Start(5);
  TestRandom random(2024);
  int number = 100;
  for (int step = 0; step < 60; ++step) {
    SCOPED_TRACE(absl::StrCat("step ", step, " of seed 2024"));
    const auto before = Blobs();
    VaultChanges changes;
    std::vector<TestVariant> additions;
    changes.compact = random.Below(8) == 0;
    std::vector<TestVariant> kept;
    for (TestVariant& v : contents_.variants) {
      const uint64_t fate = random.Below(6);
      if (fate == 0) {
        changes.remove.push_back(v.name);
        if (random.Below(2) == 0) {  // replaced
          additions.push_back(MakeTestVariant(v.name, random.Below(4), random.Below(2) == 0, random.Next()));
        }
        continue;
      }
      if (fate == 1) {
        const std::string name = absl::StrCat("renamed-", number++);
        changes.rename.emplace_back(v.name, name);
        v.name = name;
      }
      kept.push_back(v);
    }
    for (uint64_t n = random.Below(3); n > 0; --n) {
      additions.push_back(
          MakeTestVariant(absl::StrCat("new-", number++), random.Below(4), random.Below(2) == 0, random.Next()));
    }
    ASSERT_THAT(ChangeVault(files_, path_, changes, additions), IsOk());
    contents_.variants = kept;
    contents_.variants.insert(contents_.variants.end(), additions.begin(), additions.end());
    ExpectContents(Read(), contents_);
    auto after = Blobs();
    for (const auto& [old_name, blob] : before) {
      if (std::count(changes.remove.begin(), changes.remove.end(), old_name) > 0) continue;
      std::string name = old_name;
      for (const auto& [from, to] : changes.rename) {
        if (from == old_name) name = to;
      }
      EXPECT_EQ(after[name].second, blob.second);
      if (!changes.compact) {
        EXPECT_EQ(after[name].first, blob.first);
      }
    }
  }
  EXPECT_GT(number, 150);
}

TEST_F(VaultEditorTest, ASecondWriterGetsAClearError) {
  Start(2);
  ASSERT_OK_AND_ASSIGN(const auto writer, EditVault(files_, path_, {}));
  const VaultWriterOptions impatient = {.lock = {.attempts = 3, .interval_ms = 1}};
  EXPECT_THAT(EditVault(files_, path_, {}, impatient),
              StatusIs(StatusCode::kAborted, AllOf(HasSubstr("v.mvlt"), HasSubstr("being written"))));
  ASSERT_THAT(writer->Finish(), IsOk());
  ASSERT_THAT(writer->Commit(), IsOk());
  EXPECT_THAT(EditVault(files_, path_, {}, impatient), IsOk()) << "the first is done, though it still exists";
}

TEST_F(VaultEditorTest, WritersWaitForOneAnother) {
  Start(0);
  constexpr int kWriters = 8;
  std::vector<absl::Status> results(kWriters);
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) {
    contents_.variants.push_back(MakeTestVariant(absl::StrCat("by-", i), 2, false, static_cast<uint64_t>(i)));
  }
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back([&, i] {
      results[static_cast<size_t>(i)] = ChangeVault(files_, path_, {}, {contents_.variants[static_cast<size_t>(i)]},
                                                    {.lock = {.attempts = 60000, .interval_ms = 1}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) EXPECT_THAT(result, IsOk());
  ExpectContents(Read(), contents_);  // no writer's variant was lost to another's
}

// Moves the last blob of a vault on the disk 5 GiB up, into a file with a hole nobody wrote.
void SpreadOut(const std::string& path, const std::string& vault) {
  constexpr uint64_t kFar = uint64_t{5} << 30;
  ASSERT_OK_AND_ASSIGN(
      auto reader,
      VaultReader::FromFile(std::make_unique<MemoryFile>(std::vector<uint8_t>(vault.begin(), vault.end()))));
  std::vector<VaultVariant> variants = reader->variants();
  std::sort(variants.begin(), variants.end(), IndexOrder);
  VaultVariant& last = *std::max_element(variants.begin(), variants.end(),
                                         [](const auto& a, const auto& b) { return a.offset < b.offset; });
  const std::string blob = vault.substr(last.offset, last.stored_size);
  const std::string manifest = vault.substr(SectionOffset(vault, 4));
  const std::string front = vault.substr(0, last.offset);
  last.offset = kFar;
  const std::string index = EncodeIndex(variants, true);
  VaultHeader header = reader->header();
  header.features |= kFeatureWideIndex;
  SectionPlace& index_place = header.section(Section::kIndex);
  index_place = {
      .offset = AlignUp(kFar + blob.size()), .size = index.size(), .checksum = XXH64(index.data(), index.size(), 0)};
  header.section(Section::kManifest).offset = AlignUp(index_place.end());
  header.file_size = header.section(Section::kManifest).end();

  const int fd = open(path.c_str(), O_WRONLY | O_TRUNC);
  ASSERT_GE(fd, 0);
  const auto put = [&](uint64_t offset, const std::string& bytes) {
    ASSERT_EQ(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)), static_cast<ssize_t>(bytes.size()));
  };
  put(0, front);
  put(kFar, blob);
  put(index_place.offset, index);
  put(header.section(Section::kManifest).offset, manifest);
  put(0, EncodeHeader(header));
  close(fd);
}

TEST_F(VaultEditorTest, ChangesVaultsBeyondFourGigabytes) {
  Start(6);
  const std::string small = Read();
  SpreadOut(path_, small);
  const auto expect = [&](uint64_t least_size) {
    ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::Open(files_, path_));
    EXPECT_EQ(reader->header().features, kFeatureWideIndex);
    EXPECT_GT(reader->header().file_size, least_size);
    for (const TestVariant& variant : contents_.variants) {
      EXPECT_THAT(ReadVariant(*reader, variant.name), IsOkAndHolds(variant));
    }
    EXPECT_EQ(reader->variants().size(), contents_.variants.size());
  };
  constexpr uint64_t kFar = uint64_t{5} << 30;
  expect(kFar);
  ASSERT_THAT(ChangeVault(files_, path_, {.remove = {}, .rename = {{"dept-0", "zero"}}}), IsOk());
  contents_.variants[0].name = "zero";
  expect(kFar);
  // A small one goes into the hole; one too large to hold back goes to the end whatever the hole.
  contents_.variants.push_back(MakeTestVariant("small", 2, true, 3));
  TestVariant large = MakeTestVariant("large", 17, false, 4);
  for (std::string& segment : large.segments) segment = std::string(1 << 20, 'L');
  contents_.variants.push_back(large);
  ASSERT_THAT(ChangeVault(files_, path_, {}, {contents_.variants[6], large}), IsOk());
  expect(kFar + (17u << 20));
  {
    ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::Open(files_, path_));
    ASSERT_OK_AND_ASSIGN(const VaultVariant* placed, reader->Find("small"));
    EXPECT_LT(placed->offset, small.size());
    ASSERT_OK_AND_ASSIGN(const VaultVariant* at_end, reader->Find("large"));
    EXPECT_GT(at_end->offset, kFar);
  }
  // Compacted and without what was added it is the small, narrow vault again.
  ASSERT_THAT(
      ChangeVault(files_, path_, {.remove = {"small", "large"}, .rename = {{"zero", "dept-0"}}, .compact = true}),
      IsOk());
  EXPECT_EQ(Read(), small);
}

}  // namespace
}  // namespace modelvault
