#include "tools/mvault/cli/byte_size.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

TEST(ByteSizeTest, ReadsNumbersWithAndWithoutUnits) {
  const std::pair<const char*, uint64_t> kCases[] = {
      {"0", 0},
      {"1000000", 1'000'000},
      {"7B", 7},
      {"64KiB", 65'536},
      {"64kib", 65'536},
      {"64 KiB", 65'536},
      {"2KB", 2'000},
      {"1MiB", 1'048'576},
      {"1MB", 1'000'000},
      {"1.5MB", 1'500'000},
      {"0.5MiB", 524'288},
      {"1.999999KB", 1'999},  // Whole bytes, rounded down.
      {"3GB", 3'000'000'000},
      {"5GiB", 5'368'709'120},
      {"2TB", 2'000'000'000'000},
      {"1TiB", 1'099'511'627'776},
      {"18446744073709551615", std::numeric_limits<uint64_t>::max()},
  };
  for (const auto& [text, bytes] : kCases) {
    EXPECT_THAT(ParseByteSize(text), IsOkAndHolds(bytes)) << text;
  }
}

TEST(ByteSizeTest, RefusesWhatIsNoSize) {
  for (const char* text : {"",
                           "MiB",
                           "-1",
                           "+1",
                           " 1",
                           "1 ",
                           "1  KB",
                           "1.",
                           ".5MB",
                           "1.5.5MB",
                           "1K",
                           "1M",
                           "1 MiBs",
                           "1e6",
                           "0x10",
                           "1,000",
                           "18446744073709551616",
                           "16777216TiB",
                           "99999999999999999999KB",
                           "1.1234567MB",
                           "\x1b[31m"}) {
    EXPECT_THAT(ParseByteSize(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is no size"))) << text;
  }
}

}  // namespace
}  // namespace modelvault
