// Files behind real servers of this machine, honest ones and others.
#include "vault/remote/remote_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/vault/remote/range_server.h"
#include "vault/remote/open_url.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kFront = 64 * 1024;
constexpr size_t kSize = 300'000;

using File = std::unique_ptr<RandomAccessFile>;

std::string RandomBytes(size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

absl::StatusOr<std::string> Read(const RandomAccessFile& file, uint64_t begin, uint64_t end) {
  std::string bytes(static_cast<size_t>(end - begin), '\0');
  absl::Status status = file.ReadAt(begin, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  if (!status.ok()) return status;
  return bytes;
}

class RemoteFileTest : public testing::Test {
 protected:
  RemoteFileTest() : server_(folder_.path()) {
    options_.tries = 3;
    options_.first_pause_ms = 0;
    options_.longest_pause_ms = 1000;
    options_.stall_seconds = 1;
    folder_.Write("f", bytes_);
  }

  absl::StatusOr<File> Open(const std::string& path) const {
    return OpenUrl(FileSystem::Default(), server_.Url(path), options_);
  }

  const TempFolder folder_;
  const std::string bytes_ = RandomBytes(kSize);
  RangeServer server_;
  RemoteOptions options_;
};

TEST_F(RemoteFileTest, ReadsWhatIsAskedForAndNoMore) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("plain/f"));
  EXPECT_EQ(file->size(), kSize);
  EXPECT_EQ(file->path(), server_.Url("plain/f"));
  EXPECT_EQ(file->descriptor(), -1);
  EXPECT_THAT(Read(*file, 0, kFront), IsOkAndHolds(bytes_.substr(0, kFront)));
  EXPECT_THAT(Read(*file, 100'000, 100'010), IsOkAndHolds(bytes_.substr(100'000, 10)));
  EXPECT_THAT(Read(*file, 99'990, 100'020), IsOkAndHolds(bytes_.substr(99'990, 30)));
  EXPECT_THAT(Read(*file, kSize, kSize), IsOkAndHolds(""));
  EXPECT_THAT(RangesOf(server_.TakeRequests()),
              ElementsAre("bytes=0-65535", "bytes=100000-100009", "bytes=99990-99999", "bytes=100010-100019"));
  EXPECT_THAT(Read(*file, 90'000, 110'000), IsOkAndHolds(bytes_.substr(90'000, 20'000)));
  EXPECT_THAT(Read(*file, kSize - 1, kSize + 1), StatusIs(StatusCode::kDataLoss, HasSubstr("too short")));
}

TEST_F(RemoteFileTest, WhatIsAnnouncedComesInFewRequests) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("plain/f"));
  const std::vector<FileRange> ranges = {{200'000, 210'000}, {1000, 100'000}, {100'500, 150'000}, {0, 10}};
  file->WillRead(ranges);
  file->WillRead(ranges);
  for (const FileRange& range : ranges) {
    for (uint64_t at = range.begin; at < range.end; at += 10) {
      ASSERT_THAT(Read(*file, at, at + 10), IsOkAndHolds(bytes_.substr(at, 10)));
    }
  }
  EXPECT_THAT(RangesOf(server_.TakeRequests()),
              UnorderedElementsAre("bytes=0-65535", "bytes=65536-149999", "bytes=200000-209999"));
  EXPECT_THAT(server_.TakeRequests(), IsEmpty());
}

TEST_F(RemoteFileTest, RequestsAskForTheSameVersion) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("plain/f"));
  ASSERT_THAT(Read(*file, 100'000, 100'010), IsOk());
  const std::vector<RangeServer::Request> requests = server_.TakeRequests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].if_range, "");
  EXPECT_THAT(requests[1].if_range, testing::MatchesRegex("\"[0-9a-f]{16}\""));
}

TEST_F(RemoteFileTest, SmallFilesAreFiles) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{kFront - 1}, size_t{kFront}, size_t{kFront + 1}}) {
    const std::string bytes = RandomBytes(size);
    const std::string name = absl::StrCat("f", size);
    folder_.Write(name, bytes);
    for (const char* fault : {"plain/", "ignore/"}) {
      ASSERT_OK_AND_ASSIGN(const File file, Open(fault + name));
      EXPECT_EQ(file->size(), size);
      EXPECT_THAT(Read(*file, 0, size), IsOkAndHolds(bytes)) << size;
    }
  }
}

TEST_F(RemoteFileTest, WhatPassesIsNoError) {
  options_.tries = 4;
  for (const char* fault :
       {"plain", "drop/20000", "truncate/50000", "status_for/500/2", "status_for/502/1", "status_for/503/3",
        "status_for/504/1", "status_for/429/2", "retry_after/0", "retry_after/1", "ignore", "redirect", "expiring/2",
        "slow/3", "weak", "unnamed", "etag_changes/99"}) {
    const absl::StatusOr<File> file = Open(absl::StrCat(fault, "/f"));
    ASSERT_THAT(file, IsOk()) << fault;
    const FileRange all = {0, kSize};
    (*file)->WillRead({&all, 1});
    for (const FileRange& range : std::vector<FileRange>{{0, 70'000}, {70'000, 70'001}, {70'001, kSize}, {5, 10}}) {
      EXPECT_THAT(Read(**file, range.begin, range.end), IsOkAndHolds(bytes_.substr(range.begin, range.size())))
          << fault;
    }
  }
}

TEST_F(RemoteFileTest, ABrokenAnswerGoesOnAtTheFirstMissingByte) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("drop/30000/f"));
  EXPECT_THAT(RangesOf(server_.TakeRequests()), ElementsAre("bytes=0-65535", "bytes=30000-65535", "bytes=60000-65535"));
}

TEST_F(RemoteFileTest, AServerThatRedirectsIsAskedOnceWhereTo) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("redirect/f"));
  ASSERT_THAT(Read(*file, 100'000, 100'010), IsOk());
  const std::vector<RangeServer::Request> requests = server_.TakeRequests();
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_EQ(requests[0].path, "/redirect/f");
  EXPECT_EQ(requests[1].path, "/plain/f");
  EXPECT_EQ(requests[2].path, "/plain/f");
  EXPECT_EQ(file->path(), server_.Url("redirect/f"));
}

struct Fault {
  const char* path;
  StatusCode code;
  const char* message;
};

TEST_F(RemoteFileTest, WhatDoesNotPassIsAnErrorThatNamesUrlRangeAndStatus) {
  options_.part_size = kSize - 1;
  for (const Fault& fault : std::vector<Fault>{
           {"plain/missing", StatusCode::kNotFound, "HTTP status 404"},
           {"status_for/403/99/f", StatusCode::kUnavailable, "HTTP status 403 Forbidden"},
           {"status_for/500/99/f", StatusCode::kUnavailable, "HTTP status 500 Internal Server Error; tried 3 times"},
           {"retry_after/100/f", StatusCode::kUnavailable,
            "HTTP status 503 Service Unavailable; the server says to "
            "come back in 100 seconds"},
           {"loop/f", StatusCode::kUnavailable, "redirects"},
           {"elsewhere/f", StatusCode::kUnavailable, "nsupported protocol"},
           {"wrong_range/f", StatusCode::kDataLoss, "the server sends bytes 1-65536 of 300001"},
           {"no_range/f", StatusCode::kDataLoss, "without Content-Range"},
           {"bad_range/f", StatusCode::kDataLoss, "malformed Content-Range"},
           {"no_total/f", StatusCode::kUnavailable, "does not say how long"},
           {"unsatisfied/f", StatusCode::kDataLoss, "HTTP status 416"},
           {"longer/f", StatusCode::kDataLoss, "sends 65537 bytes for the 65536 of its range"},
           {"coded/f", StatusCode::kUnavailable, "Content-Encoding gzip"},
           {"ignore/f", StatusCode::kUnavailable, "300000 bytes, is too long to be taken whole (at most 299999"},
           {"ignore_unsized/f", StatusCode::kUnavailable, "does not say"},
           {"drop/0/f", StatusCode::kUnavailable, "tried 3 times"},
           {"truncate/10/f", StatusCode::kUnavailable, "the answer ends after 30 of 65536 bytes; tried 3 times"},
           {"secret/f", StatusCode::kUnavailable, "HTTP status 401"}}) {
    EXPECT_THAT(Open(fault.path).status(),
                StatusIs(fault.code, AllOf(HasSubstr(absl::StrCat(server_.Url(fault.path), ": bytes ")),
                                           HasSubstr("-65535: "), HasSubstr(fault.message))))
        << fault.path;
  }
}

TEST_F(RemoteFileTest, AServerThatStallsIsLeft) {
  options_.tries = 1;
  EXPECT_THAT(Open("stall/10/f").status(), StatusIs(StatusCode::kUnavailable, HasSubstr("after 10 of 65536 bytes")));
}

TEST_F(RemoteFileTest, WhereNobodyListensIsAnError) {
  const std::string url = "http://127.0.0.1:1/plain/f";
  EXPECT_THAT(OpenUrl(FileSystem::Default(), url, options_).status(),
              StatusIs(StatusCode::kUnavailable, AllOf(HasSubstr(url), HasSubstr("connect"), HasSubstr("3 times"))));
}

TEST_F(RemoteFileTest, AFileThatChangesUnderItsReaderIsAnErrorFromThenOn) {
  for (const char* fault : {"etag_changes/1", "etag_unasked/1", "etag_vanishes/1", "time_changes/1", "size_changes/1",
                            "unsatisfied_later"}) {
    ASSERT_OK_AND_ASSIGN(const File file, Open(absl::StrCat(fault, "/f")));
    const auto changed = StatusIs(StatusCode::kAborted, AllOf(HasSubstr(absl::StrCat(fault, "/f: bytes 100000-100009")),
                                                              HasSubstr("has changed since it was opened")));
    EXPECT_THAT(Read(*file, 100'000, 100'010), changed) << fault;
    EXPECT_THAT(Read(*file, 0, 10), changed) << fault;
  }
}

TEST_F(RemoteFileTest, WhatGoesWrongLaterIsAnErrorOfItsRange) {
  for (const Fault& fault :
       std::vector<Fault>{{"wrong_later/f", StatusCode::kDataLoss, "the server sends bytes 99999-100008 of 300000"},
                          {"ignore_later/f", StatusCode::kUnavailable, "ignores the range"},
                          {"status_later/404/f", StatusCode::kNotFound, "HTTP status 404"},
                          {"status_later/503/f", StatusCode::kUnavailable, "tried 3 times"}}) {
    ASSERT_OK_AND_ASSIGN(const File file, Open(fault.path));
    for (int again = 0; again < 2; ++again) {
      EXPECT_THAT(
          Read(*file, 100'000, 100'010),
          StatusIs(fault.code, AllOf(HasSubstr(absl::StrCat(server_.Url(fault.path), ": bytes 100000-100009: ")),
                                     HasSubstr(fault.message))));
    }
    EXPECT_THAT(Read(*file, 0, 10), IsOkAndHolds(bytes_.substr(0, 10)));
  }
}

TEST_F(RemoteFileTest, AFileThatIsSaidToBeShorterIsShorter) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("size_lies/f"));
  EXPECT_EQ(file->size(), kSize - 1);
}

TEST_F(RemoteFileTest, PasswordsComeFromNetrcAndNotFromUrls) {
  folder_.Write(".netrc", "machine 127.0.0.1 login reader password pass\n");
  const char* const home = getenv("HOME");
  const std::string old_home = home != nullptr ? home : "";
  setenv("HOME", folder_.path().c_str(), 1);
  EXPECT_THAT(Open("secret/f"), IsOk());
  setenv("HOME", old_home.c_str(), 1);
  const std::string url = "http://reader:pass@127.0.0.1:1/f";
  EXPECT_THAT(OpenUrl(FileSystem::Default(), url, options_).status(),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("http://127.0.0.1:1/f"), HasSubstr(".netrc"), Not(HasSubstr("pass@")))));
}

TEST_F(RemoteFileTest, CertificatesAreVerified) {
  const std::string both = folder_.File("both.pem");
  const std::string command =
      absl::StrCat("cd '", folder_.path(),
                   "' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem ",
                   "-out cert.pem -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1 && ",
                   "cat key.pem cert.pem > both.pem");
  ASSERT_EQ(std::system(command.c_str()), 0) << "is there no openssl?";
  RangeServer server(folder_.path(), both);
  const auto open = [&] { return OpenUrl(FileSystem::Default(), server.Url("plain/f"), options_); };
  EXPECT_THAT(open().status(),
              StatusIs(StatusCode::kUnavailable, AllOf(HasSubstr("https://127.0.0.1"), HasSubstr("SSL"))));
  EXPECT_THAT(server.TakeRequests(), IsEmpty());
  setenv("CURL_CA_BUNDLE", folder_.File("cert.pem").c_str(), 1);
  const absl::StatusOr<File> file = open();
  unsetenv("CURL_CA_BUNDLE");
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(Read(**file, 200'000, 200'010), IsOkAndHolds(bytes_.substr(200'000, 10)));
}

// With a window that is smaller than the file.
class RemoteWindowTest : public RemoteFileTest {
 protected:
  RemoteWindowTest() {
    options_.part_size = 128 * 1024;
    options_.window = 512 * 1024;
    folder_.Write("large", large_);
  }

  // Reads ranges at the same pace, in steps, as far as the longest goes.
  void ReadTogether(const RandomAccessFile& file, const std::vector<FileRange>& ranges, uint64_t steps) const {
    for (uint64_t step = 0; step < steps; ++step) {
      for (const FileRange& range : ranges) {
        const uint64_t begin = range.begin + range.size() * step / steps;
        const uint64_t end = range.begin + range.size() * (step + 1) / steps;
        ASSERT_THAT(Read(file, begin, end), IsOkAndHolds(large_.substr(begin, end - begin)));
      }
    }
  }

  const std::string large_ = RandomBytes(3'000'000);
};

TEST_F(RemoteWindowTest, WhatIsReadInOrderIsFetchedOnce) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("plain/large"));
  const std::vector<FileRange> all = {{0, large_.size()}};
  file->WillRead(all);
  ReadTogether(*file, all, 1000);
  const std::vector<RangeServer::Request> requests = server_.TakeRequests();
  EXPECT_EQ(BytesOf(requests), large_.size());
  EXPECT_EQ(requests.size(), 1 + 23u);
}

TEST_F(RemoteWindowTest, RangesThatAreReadAtOnePaceAreFetchedOnce) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("plain/large"));
  const std::vector<FileRange> ranges = {{kFront, 2'000'000}, {2'100'000, 2'800'000}};
  file->WillRead(ranges);
  ReadTogether(*file, ranges, 500);
  EXPECT_EQ(BytesOf(server_.TakeRequests()), kFront + ranges[0].size() + ranges[1].size());
}

TEST_F(RemoteWindowTest, AnAnnouncementThatDoesNotHappenEnds) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("plain/large"));
  const FileRange all = {0, large_.size()};
  file->WillRead({&all, 1});
  constexpr uint64_t kStep = 20'000;
  for (uint64_t at = large_.size(); at > 1'000'000; at -= kStep) {
    ASSERT_THAT(Read(*file, at - kStep, at), IsOkAndHolds(large_.substr(at - kStep, kStep)));
  }
  EXPECT_LE(BytesOf(server_.TakeRequests()), 2'000'000 + 3 * options_.window);
}

TEST_F(RemoteWindowTest, OneReadMayBeLongerThanTheWindow) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("drop/200000/large"));
  EXPECT_THAT(Read(*file, 0, large_.size()), IsOkAndHolds(large_));
}

TEST_F(RemoteWindowTest, ThreadsReadSideBySide) {
  ASSERT_OK_AND_ASSIGN(const File file, Open("slow/5/large"));
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t thread = 0; thread < wrong.size(); ++thread) {
    threads.emplace_back([&, thread] {
      std::mt19937_64 random(thread);
      for (int i = 0; i < 24; ++i) {
        const uint64_t begin = random() % (large_.size() - 200'000);
        const uint64_t end = begin + random() % 200'000;
        if (i % 3 == 0) {
          const FileRange range = {begin, end + 300'000};
          file->WillRead({&range, 1});
        }
        const absl::StatusOr<std::string> read = Read(*file, begin, end);
        if (!read.ok() || *read != large_.substr(begin, end - begin)) ++wrong[thread];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

TEST_F(RemoteFileTest, AForkedProcessHasToOpenItAnew) {
  ASSERT_OK_AND_ASSIGN(File file, Open("plain/f"));
  const pid_t child = fork();
  if (child == 0) {
    const bool refused = absl::IsUnavailable(file->ReadAt(0, {}));
    file.reset();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(Read(*file, 100'000, 100'010), IsOkAndHolds(bytes_.substr(100'000, 10)));
}

TEST_F(RemoteFileTest, AFilesUrlIsThatFile) {
  const std::string path = folder_.Write("a b%", bytes_);
  FileSystem& disk = FileSystem::Default();
  for (const char* host : {"", "localhost"}) {
    ASSERT_OK_AND_ASSIGN(const File file,
                         OpenUrl(disk, absl::StrCat("file://", host, folder_.path(), "/a%20b%25"), {}));
    EXPECT_EQ(file->path(), path);
    EXPECT_THAT(Read(*file, 10, 20), IsOkAndHolds(bytes_.substr(10, 10)));
  }
  for (const char* url :
       {"file://host/a", "file://", "file://a", "file:///a?b", "file:///a#b", "file:///a%2", "file:///%g0"}) {
    EXPECT_THAT(OpenUrl(disk, url, {}).status(), StatusIs(StatusCode::kInvalidArgument, HasSubstr(url)));
  }
  EXPECT_THAT(OpenUrl(disk, "file:///a%00b", {}).status(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("NUL")));
  EXPECT_THAT(OpenUrl(disk, "ftp://host/a", {}).status(),
              StatusIs(StatusCode::kUnimplemented, HasSubstr("ftp://host/a")));
}

}  // namespace
}  // namespace modelvault
