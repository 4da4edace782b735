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
}

TEST(NearNameTest, FindsNothingWhereNothingIsNear) {
  EXPECT_EQ(NearestName("b", {"a", "c"}), "");
  EXPECT_EQ(NearestName("claims", {"legal", "Radiology"}), "");
  EXPECT_EQ(NearestName("x", {}), "");
  EXPECT_EQ(NearestName("", {"a"}), "");
}

TEST(NearNameTest, TheNearestIsTaken) {
  EXPECT_EQ(NearestName("department-3", {"department-12", "department-31", "DEPARTMENT-3"}), "DEPARTMENT-3");
}

TEST(NearNameTest, BytesThatAreNoTextAreComparedAsBytes) {
  EXPECT_EQ(NearestName("ab\xFF", {"ab\xFE"}), "ab\xFE");
  EXPECT_EQ(NearestName("abc\xC3", {"abc"}), "abc");
}

}  // namespace
}  // namespace modelvault
