#include "tools/mvault/cli/text_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace modelvault {
namespace {

std::string Stream(const std::vector<std::string>& pieces) {
  TextStream stream;
  std::string text;
  for (const std::string& piece : pieces) text += stream.Add(piece) + "|";
  return text + stream.Finish();
}

TEST(TextStreamTest, CharactersComeWhenTheyAreWhole) {
  EXPECT_EQ(Stream({"ab", "c"}), "ab|c|");
  EXPECT_EQ(Stream({"a\xC3", "\xA4z"}), "a|\xC3\xA4z|");
  EXPECT_EQ(Stream({"\xE2", "\x82", "\xAC"}), "||\xE2\x82\xAC|");
  EXPECT_EQ(Stream({"\xF0\x9F\x98", "\x80"}), "|\xF0\x9F\x98\x80|");
}

TEST(TextStreamTest, WhatIsNoneIsEscaped) {
  EXPECT_EQ(Stream({"\xC3", "a"}), "|\\xc3a|");
  EXPECT_EQ(Stream({"\x80\x80\x80\x80"}), "\\x80\\x80\\x80\\x80|");
  EXPECT_EQ(Stream({"\xE2\x82"}), "|\\xe2\\x82");
}

TEST(TextStreamTest, LineEndsStayAndControlCharactersDoNot) {
  EXPECT_EQ(Stream({"a\n\n", "\x1B[2J\n"}), "a\n\n|\\x1b[2J\n|");
}

}  // namespace
}  // namespace modelvault
