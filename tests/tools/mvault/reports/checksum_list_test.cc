#include "tools/mvault/reports/checksum_list.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "vault/hex_text.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

constexpr char kHash[] = "00112233445566778899aabbccddeeff";

Xxh3Digest Digest(uint8_t first) {
  Xxh3Digest digest = {};
  digest[0] = first;
  return digest;
}

TEST(ChecksumListTest, IsReadAsItWasWritten) {
  const ChecksumList list = {{"data/base", Digest(1)},
                             {"header/base", Digest(2)},
                             {"data/two words  and more", Digest(3)},
                             {"data/h\xC3\xB4pital", Digest(255)}};
  EXPECT_THAT(ParseChecksums(FormatChecksums(list), "sums"), IsOkAndHolds(list));
}

TEST(ChecksumListTest, PassesOverCommentsAndEmptyLines) {
  const std::string text = absl::StrCat("# a comment\n\n", kHash, "  data/legal\n#", kHash, "  data/other\n");
  ASSERT_OK_AND_ASSIGN(const ChecksumList list, ParseChecksums(text, "sums"));
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(HexText(list.at("data/legal")), kHash);
}

TEST(ChecksumListTest, ReadsUpperCaseAndALastLineWithoutAnEnd) {
  ASSERT_OK_AND_ASSIGN(const ChecksumList list,
                       ParseChecksums("00112233445566778899AABBCCDDEEFF  header/legal", "sums"));
  EXPECT_EQ(HexText(list.at("header/legal")), kHash);
}

TEST(ChecksumListTest, TakesLineEndsOfWindowsAndAByteOrderMark) {
  const std::string first = absl::StrCat(kHash, "  data/legal");
  const std::string second = absl::StrCat(kHash, "  header/legal");
  ASSERT_OK_AND_ASSIGN(const ChecksumList plain, ParseChecksums(absl::StrCat("# c\n", first, "\n", second), "sums"));
  for (const char* mark : {"", "\xEF\xBB\xBF"}) {
    for (const char* last : {"", "\r\n"}) {
      const std::string text = absl::StrCat(mark, "# c\r\n\r\n", first, "\r\n", second, last);
      EXPECT_THAT(ParseChecksums(text, "sums"), IsOkAndHolds(plain));
    }
  }
  EXPECT_THAT(ParseChecksums(absl::StrCat("\xEF\xBB\xBF", first, "\n", second), "sums"), IsOkAndHolds(plain));
  EXPECT_THAT(ParseChecksums(absl::StrCat("# c\r\r", first, "\r", second, "\r"), "sums"), IsOkAndHolds(plain));
}

TEST(ChecksumListTest, CallsUtf16ByItsName) {
  const std::string plain = absl::StrCat(kHash, "  data/legal\n");
  std::string little, big;
  for (const char c : plain) {
    little += {c, '\0'};
    big += {'\0', c};
  }
  for (const std::string& text : {"\xFF\xFE" + little, "\xFE\xFF" + big, little, big}) {
    EXPECT_THAT(ParseChecksums(text, "sums"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sums: expected text; it is text in UTF-16")));
  }
}

TEST(ChecksumListTest, SaysWhatAFileIsThatIsNoList) {
  const std::pair<std::string, std::string> kinds[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "a git-LFS pointer"},
      {"PK\x03\x04", "a ZIP archive"},
      {"MVLT\r\n\x1a\n", "a vault"},
      {"\x01\x02\xff", "a binary file of no kind known here"}};
  for (const auto& [content, kind] : kinds) {
    EXPECT_THAT(ParseChecksums(content, "sums"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sums: expected text; it is " + kind)));
  }
}

TEST(ChecksumListTest, RefusesOtherLinesNamingThem) {
  const std::string kBad[] = {
      "hello",
      kHash,
      absl::StrCat(kHash, " data/legal"),
      absl::StrCat(kHash, "  legal"),
      absl::StrCat(" ", kHash, "  data/legal"),
      absl::StrCat(std::string(kHash).substr(1), "  data/legal"),
      absl::StrCat("0", kHash, "  data/legal"),
      absl::StrCat(std::string(kHash).replace(3, 1, "g"), "  data/legal"),
  };
  for (const std::string& line : kBad) {
    EXPECT_THAT(ParseChecksums(absl::StrCat("# comment\n", line, "\n"), "my.sums"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("my.sums: line 2: ")))
        << line;
  }
}

TEST(ChecksumListTest, RefusesAHashGivenTwice) {
  const std::string line = absl::StrCat(kHash, "  data/legal\n");
  EXPECT_THAT(ParseChecksums(line + line, "sums"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 2: 'data/legal' is given twice")));
}

TEST(ChecksumListTest, RefusesAListOfNothing) {
  for (const char* text : {"", "\n", "# only a comment\n"}) {
    EXPECT_THAT(ParseChecksums(text, "sums"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no checksums")));
  }
}

}  // namespace
}  // namespace modelvault
