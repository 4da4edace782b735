#include "vault/remote/range_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/remote/range_server.h"
#include "vault/remote/open_url.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kDigestSize = 16;
constexpr uint64_t kRoomy = 1 << 20;

std::vector<fs::path> FilesIn(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename() != "lock") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

uint64_t BytesIn(const std::string& folder) {
  uint64_t sum = 0;
  for (const fs::path& file : FilesIn(folder)) sum += fs::file_size(file);
  return sum;
}

class RangeCacheTest : public testing::Test {
 protected:
  RangeCacheTest() { EXPECT_THAT(RangeCache::MakeFolder(disk_, folder()), IsOk()); }

  std::string folder() const { return folder_.File("cache"); }
  RangeCache Cache(uint64_t limit = kRoomy, const std::string& identity = "a") {
    return RangeCache(disk_, folder(), limit, identity);
  }
  static void Write(RangeCache* cache, const FileRange& range, char byte) {
    const std::vector<uint8_t> bytes(static_cast<size_t>(range.size()), static_cast<uint8_t>(byte));
    cache->Write(range, bytes);
  }
  // Its bytes' letter, or '-'.
  static char Read(RangeCache* cache, const FileRange& range) {
    std::vector<uint8_t> bytes(static_cast<size_t>(range.size()));
    if (!cache->Read(range, absl::MakeSpan(bytes))) return '-';
    const bool same = std::all_of(bytes.begin(), bytes.end(), [&](uint8_t byte) { return byte == bytes[0]; });
    return same ? static_cast<char>(bytes[0]) : '?';
  }
  // The only file, `age` hours old.
  void SetAge(const std::string& name_end, int age) const {
    for (const fs::path& file : FilesIn(folder())) {
      if (file.string().ends_with(name_end)) {
        fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(age));
      }
    }
  }

  FileSystem& disk_ = FileSystem::Default();
  const TempFolder folder_;
};

TEST_F(RangeCacheTest, RangesAreFoundByAnyByte) {
  RangeCache cache = Cache();
  Write(&cache, {100, 200}, 'a');
  Write(&cache, {150, 300}, 'b');
  for (RangeCache* const c : {&cache, new RangeCache(Cache())}) {
    EXPECT_EQ(c->Find(99), std::nullopt);
    EXPECT_EQ(c->Find(100), (FileRange{100, 200}));
    EXPECT_EQ(c->Find(150), (FileRange{150, 300}));
    EXPECT_EQ(c->Find(299), (FileRange{150, 300}));
    EXPECT_EQ(c->Find(300), std::nullopt);
    EXPECT_EQ(Read(c, {100, 200}), 'a');
    EXPECT_EQ(Read(c, {150, 300}), 'b');
    if (c != &cache) delete c;
  }
}

TEST_F(RangeCacheTest, AnotherVersionHasOtherRanges) {
  RangeCache cache = Cache();
  Write(&cache, {0, 10}, 'a');
  EXPECT_EQ(Cache(kRoomy, "b").Find(0), std::nullopt);
}

TEST_F(RangeCacheTest, WhatIsDamagedIsGone) {
  RangeCache cache = Cache();
  Write(&cache, {0, 10}, 'a');
  Write(&cache, {10, 20}, 'b');
  const std::vector<fs::path> files = FilesIn(folder());
  ASSERT_THAT(files, SizeIs(2));
  // One bit, or another range's file, or a shorter one.
  for (int damage = 0; damage < 4; ++damage) {
    Write(&cache, {0, 10}, 'a');
    std::string bytes = folder_.Read(fs::relative(files[0], folder_.path()));
    if (damage == 0) bytes[kDigestSize + 3] = static_cast<char>(bytes[kDigestSize + 3] ^ 1);
    if (damage == 1) bytes[0] = static_cast<char>(bytes[0] ^ 1);
    if (damage == 2) bytes.pop_back();
    if (damage == 3) {
      fs::copy_file(files[1], files[0], fs::copy_options::overwrite_existing);
    } else {
      std::ofstream(files[0], std::ios::binary) << bytes;
    }
    EXPECT_EQ(Read(&cache, {0, 10}), '-') << damage;
    EXPECT_EQ(cache.Find(0), std::nullopt);
    EXPECT_FALSE(fs::exists(files[0]));
  }
  EXPECT_EQ(Read(&cache, {10, 20}), 'b');
}

TEST_F(RangeCacheTest, WhatWasUsedLongestAgoMakesRoom) {
  const uint64_t limit = 3 * (1000 + kDigestSize);
  RangeCache a = Cache(limit, "a");
  RangeCache b = Cache(limit, "b");
  Write(&a, {0, 1000}, 'a');
  Write(&b, {1000, 2000}, 'b');
  Write(&a, {2000, 3000}, 'c');
  EXPECT_EQ(BytesIn(folder()), limit);
  SetAge("0000000000000000-00000000000003e8", 3);
  SetAge("00000000000003e8-00000000000007d0", 2);
  SetAge("00000000000007d0-0000000000000bb8", 1);
  EXPECT_EQ(Read(&a, {0, 1000}), 'a');  // From now on the youngest.
  Write(&b, {3000, 4000}, 'd');
  EXPECT_EQ(BytesIn(folder()), limit);
  EXPECT_EQ(Read(&b, {1000, 2000}), '-');
  EXPECT_EQ(Read(&a, {0, 1000}), 'a');
  EXPECT_EQ(Read(&a, {2000, 3000}), 'c');
  EXPECT_EQ(Read(&b, {3000, 4000}), 'd');
  Write(&a, {0, limit}, 'e');
  EXPECT_EQ(Cache(limit, "a").Find(2999)->begin, 2000u) << "larger than the limit: not kept, and nothing goes for it";
}

TEST_F(RangeCacheTest, WhatAKilledProcessLeftGoesAndWhatIsNotOursStays) {
  RangeCache cache = Cache();
  Write(&cache, {0, 10}, 'a');
  const fs::path ours = FilesIn(folder())[0].parent_path();
  std::ofstream(ours / "half-written") << "x";
  std::ofstream(fs::path(folder()) / "notes.txt") << "x";
  fs::create_directory(fs::path(folder()) / "other");
  std::ofstream(fs::path(folder()) / "other" / "file") << "x";
  Write(&cache, {10, 20}, 'b');
  EXPECT_FALSE(fs::exists(ours / "half-written"));
  EXPECT_TRUE(fs::exists(fs::path(folder()) / "notes.txt"));
  EXPECT_TRUE(fs::exists(fs::path(folder()) / "other" / "file"));
}

TEST_F(RangeCacheTest, ManyWritersNeverExceedTheLimit) {
  constexpr uint64_t kLimit = 20'000;
  std::vector<std::thread> writers;
  std::vector<int> wrong(3, 0);
  for (size_t w = 0; w < wrong.size(); ++w) {
    writers.emplace_back([&, w] {
      RangeCache cache = Cache(kLimit, w == 2 ? "b" : "a");
      for (uint64_t i = 0; i < 30; ++i) {
        const FileRange range = {100 * (i % 11), 100 * (i % 11) + 1000 * (1 + i % 3)};
        const char letter = static_cast<char>('a' + i % 11);
        Write(&cache, range, letter);
        const char read = Read(&cache, range);
        if (read != '-' && read != letter) ++wrong[w];
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_THAT(wrong, testing::Each(0));
  EXPECT_LE(BytesIn(folder()), kLimit);
}

TEST_F(RangeCacheTest, AFolderThatCannotBeMadeIsAnError) {
  const std::string file = folder_.Write("file", "x");
  EXPECT_THAT(RangeCache::MakeFolder(disk_, file + "/cache"), testing::Not(IsOk()));
}

// The same behind a file.
class CachedFileTest : public testing::Test {
 protected:
  CachedFileTest() : server_(folder_.path()) {
    options_.cache_folder = folder_.File("cache");
    folder_.Write("f", bytes_);
  }

  // Reads all of it, as announced, in two ranges, and tells the requests.
  std::vector<RangeServer::Request> ReadAll(const std::string& path) {
    absl::StatusOr<std::unique_ptr<RandomAccessFile>> file =
        OpenUrl(FileSystem::Default(), server_.Url(path), options_);
    EXPECT_THAT(file, IsOk());
    if (!file.ok()) return {};
    const std::vector<FileRange> ranges = {{0, 150'000}, {200'000, bytes_.size()}};
    (*file)->WillRead(ranges);
    for (const FileRange& range : ranges) {
      std::string read(static_cast<size_t>(range.size()), '\0');
      EXPECT_THAT((*file)->ReadAt(range.begin, {reinterpret_cast<uint8_t*>(read.data()), read.size()}), IsOk());
      EXPECT_EQ(read, bytes_.substr(range.begin, range.size()));
    }
    file->reset();
    return server_.TakeRequests();
  }

  const TempFolder folder_;
  const std::string bytes_ = std::string(100'000, 'a') + std::string(100'000, 'b') + std::string(100'000, 'c');
  RangeServer server_;
  RemoteOptions options_;
};

TEST_F(CachedFileTest, TheSecondTimeOnlyTheVersionIsAskedFor) {
  EXPECT_THAT(ReadAll("plain/f"), SizeIs(3));
  EXPECT_THAT(RangesOf(ReadAll("plain/f")), testing::ElementsAre("bytes=0-65535"));
  EXPECT_THAT(ReadAll("plain/f"), SizeIs(1));
}

TEST_F(CachedFileTest, WhatIsDamagedIsFetchedAnew) {
  ReadAll("plain/f");
  for (const fs::path& file : FilesIn(options_.cache_folder)) {
    std::ofstream out(file, std::ios::binary | std::ios::in);
    out.seekp(100);
    out << "damage";
  }
  EXPECT_THAT(ReadAll("plain/f"), SizeIs(3));
  EXPECT_THAT(ReadAll("plain/f"), SizeIs(1));
}

TEST_F(CachedFileTest, OnlyWhatHasAStrongEtagIsKept) {
  for (const char* path : {"weak/f", "unnamed/f", "time_changes/99/f"}) {
    ReadAll(path);
    EXPECT_THAT(ReadAll(path), SizeIs(3)) << path;
  }
  EXPECT_THAT(FilesIn(options_.cache_folder), IsEmpty());
}

TEST_F(CachedFileTest, PartsThatAreKeptNeedNotBeThoseAskedFor) {
  ReadAll("plain/f");
  ASSERT_OK_AND_ASSIGN(const auto file, OpenUrl(FileSystem::Default(), server_.Url("plain/f"), options_));
  const auto read = [&](uint64_t begin, uint64_t end) {
    std::string bytes(static_cast<size_t>(end - begin), '\0');
    EXPECT_THAT(file->ReadAt(begin, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()}), IsOk());
    EXPECT_EQ(bytes, bytes_.substr(begin, end - begin));
  };
  read(100'000, 100'010);
  read(90'000, 120'000);
  read(140'000, 160'000);  // Its second half is not kept.
  read(190'000, 210'000);  // Its first half: all of it is fetched.
  read(0, bytes_.size());
  EXPECT_THAT(RangesOf(server_.TakeRequests()), testing::ElementsAre("bytes=0-65535", "bytes=150000-159999",
                                                                     "bytes=190000-209999", "bytes=160000-189999"));
}

}  // namespace
}  // namespace modelvault
