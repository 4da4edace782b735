// Holds docs/format.md §16 against the constants of the host codings, and its example against the codec.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "codec/host/block_codec.h"
#include "codec/host/block_format.h"
#include "tests/codec/random.h"
#include "tests/vault/format_document.h"

namespace modelvault {
namespace {

class BlockPageTest : public testing::Test {
 protected:
  void SetUp() override {
    const size_t at = document_.find("## 16. Host codings");
    ASSERT_NE(at, std::string::npos);
    section_ = document_.substr(at, document_.find("\n## ", at + 1) - at);
    text_ = Unwrapped(section_);
  }

  void ExpectSays(const std::string& words) {
    EXPECT_TRUE(text_.find(words) != std::string::npos) << "docs/format.md §16 does not say: " << words;
  }

  void ExpectNames(const TableRows& rows, const std::vector<std::string>& names) {
    ASSERT_EQ(rows.size(), names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      EXPECT_EQ(rows[i][0], absl::StrCat(i));
      EXPECT_EQ(rows[i][1], names[i]);
    }
  }

  const std::string document_ = FormatDocument();
  std::string section_;
  std::string text_;
};

TEST_F(BlockPageTest, CodingsHaveTheirNumbers) {
  ExpectNames(TableBelow(section_, "| Coding | Name | Then | Needs |"),
              {"raw", "constant", "same", "value", "xor", "difference", "sparse", "ternary"});
  EXPECT_EQ(static_cast<int>(BlockCoding::kValue), 3);
  EXPECT_EQ(static_cast<int>(BlockCoding::kDifference), 5);
  EXPECT_EQ(static_cast<int>(BlockCoding::kTernary), 7);
  ExpectNames(TableBelow(absl::string_view(section_).substr(section_.find("**Plane**")), "| Coding | Name | Then |"),
              {"raw", "constant", "prefix", "exceptions", "classes"});
  EXPECT_EQ(static_cast<int>(PlaneCoding::kPrefix), 2);
  EXPECT_EQ(static_cast<int>(PlaneCoding::kClasses), 4);
}

TEST_F(BlockPageTest, SaysTheLimits) {
  ExpectSays(absl::StrCat("the length of its code word, 1 … ", kHostCodeLength, ", or 0"));
  ExpectSays(absl::StrCat("`u8 top, u8 count` (2 … ", kMaxElementClasses, ")"));
  ExpectSays(absl::StrCat("a byte of less than ", kGapOn, " ends such a number, ", kGapOn, " adds"));
  ExpectSays(absl::StrCat("weight i is in group (i + phase) / ", 1 << kTernaryGroupShift));
  EXPECT_EQ(kPrefixStreams, 4u);
  ExpectSays("then the four streams");
  EXPECT_EQ(kBlockOverhead, 1u);
  ExpectSays("at most one byte more than its piece");
}

// The bytes between `before` and the next backquote.
Bytes HexAfter(const std::string& text, const std::string& before) {
  const size_t at = text.find(before);
  EXPECT_NE(at, std::string::npos) << before;
  const size_t begin = at + before.size();
  const std::string bytes =
      absl::HexStringToBytes(absl::StrReplaceAll(text.substr(begin, text.find('`', begin) - begin), {{" ", ""}}));
  return Bytes(bytes.begin(), bytes.end());
}

TEST_F(BlockPageTest, ExampleIsRight) {
  // Elements as numbers: their higher byte first.
  Bytes reference = HexAfter(text_, "with the reference `");
  ASSERT_EQ(reference.size(), 16u);
  for (size_t i = 0; i < reference.size(); i += 2) std::swap(reference[i], reference[i + 1]);
  Bytes expected = reference;
  ExpectSays("element 5 is now `3c03` and element 7 `bc07`");
  expected[10] = 0x03;
  expected[15] = 0xbc;
  const Bytes block = HexAfter(text_, "zigzag f01d. Sparse: `");
  BlockScratch scratch;
  Bytes out(reference.size());
  EXPECT_EQ(DecodeBlock(DType::kBf16, block, reference, &scratch, absl::MakeSpan(out)), CoreStatus::kOk);
  EXPECT_EQ(out, expected);
}

}  // namespace
}  // namespace modelvault
