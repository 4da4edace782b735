#include "vault/remote/answer_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

constexpr uint64_t kLimit = 1000;

AnswerHead Head(int status, const std::string& content_range = "", const std::string& etag = "\"a\"") {
  AnswerHead head;
  head.status = status;
  head.etag = etag;
  if (!content_range.empty()) AddHeadLine("Content-Range: " + content_range, &head);
  return head;
}

const FileIdentity kKnown = {5000, "\"a\"", ""};

AnswerVerdict First(const AnswerHead& head) { return CheckAnswer(head, {0, 100}, nullptr, kLimit); }
AnswerVerdict Later(const AnswerHead& head, const FileIdentity& known = kKnown) {
  return CheckAnswer(head, {100, 300}, &known, kLimit);
}

TEST(CheckAnswerTest, TheRangeAskedForIsTaken) {
  const AnswerVerdict first = First(Head(206, "bytes 0-99/5000"));
  EXPECT_EQ(first.use, AnswerUse::kRange);
  EXPECT_EQ(first.identity.size, 5000u);
  EXPECT_EQ(first.identity.etag, "\"a\"");
  EXPECT_EQ(First(Head(206, "bytes 0-49/50")).use, AnswerUse::kRange) << "a shorter file";
  EXPECT_EQ(Later(Head(206, "bytes 100-299/5000")).use, AnswerUse::kRange);
}

TEST(CheckAnswerTest, AnotherRangeIsNot) {
  for (const char* range : {"bytes 0-98/5000", "bytes 1-99/5000", "bytes 0-100/5000", "bytes 0-49/5000"}) {
    const AnswerVerdict verdict = First(Head(206, range));
    EXPECT_EQ(verdict.use, AnswerUse::kError) << range;
    EXPECT_THAT(verdict.status, StatusIs(StatusCode::kDataLoss, HasSubstr("the server sends bytes"))) << range;
  }
  EXPECT_THAT(First(Head(206)).status, StatusIs(StatusCode::kDataLoss, HasSubstr("without Content-Range")));
  EXPECT_THAT(First(Head(206, "bytes x")).status, StatusIs(StatusCode::kDataLoss, HasSubstr("malformed")));
  EXPECT_THAT(First(Head(206, "bytes */5000")).status, StatusIs(StatusCode::kDataLoss, HasSubstr("malformed")));
  EXPECT_THAT(First(Head(206, "bytes 0-99/*")).status, StatusIs(StatusCode::kUnavailable, HasSubstr("how long")));
}

TEST(CheckAnswerTest, AFileThatChangesIsSaidToHave) {
  EXPECT_THAT(Later(Head(206, "bytes 100-299/5000", "\"b\"")).status,
              StatusIs(StatusCode::kAborted, HasSubstr("ETag was \"a\", is \"b\"")));
  EXPECT_THAT(Later(Head(206, "bytes 100-299/5000", "")).status, StatusIs(StatusCode::kAborted, HasSubstr("none")));
  EXPECT_THAT(Later(Head(206, "bytes 100-299/5001")).status,
              StatusIs(StatusCode::kAborted, HasSubstr("its size was 5000, is 5001")));
  EXPECT_THAT(Later(Head(416, "bytes */50")).status, StatusIs(StatusCode::kAborted, HasSubstr("5000")));
  EXPECT_THAT(Later(Head(200, "", "\"b\"")).status, StatusIs(StatusCode::kAborted, HasSubstr("ETag")));
  const FileIdentity timed = {5000, "", "Monday"};
  AnswerHead head = Head(206, "bytes 100-299/5000", "");
  head.last_modified = "Tuesday";
  EXPECT_THAT(Later(head, timed).status, StatusIs(StatusCode::kAborted, HasSubstr("Last-Modified")));
  head.last_modified = "Monday";
  EXPECT_EQ(Later(head, timed).use, AnswerUse::kRange);
  // An answer to If-Range may leave the time out.
  EXPECT_EQ(Later(Head(206, "bytes 100-299/5000"), {5000, "\"a\"", "Monday"}).use, AnswerUse::kRange);
}

TEST(CheckAnswerTest, AWholeFileIsTakenFirstIfItIsSmall) {
  AnswerHead head = Head(200);
  head.content_length = kLimit;
  EXPECT_EQ(First(head).use, AnswerUse::kWholeFile);
  EXPECT_EQ(First(head).identity.size, kLimit);
  head.content_length = kLimit + 1;
  EXPECT_THAT(First(head).status, StatusIs(StatusCode::kUnavailable, HasSubstr("1001 bytes, is too long")));
  head.content_length.reset();
  EXPECT_THAT(First(head).status, StatusIs(StatusCode::kUnavailable, HasSubstr("does not say")));
  head.content_length = 5000;
  EXPECT_THAT(Later(head).status, StatusIs(StatusCode::kUnavailable, HasSubstr("ignores the range")));
}

TEST(CheckAnswerTest, WhatMayPassIsRetriedAndNothingElse) {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    EXPECT_EQ(First(Head(status)).use, AnswerUse::kRetry) << status;
  }
  for (const int status : {0, 204, 302, 304, 400, 401, 403, 404, 405, 410, 412, 416, 501, 505, 999}) {
    EXPECT_EQ(First(Head(status)).use, AnswerUse::kError) << status;
  }
  EXPECT_THAT(First(Head(404)).status, StatusIs(StatusCode::kNotFound, HasSubstr("HTTP status 404")));
  EXPECT_THAT(First(Head(403)).status, StatusIs(StatusCode::kUnavailable, HasSubstr("HTTP status 403")));
  EXPECT_THAT(First(Head(416)).status, StatusIs(StatusCode::kDataLoss, HasSubstr("HTTP status 416")));
}

TEST(CheckAnswerTest, AnEmptyFileHasNoRanges) {
  const AnswerVerdict verdict = First(Head(416, "bytes */0"));
  EXPECT_EQ(verdict.use, AnswerUse::kRange);
  EXPECT_EQ(verdict.identity.size, 0u);
}

TEST(CheckAnswerTest, CodedBytesAreNotTheFiles) {
  AnswerHead head = Head(206, "bytes 0-99/5000");
  head.content_encoding = "gzip";
  EXPECT_THAT(First(head).status, StatusIs(StatusCode::kUnavailable, HasSubstr("gzip")));
}

}  // namespace
}  // namespace modelvault
