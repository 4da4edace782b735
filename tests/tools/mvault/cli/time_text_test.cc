#include "tools/mvault/cli/time_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

TEST(TimeTextTest, DatesTimesAndSecondsAreRead) {
  EXPECT_THAT(ParseTime("1970-01-02"), IsOkAndHolds(86400u));
  EXPECT_THAT(ParseTime("1970-01-02T00:00:01Z"), IsOkAndHolds(86401u));
  EXPECT_THAT(ParseTime("1970-01-02T01:00:01+01:00"), IsOkAndHolds(86401u));
  EXPECT_THAT(ParseTime("86401"), IsOkAndHolds(86401u));
  EXPECT_THAT(ParseTime("18446744073709551615"), IsOkAndHolds(~uint64_t{0}));
}

TEST(TimeTextTest, AnythingElseIsNone) {
  for (const char* text : {"", "0", "-1", "tomorrow", "1970-01-01", "1969-12-31", "2026-13-01", "2026-02-30",
                           "2026-11-28T12:00:00", "2026-11-28 12:00:00Z", "2026-11-28x", "18446744073709551616"}) {
    EXPECT_THAT(ParseTime(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no time after 1970"))) << text;
  }
}

TEST(TimeTextTest, TimesArePrintedAsTheyAreRead) {
  EXPECT_EQ(FormatTime(86401), "1970-01-02T00:00:01Z");
  EXPECT_THAT(ParseTime(FormatTime(1798761599)), IsOkAndHolds(1798761599u));
  EXPECT_EQ(FormatTime(~uint64_t{0}), "18446744073709551615 s after 1970");
}

}  // namespace
}  // namespace modelvault
