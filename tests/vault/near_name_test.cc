#include "vault/near_name.h"

#include <gtest/gtest.h>

namespace modelvault {
namespace {

TEST(NearNameTest, FindsWhatDiffersByCaseAccentsOrATypo) {
  const std::vector<std::string> names = {"legal", "Radiology", "caf\xC3\xA9", "kidney-urine"};
  EXPECT_EQ(NearestName("radiology", names), "Radiology");
  EXPECT_EQ(NearestName("cafe\xCC\x81", names), "caf\xC3\xA9") << "decomposed";
  EXPECT_EQ(NearestName("cafe", names), "caf\xC3\xA9");
  EXPECT_EQ(NearestName("kidny-urine", names), "kidney-urine");
  EXPECT_EQ(NearestName("LEGAL", names), "legal");
  EXPECT_EQ(NearestName("embde", {"embed"}), "embed") << "one slip, not two";
}

TEST(NearNameTest, FindsNothingWhereNothingIsNear) {
  EXPECT_EQ(NearestName("b", {"a", "c"}), "");
  EXPECT_EQ(NearestName("claims", {"legal", "Radiology"}), "");
  EXPECT_EQ(NearestName("x", {}), "");
  EXPECT_EQ(NearestName("", {"a"}), "");
}

TEST(NearNameTest, TheNearestIsTaken) {
  EXPECT_EQ(NearestName("department-3", {"department-12", "department-31", "DEPARTMENT-3"}), "DEPARTMENT-3");
  EXPECT_EQ(NearestName("radiolgy", {"Radiology", "radiology", "RADIOLOGY"}), "radiology") << "case comes second";
  EXPECT_EQ(NearestName("Radiolgy", {"radiology", "Radiology"}), "Radiology");
  EXPECT_EQ(NearestName("RADIOLOGY", {"radiolog", "radiology"}), "radiology") << "and never first";
}

TEST(NearNameTest, BytesThatAreNoTextAreComparedAsBytes) {
  EXPECT_EQ(NearestName("ab\xFF", {"ab\xFE"}), "ab\xFE");
  EXPECT_EQ(NearestName("abc\xC3", {"abc"}), "abc");
}

TEST(NearNameTest, ManyNamesAndLongOnesTakeNoTime) {
  std::vector<std::string> names(4096, "zzz");
  names.front() = "aab";
  names.push_back("aaa");
  EXPECT_EQ(NearestName("aaa", names), "aab") << "the last is too far back";
  const std::string longest(1024, 'a');
  EXPECT_EQ(NearestName(longest + "a", {longest}), "");
  EXPECT_EQ(NearestName(longest.substr(1), {longest + "a", longest}), longest);
}

TEST(NearNameTest, AHintIsTheEndOfAMessage) {
  EXPECT_EQ(NearestNameHint("LEGAL", {"legal"}), "; there is 'legal'");
  EXPECT_EQ(NearestNameHint("LEGAL", {"x"}), "");
}

}  // namespace
}  // namespace modelvault
