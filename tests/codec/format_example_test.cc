// Holds the worked example of docs/format.md §6 against the codec.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "codec/core/gap_tables.h"
#include "codec/rans_encoder.h"
#include "tests/codec/model_fixture.h"
#include "tests/vault/format_document.h"

namespace modelvault {
namespace {

using testing::SizeIs;

unsigned Number(absl::string_view text) {
  unsigned number = 0;
  EXPECT_TRUE(absl::SimpleAtoi(text, &number)) << text;
  return number;
}

// The weights of a line of the page's block "weights" that begins with `name`.
Bytes Weights(const std::string& document, const std::string& name) {
  Bytes weights;
  const size_t block = document.find("```weights\n");
  const size_t line = document.find(absl::StrCat("\n", name, " "), block);
  EXPECT_NE(line, std::string::npos);
  const std::string text = document.substr(line + 1, document.find('\n', line + 1) - line - 1);
  const std::vector<std::string> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
  for (size_t i = 1; i < words.size(); ++i) {
    int weight = 0;
    EXPECT_TRUE(absl::SimpleAtoi(words[i], &weight)) << words[i];
    weights.push_back(static_cast<uint8_t>(weight));
  }
  return weights;
}

// The example's base: level 8, row classes 0 and 1, column classes 1, 0, 0, 15, 0, 1, 0, 1.
TestBase ExampleBase(const Bytes& weights) {
  RecordFields fields = RawRecord(DType::kI8, 2, 8);
  fields.flags = kFlagRowPrior | kFlagColumnPrior;
  fields.level = 8;
  fields.area = std::string("\x10\x01\xF0\x10\x10", 5);
  return TestBase(WriteModel({}, {fields}), weights);
}

class FormatExampleTest : public testing::Test {
 protected:
  const std::string document_ = FormatDocument();
  const TableRows rows_ = TableBelow(document_, "| Row | Columns | Level |");
};

TEST_F(FormatExampleTest, GapsAreMadeOfTheirSymbolsAndBits) {
  ASSERT_THAT(rows_, SizeIs(9));
  for (const std::vector<std::string>& row : rows_) {
    ASSERT_EQ(row.size(), 9u);
    const unsigned level = Number(row[2]), s = Number(row[4]);
    EXPECT_EQ(Number(row[3]), GapTable(level));
    EXPECT_EQ(s, GapShift(level));
    const std::vector<std::string> raw = absl::StrSplit(row[6], " of ");
    EXPECT_EQ(Number(raw[1]), s + 1);
    unsigned gap = Number(raw[0]) >> 1;
    for (const absl::string_view q : absl::StrSplit(row[5], ' ')) gap += Number(q) << s;
    EXPECT_EQ(row[7], absl::StrCat(gap, (Number(raw[0]) & 1) != 0 ? " −" : " +"));
  }
}

TEST_F(FormatExampleTest, TheStreamIsThoseSymbolsAndDecodesToThoseWeights) {
  RansEncoder out;
  const auto contexts = std::make_unique<SegmentContexts>();
  EncodeBit(&out, &contexts->mode[1][1], false);
  EncodeBit(&out, &contexts->mode[1][2], false);
  EncodeBit(&out, &contexts->mode[1][4], true);
  EncodeGamma(&out, &contexts->level, 0);
  EncodeBit(&out, &contexts->one_scale, true);
  EncodeBit(&out, &contexts->same_scale, false);
  EncodeGamma(&out, &contexts->scale, 2);
  for (const std::vector<std::string>& row : rows_) {
    const GapLookup& table = *FindGapLookup(Number(row[3]));
    for (const absl::string_view symbol : absl::StrSplit(row[5], ' ')) {
      const unsigned q = Number(symbol);
      out.Symbol(table.starts[q], static_cast<uint32_t>(table.starts[q + 1] - table.starts[q]));
    }
    const std::vector<std::string> raw = absl::StrSplit(row[6], " of ");
    out.Raw(Number(raw[0]), Number(raw[1]));
  }
  const std::string stream = out.Finish();
  std::vector<std::string> bytes;
  for (const char byte : stream) bytes.push_back(absl::StrCat(absl::Hex(static_cast<uint8_t>(byte), absl::kZeroPad2)));
  const std::string sentence = absl::StrCat("The stream of the segment: `", absl::StrJoin(bytes, " "), "`.");
  EXPECT_TRUE(Unwrapped(document_).find(sentence) != std::string::npos) << "docs/format.md does not say: " << sentence;

  const Bytes base = Weights(document_, "base"), variant = Weights(document_, "variant");
  ASSERT_EQ(base.size(), 16u);
  const DecodedVariant decoded = DecodeVariant(ExampleBase(base), {{}, {stream}}, 4096);
  EXPECT_EQ(decoded.status, CoreStatus::kOk) << CoreStatusName(decoded.status);
  EXPECT_EQ(decoded.data, variant);
}

}  // namespace
}  // namespace modelvault
