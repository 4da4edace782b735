#include "vault/remote/answer_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace modelvault {
namespace {

AnswerHead Parse(const std::vector<std::string>& lines) {
  AnswerHead head;
  for (const std::string& line : lines) AddHeadLine(line + "\r\n", &head);
  return head;
}

TEST(ContentRangeTest, SatisfiedOnesHaveTheirNumbers) {
  const auto range = ParseContentRange("bytes 5-99/1000");
  ASSERT_TRUE(range.has_value());
  EXPECT_TRUE(range->satisfied);
  EXPECT_EQ(range->first, 5u);
  EXPECT_EQ(range->last, 99u);
  EXPECT_EQ(range->total, 1000u);
  EXPECT_EQ(ParseContentRange("BYTES 0-0/1")->last, 0u);
  EXPECT_EQ(ParseContentRange("bytes 0-9/*")->total, std::nullopt);
  EXPECT_EQ(ParseContentRange("bytes 0-9223372036854775806/9223372036854775807")->last, uint64_t{INT64_MAX} - 1);
}

TEST(ContentRangeTest, UnsatisfiedOnesHaveTheTotalAlone) {
  const auto range = ParseContentRange("bytes */1000");
  ASSERT_TRUE(range.has_value());
  EXPECT_FALSE(range->satisfied);
  EXPECT_EQ(range->total, 1000u);
}

TEST(ContentRangeTest, AnythingElseIsNone) {
  for (const char* value :
       {"", "bytes", "bytes ", "bytes 0-9", "bytes 0-9/", "bytes 9-0/10", "bytes 0-10/10", "bytes -9/10", "bytes 0-/10",
        "bytes */*", "bytes 0-9/10x", "bytes +0-9/10", "bytes 0 - 9/10", "items 0-9/10", "bytes0-9/10",
        "bytes 0-9/9223372036854775808", "bytes 0-18446744073709551616/99999999999999999999", "bytes 0x0-9/10"}) {
    EXPECT_EQ(ParseContentRange(value), std::nullopt) << value;
  }
}

TEST(AnswerHeadTest, FieldsAreFoundByNameInAnyCase) {
  const AnswerHead head =
      Parse({"HTTP/1.1 206 Partial Content", "content-RANGE:bytes 0-9/10", "Content-Length:  10 ", "etag: \"a b\"",
             "Last-Modified: Sat, 28 Nov 2026 08:00:00 GMT", "Content-Encoding: GZip", "X: y", "no field", ""});
  EXPECT_EQ(head.status, 206);
  EXPECT_EQ(head.reason, "Partial Content");
  EXPECT_TRUE(head.has_content_range);
  EXPECT_EQ(head.content_range->last, 9u);
  EXPECT_EQ(head.content_length, 10u);
  EXPECT_EQ(head.etag, "\"a b\"");
  EXPECT_TRUE(head.has_strong_etag());
  EXPECT_EQ(head.last_modified, "Sat, 28 Nov 2026 08:00:00 GMT");
  EXPECT_EQ(head.content_encoding, "gzip");
}

TEST(AnswerHeadTest, AStatusLineForgetsWhatWasBefore) {
  const AnswerHead head = Parse({"HTTP/1.1 302 Found", "ETag: \"a\"", "Location: x", "", "HTTP/2 206"});
  EXPECT_EQ(head.status, 206);
  EXPECT_EQ(head.reason, "");
  EXPECT_EQ(head.etag, "");
  EXPECT_FALSE(head.has_strong_etag());
}

TEST(AnswerHeadTest, WhatIsMalformedIsNotThere) {
  for (const char* line : {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2066 x", "HTTP/1.1 abc", "HTTP/1.1 -20"}) {
    EXPECT_EQ(Parse({line}).status, 0) << line;
  }
  EXPECT_EQ(Parse({"HTTP/1.1 500 a\x1b[31m"}).reason, "");
  EXPECT_EQ(Parse({absl::StrCat("HTTP/1.1 500 ", std::string(1000, 'x'))}).reason.size(), 64u);
  const AnswerHead head = Parse({"HTTP/1.1 206 OK", "Content-Range: bytes 9-0/10", "Content-Length: -1",
                                 absl::StrCat("ETag: \"", std::string(600, 'x'), "\""), "Last-Modified: \x01",
                                 "Content-Encoding: identity"});
  EXPECT_TRUE(head.has_content_range);
  EXPECT_FALSE(head.content_range.has_value());
  EXPECT_FALSE(head.content_length.has_value());
  EXPECT_EQ(head.etag, "");
  EXPECT_EQ(head.last_modified, "");
  EXPECT_EQ(head.content_encoding, "");
  EXPECT_FALSE(Parse({"HTTP/1.1 206 OK", "ETag: W/\"a\""}).has_strong_etag());
}

}  // namespace
}  // namespace modelvault
