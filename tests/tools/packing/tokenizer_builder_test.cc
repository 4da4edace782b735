#include "tools/packing/tokenizer_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "codec/split_mix_64.h"
#include "restore/infer/tokenizer.h"
#include "tests/status_matchers.h"
#include "tests/tools/packing/plain_tokenizer.h"

namespace modelvault {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Vocabulary WithBytes(Vocabulary pieces) {
  Vocabulary vocabulary = {{0, "<unk>"}, {0, "\n<s>\n"}, {0, "\n</s>\n"}};
  for (int byte = 0; byte < 256; ++byte) vocabulary.push_back({0, absl::StrFormat("<0x%02X>", byte)});
  vocabulary.insert(vocabulary.end(), pieces.begin(), pieces.end());
  return vocabulary;
}

// Few letters, so that pieces meet everywhere; some with equal scores, one of two bytes, one that occurs twice.
Vocabulary SmallVocabulary() {
  return WithBytes({{-1, "ab"},
                    {-2, "ba"},
                    {-2, "bb"},
                    {-3, "aba"},
                    {-4, " a"},
                    {-5, "\xC3\xA9"},
                    {-5, "a\xC3\xA9"},
                    {-6, "a"},
                    {-7, "b"},
                    {-8, " "},
                    {-9, "abab"},
                    {3, "ab"},
                    {-10, "c"}});
}

TEST(TokenizerBuilderTest, EncodesAsTheRulesWrittenDownAnew) {
  const Vocabulary vocabulary = SmallVocabulary();
  const PlainTokenizer plain(vocabulary);
  const std::string letters[] = {"a", "b", " ", "c", "\xC3\xA9", "\xC3\xA8", "z", "\x80", "\xE2\x82\xAC", "\xFF"};
  SplitMix64 random(5);
  for (const bool leading_space : {false, true}) {
    const Built built(vocabulary, leading_space);
    for (int i = 0; i < 3000; ++i) {
      std::string text;
      const size_t kinds = 2 + random.Below(std::size(letters) - 1);
      for (size_t letter = random.Below(40); letter > 0; --letter) text += letters[random.Below(kinds)];
      const std::vector<uint16_t> ids = built.Encode(text);
      ASSERT_EQ(ids, plain.Encode(text, leading_space)) << text;
      EXPECT_EQ(built.Decode(ids), leading_space && !text.empty() ? " " + text : text);
    }
  }
}

TEST(TokenizerBuilderTest, WithoutByteTokensTextMustBeOfPieces) {
  const Vocabulary vocabulary = {{0, "<unk>"}, {0, "<s>"}, {0, "</s>"}, {-1, "ab"}, {-2, "a"}, {-3, "b"}};
  const Built built(vocabulary);
  EXPECT_THAT(built.Encode("aab"), ElementsAre(1, 4, 3));
  EXPECT_THAT(built.Encode(""), ElementsAre(1));
  EXPECT_EQ(built.tokenizer().begin_token(), 1);
  EXPECT_EQ(built.tokenizer().end_token(), 2);
  EXPECT_EQ(built.tokenizer().token_count(), 6u);
  std::vector<uint16_t> ids(Tokenizer::MostTokens(4)), merges(ids.size());
  size_t count = 9, bad = 9;
  const uint8_t text[] = {'a', 'b', 'c', 'a'};
  EXPECT_EQ(built.tokenizer().Encode({text, 4}, ids.data(), merges.data(), ids.size(), &count, &bad),
            CoreStatus::kNotFound);
  EXPECT_EQ(bad, 2u);
  EXPECT_EQ(count, 0u);
}

TEST(TokenizerBuilderTest, WhatNoTokenizerCanHoldIsRefused) {
  const auto build = [](const Vocabulary& vocabulary) { return BuildTokenizer(vocabulary, false).status(); };
  const auto refuses = [](const std::string& why) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why));
  };
  EXPECT_THAT(build({{0, "a"}, {0, "b"}}), refuses("2 tokens, expected 3 to 65535"));
  EXPECT_THAT(build(Vocabulary(65536)), refuses("65536 tokens"));
  EXPECT_THAT(build(Vocabulary(65535)), IsOk());
  Vocabulary vocabulary = WithBytes({{0, std::string(255, 'a')}});
  EXPECT_THAT(build(vocabulary), IsOk());
  vocabulary.back().bytes += 'a';
  EXPECT_THAT(build(vocabulary), refuses("token 259 of 256 bytes, expected at most 255"));
  vocabulary = WithBytes({});
  vocabulary[7].bytes = "<0x05>";
  EXPECT_THAT(build(vocabulary), refuses("byte tokens begin at token 3, but token 7 is not <0x04>"));
  vocabulary = WithBytes({});
  vocabulary.pop_back();
  EXPECT_THAT(build(vocabulary), refuses("token 258 is not <0xFF>"));
}

}  // namespace
}  // namespace modelvault
