#include "tools/formats/readable_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace modelvault {
namespace {

TEST(ReadableTextTest, DigitsStandInGroupsOfThree) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1'000), "1,000");
  EXPECT_EQ(Grouped(1'048'576), "1,048,576");
  EXPECT_EQ(Grouped(std::numeric_limits<uint64_t>::max()), "18,446,744,073,709,551,615");
}

TEST(ReadableTextTest, OneThingIsNoneOfMany) {
  EXPECT_EQ(Counted(0, "failure"), "0 failures");
  EXPECT_EQ(Counted(1, "failure"), "1 failure");
  EXPECT_EQ(Counted(1'000, "byte"), "1,000 bytes");
}

TEST(ReadableTextTest, SharesHaveOneDecimal) {
  EXPECT_EQ(Percent(0.9183), "91.8 %");
  EXPECT_EQ(Percent(0.0), "0.0 %");
}

TEST(ReadableTextTest, WhatMarksUpAPageIsEscaped) {
  EXPECT_EQ(EscapedForHtml("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
}

}  // namespace
}  // namespace modelvault
