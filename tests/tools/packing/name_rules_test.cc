#include "tools/packing/name_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/status_matchers.h"

namespace modelvault {
namespace {

TEST(NameRulesTest, RulesAreAppliedInTurnToTheFirstOccurrence) {
  EXPECT_EQ((NameRules{{{"_orig_mod.", ""}}, {}}.Apply("_orig_mod.a._orig_mod.b")), "a._orig_mod.b");
  EXPECT_EQ((NameRules{{{"module.", ""}, {"a", "b"}, {"b", "c"}}, {}}.Apply("module.a")), "c");
  EXPECT_EQ((NameRules{{{"", "model."}}, {}}.Apply("a")), "model.a");
  EXPECT_EQ((NameRules{{{"x", "y"}}, {}}.Apply("a")), "a");
}

TEST(NameRulesTest, TextIsParsedAtItsFirstEqualsSign) {
  ASSERT_OK_AND_ASSIGN(const NameRule rule, ParseNameRule("a.=b=c"));
  EXPECT_EQ(rule, (NameRule{"a.", "b=c"}));
  ASSERT_OK_AND_ASSIGN(const NameRule removed, ParseNameRule("_orig_mod.="));
  EXPECT_EQ(removed, (NameRule{"_orig_mod.", ""}));
  ASSERT_OK_AND_ASSIGN(const NameRule inserted, ParseNameRule("=model."));
  EXPECT_EQ(inserted, (NameRule{"", "model."}));
  for (const char* text : {"", "a", "="}) {
    EXPECT_THAT(ParseNameRule(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(NameRulesTest, AStarStandsForAnyText) {
  EXPECT_TRUE(MatchesPattern("a.b.c", "a.*.c"));
  EXPECT_TRUE(MatchesPattern("a.b", "*"));
  EXPECT_TRUE(MatchesPattern("", "**"));
  EXPECT_TRUE(MatchesPattern("a.c.c", "a*.c"));
  EXPECT_TRUE(MatchesPattern("abab", "*ab"));
  EXPECT_FALSE(MatchesPattern("a.b.c", "a.*.d"));
  EXPECT_FALSE(MatchesPattern("a.b", "a"));
  EXPECT_FALSE(MatchesPattern("a", "a.b"));
  EXPECT_FALSE(MatchesPattern("", "a"));
}

TEST(NameRulesTest, RulesAreQuotedForAShellWhereTheyMustBe) {
  EXPECT_EQ(FormatNameRule({"_orig_mod.", ""}), "_orig_mod.=");
  EXPECT_EQ(FormatNameRule({"a b", "c'd"}), "'a b=c'\\''d'");
}

}  // namespace
}  // namespace modelvault
