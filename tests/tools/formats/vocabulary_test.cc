#include "tools/formats/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/status_matchers.h"
#include "tests/temp_folder.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

// Two tokens: score 0 without bytes, score −2.5 and "ab".
const std::string kTwo(
    "\2\0\0\0"
    "\0\0\0\0"
    "\0\0\0\0"
    "\0\0\x20\xC0"
    "\2\0\0\0"
    "ab",
    22);

class VocabularyTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<VocabularyToken>> Read(const std::string& bytes) {
    return ReadVocabulary(FileSystem::Default(), folder_.Write("tok.bin", bytes));
  }
  void ExpectRefused(const std::string& bytes, const std::string& why) {
    EXPECT_THAT(Read(bytes), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tok.bin: no vocabulary: " + why)));
  }
  TempFolder folder_;
};

TEST_F(VocabularyTest, ReadsScoresAndBytes) {
  ASSERT_OK_AND_ASSIGN(const auto tokens, Read(kTwo));
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_EQ(tokens[0].score, 0);
  EXPECT_EQ(tokens[0].bytes, "");
  EXPECT_EQ(tokens[1].score, -2.5f);
  EXPECT_EQ(tokens[1].bytes, "ab");
}

TEST_F(VocabularyTest, WhatIsNoneIsRefusedByTheOffset) {
  ExpectRefused("", "at offset 0: expected the longest token's size, found 0 bytes");
  for (size_t size = 5; size < kTwo.size(); ++size) {
    if (size == 12) continue;  // One token.
    ExpectRefused(kTwo.substr(0, size), "at offset ");
  }
  ExpectRefused(kTwo + "x", "at offset 22: expected token 2, found 1 bytes");
  std::string longer = kTwo;
  longer[0] = 1;
  ExpectRefused(longer, "at offset 16: token 1 of 2 bytes, expected at most 1 and the 2 that are left");
  std::string negative = kTwo;
  negative[19] = '\xFF';
  ExpectRefused(negative, "at offset 16: token 1 of ");
  std::string infinite = kTwo;
  infinite.replace(12, 4, std::string("\0\0\x80\x7F", 4));
  ExpectRefused(infinite, "at offset 12: the score of token 1 is not a finite number");
  EXPECT_THAT(ReadVocabulary(FileSystem::Default(), folder_.File("none")), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace modelvault
