#include "tools/mvault/cli/printable.h"

#include <gtest/gtest.h>

#include "tools/mvault/cli/text_table.h"

namespace modelvault {
namespace {

TEST(PrintableTest, LeavesTextAlone) {
  EXPECT_EQ(Printable(""), "");
  EXPECT_EQ(Printable("layers.0.wq 'x' \\ 100 %"), "layers.0.wq 'x' \\ 100 %");
  EXPECT_EQ(Printable("h\xC3\xB4pital \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80"),
            "h\xC3\xB4pital \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80");
}

TEST(PrintableTest, EscapesWhatDisturbsTerminals) {
  EXPECT_EQ(Printable("a\x1b[31mb\nc\x7f"), "a\\x1b[31mb\\x0ac\\x7f");
  EXPECT_EQ(Printable(absl::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(Printable("\xC2\x9Bm"), "\\xc2\\x9bm");  // A control sequence in one character.
  EXPECT_EQ(Printable("a\xE2\x80\xAE"
                      "b"),
            "a\\xe2\\x80\\xaeb");  // Right to left from here on.
  EXPECT_EQ(Printable("a\xE2\x81\xA6"
                      "b"),
            "a\\xe2\\x81\\xa6"
            "b");
}

TEST(PrintableTest, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(Printable("\xFF"), "\\xff");
  EXPECT_EQ(Printable("\xC3"), "\\xc3");           // Cut short.
  EXPECT_EQ(Printable("\xC3("), "\\xc3(");         // No continuation.
  EXPECT_EQ(Printable("\xC0\x80"), "\\xc0\\x80");  // A longer form than needed.
  EXPECT_EQ(Printable("\xE0\x80\x80"), "\\xe0\\x80\\x80");
  EXPECT_EQ(Printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // Half of a pair.
  EXPECT_EQ(Printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // Beyond the last character.
}

TEST(PrintableTest, CountsCharactersNotBytes) {
  EXPECT_EQ(CharacterCount(""), 0u);
  EXPECT_EQ(CharacterCount("abc"), 3u);
  EXPECT_EQ(CharacterCount("h\xC3\xB4pital"), 7u);
}

TEST(TextTableTest, AlignsColumns) {
  TextTable table({"name", ">bytes", "note"});
  table.AddRow({"h\xC3\xB4pital", "7", "x"});
  table.AddRow({"a", "1,234,567", ""});
  EXPECT_EQ(table.Format(),
            "name         bytes  note\n"
            "h\xC3\xB4pital          7  x\n"
            "a        1,234,567\n");
}

TEST(PrintableLinesTest, LinesStayAndAllButTheFirstAreIndented) {
  EXPECT_EQ(PrintableLines("a\nb\x1b"), "a\n  b\\x1b\n");
  EXPECT_EQ(PrintableLines("a"), "a\n");
}

}  // namespace
}  // namespace modelvault
