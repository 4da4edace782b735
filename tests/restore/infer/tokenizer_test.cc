#include "restore/infer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/restore/infer/network_bytes.h"

namespace modelvault {
namespace {

using testing::ElementsAre;

// Unknown, begin, end, then "ab", "a", "b", "ba", " ", whose bytes are parts of the text "bab ".
TokenizerParts Parts() {
  TokenizerParts parts;
  parts.tokens = {{0, 0}, {0, 0}, {0, 0}, {1, 2}, {1, 1}, {0, 1}, {0, 2}, {3, 1}};
  parts.pieces = {{7, 260}, {4, 2}, {3, 1}, {5, 3}, {6, 0}};  // " ", "a", "ab", "b", "ba"
  parts.text = "bab ";
  parts.longest = 2;
  return parts;
}

CoreStatus Parse(const std::string& bytes, size_t* bad_offset) {
  const AlignedBytes aligned(bytes);
  Tokenizer tokenizer;
  return tokenizer.Parse(aligned.view(), bad_offset);
}

ByteView View(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

std::vector<uint16_t> Encode(const TokenizerParts& parts, const std::string& text) {
  const AlignedBytes bytes(parts.Bytes());
  Tokenizer tokenizer;
  size_t bad = 99, count = 99;
  EXPECT_EQ(tokenizer.Parse(bytes.view(), &bad), CoreStatus::kOk);
  std::vector<uint16_t> ids(Tokenizer::MostTokens(text.size())), merges(ids.size());
  EXPECT_EQ(tokenizer.Encode(View(text), ids.data(), merges.data(), ids.size(), &count, &bad), CoreStatus::kOk);
  ids.resize(count);
  return ids;
}

TEST(TokenizerTest, TheLowestRankGoesFirstAndTheFirstOfEqualOnes) {
  TokenizerParts parts = Parts();
  EXPECT_THAT(Encode(parts, "abab"), ElementsAre(1, 4, 6, 5));
  parts.pieces[2].rank = 0;
  EXPECT_THAT(Encode(parts, "abab"), ElementsAre(1, 3, 3));
  EXPECT_THAT(Encode(parts, "baba"), ElementsAre(1, 6, 6));
  parts.pieces[4].rank = 1;
  EXPECT_THAT(Encode(parts, "baba"), ElementsAre(1, 5, 3, 4));
  EXPECT_THAT(Encode(parts, ""), ElementsAre(1));
}

TEST(TokenizerTest, RanksHave16Bits) {
  TokenizerParts parts = Parts();
  parts.pieces[2].rank = 0x0100;  // "ab"
  parts.pieces[4].rank = 0x00FF;  // "ba"
  EXPECT_THAT(Encode(parts, "aba"), ElementsAre(1, 4, 6));
  parts.pieces[4].rank = 0x0101;
  EXPECT_THAT(Encode(parts, "aba"), ElementsAre(1, 3, 4));
}

TEST(TokenizerTest, BeginsAndSpacesAreAsItSays) {
  TokenizerParts parts = Parts();
  parts.begin = 0xFFFF;
  EXPECT_THAT(Encode(parts, "a"), ElementsAre(4));
  parts.flags = 1;
  EXPECT_THAT(Encode(parts, "a"), ElementsAre(7, 4));
  parts.begin = 0;
  EXPECT_THAT(Encode(parts, "a"), ElementsAre(0, 7, 4));
  EXPECT_THAT(Encode(parts, ""), ElementsAre(0));
}

TEST(TokenizerTest, TellsTokensTheirBytes) {
  const AlignedBytes bytes(Parts().Bytes());
  Tokenizer tokenizer;
  size_t bad = 99;
  ASSERT_EQ(tokenizer.Parse(bytes.view(), &bad), CoreStatus::kOk);
  EXPECT_EQ(tokenizer.token_count(), 8u);
  EXPECT_EQ(tokenizer.begin_token(), 1);
  EXPECT_EQ(tokenizer.end_token(), 2);
  const ByteView ab = tokenizer.Text(3);
  EXPECT_EQ(std::string(ab.data, ab.data + ab.size), "ab");
  for (const int id : {0, 1, 2, 8, 0xFFFF}) EXPECT_EQ(tokenizer.Text(static_cast<uint16_t>(id)).size, 0u) << id;
}

TEST(TokenizerTest, SaysWhichByteItHasNothingFor) {
  const AlignedBytes bytes(Parts().Bytes());
  Tokenizer tokenizer;
  size_t bad = 99, count = 99;
  ASSERT_EQ(tokenizer.Parse(bytes.view(), &bad), CoreStatus::kOk);
  std::vector<uint16_t> ids(Tokenizer::MostTokens(5)), merges(ids.size());
  EXPECT_EQ(tokenizer.Encode(View("abaxb"), ids.data(), merges.data(), ids.size(), &count, &bad),
            CoreStatus::kNotFound);
  EXPECT_EQ(bad, 3u);
  EXPECT_EQ(count, 0u);
}

TEST(TokenizerTest, TakesTheMemoryThatItSaysAndNoMore) {
  TokenizerParts parts = Parts();
  parts.flags = 1;
  const AlignedBytes bytes(parts.Bytes());
  Tokenizer tokenizer;
  size_t bad = 99, count = 99;
  ASSERT_EQ(tokenizer.Parse(bytes.view(), &bad), CoreStatus::kOk);
  for (const size_t size : {0, 1, 2, 7, 100}) {
    const std::string text(size, 'a');  // Nothing merges.
    const size_t room = Tokenizer::MostTokens(size);
    const std::unique_ptr<uint16_t[]> ids(new uint16_t[room]), merges(new uint16_t[room]);
    EXPECT_EQ(tokenizer.Encode(View(text), ids.get(), merges.get(), room, &count, &bad), CoreStatus::kOk);
    EXPECT_EQ(count, size == 0 ? 1 : size + 2);
    EXPECT_EQ(tokenizer.Encode(View(text), ids.get(), merges.get(), room - 1, &count, &bad),
              CoreStatus::kWorkspaceTooSmall);
  }
  EXPECT_EQ(tokenizer.Encode({nullptr, SIZE_MAX}, nullptr, nullptr, 1, &count, &bad), CoreStatus::kWorkspaceTooSmall);
}

TEST(TokenizerTest, RefusesEveryTruncationAndExtension) {
  const std::string whole = Parts().Bytes();
  size_t bad;
  ASSERT_EQ(Parse(whole, &bad), CoreStatus::kOk);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Parse(whole.substr(0, size), &bad), CoreStatus::kBadNetwork) << size;
  }
  EXPECT_EQ(Parse(whole + '\0', &bad), CoreStatus::kBadNetwork);
  EXPECT_EQ(Parse(whole + std::string(4, '\0'), &bad), CoreStatus::kBadNetwork);
}

TEST(TokenizerTest, RefusesWhatIsWrongAndSaysAboutWhere) {
  struct Case {
    const char* what;
    std::function<void(TokenizerParts*)> edit;
    size_t bad_offset;
  };
  constexpr size_t kTokens = 16, kPieces = 16 + 4 * 8;
  const Case cases[] = {
      {"no tokens", [](TokenizerParts* p) { *p = {}; }, 0},
      {"begin", [](TokenizerParts* p) { p->begin = 8; }, 0},
      {"end", [](TokenizerParts* p) { p->end = 8; }, 0},
      {"flags", [](TokenizerParts* p) { p->flags = 2; }, 0},
      {"byte tokens past the last", [](TokenizerParts* p) { p->first_byte = 0; }, 0},
      {"token past the text",
       [](TokenizerParts* p) {
         p->tokens[3] = {3, 2};
       },
       kTokens + 4 * 3},
      {"token far past the text",
       [](TokenizerParts* p) {
         p->tokens[0] = {0xFFFFFF, 0};
       },
       kTokens},
      {"piece past the tokens", [](TokenizerParts* p) { p->pieces[1].token = 8; }, kPieces + 4},
      {"piece without bytes", [](TokenizerParts* p) { p->pieces[0].token = 0; }, kPieces},
      {"pieces out of order", [](TokenizerParts* p) { std::swap(p->pieces[2], p->pieces[3]); }, kPieces + 4 * 3},
      {"a piece twice", [](TokenizerParts* p) { p->pieces[2] = p->pieces[1]; }, kPieces + 4 * 2},
      {"longest", [](TokenizerParts* p) { p->longest = 3; }, kPieces + 4 * 5},
      {"longest", [](TokenizerParts* p) { p->longest = 1; }, kPieces + 4 * 5},
  };
  for (const Case& c : cases) {
    TokenizerParts parts = Parts();
    c.edit(&parts);
    size_t bad = 999;
    EXPECT_EQ(Parse(parts.Bytes(), &bad), CoreStatus::kBadNetwork) << c.what;
    EXPECT_EQ(bad, c.bad_offset) << c.what;
  }
  size_t bad = 999;
  TokenizerParts parts = Parts();
  parts.text += 'c';
  std::string padded = parts.Bytes();
  EXPECT_EQ(Parse(padded, &bad), CoreStatus::kOk);
  padded.back() = 1;
  EXPECT_EQ(Parse(padded, &bad), CoreStatus::kBadNetwork);
  EXPECT_EQ(bad, padded.size() - 1);
}

TEST(TokenizerTest, PiecesAreNotNeeded) {
  TokenizerParts parts;
  parts.tokens.resize(3);
  EXPECT_THAT(Encode(parts, ""), ElementsAre(1));
}

TEST(TokenizerTest, ACharacterHasAtMostFourBytes) {
  TokenizerParts parts = Parts();
  const std::string text = "\xF0\x80\x80\x80\x80";
  parts.first_byte = 8;
  for (int byte = 0; byte < 256; ++byte) {
    parts.tokens.push_back({static_cast<uint32_t>(parts.text.size()), 1});
    parts.text.push_back(static_cast<char>(byte));
  }
  // Its bytes and one more are a piece, and so is that one.
  for (const uint8_t size : {uint8_t{4}, uint8_t{5}}) {
    parts.pieces.push_back({static_cast<uint16_t>(parts.tokens.size()), 9});
    parts.tokens.push_back({static_cast<uint32_t>(parts.text.size()), size});
  }
  parts.text += text;
  parts.longest = 5;
  EXPECT_THAT(Encode(parts, text), ElementsAre(1, 8 + 256, 8 + 0x80));
}

TEST(TokenizerTest, ByteTokensAreTheBytesInOrderAndStayApart) {
  TokenizerParts parts = Parts();
  parts.first_byte = 8;
  for (int byte = 0; byte < 256; ++byte) {
    parts.tokens.push_back({static_cast<uint32_t>(parts.text.size()), 1});
    parts.text.push_back(static_cast<char>(byte));
  }
  EXPECT_THAT(Encode(parts, "bxa\xC3\xA9"), ElementsAre(1, 5, 8 + 'x', 4, 8 + 0xC3, 8 + 0xA9));
  // "a" is no piece now: what is there for it does not merge.
  TokenizerParts without_a = parts;
  without_a.pieces.erase(without_a.pieces.begin() + 1);
  EXPECT_THAT(Encode(without_a, "ab"), ElementsAre(1, 8 + 'a', 5));
  size_t bad = 0;
  for (const size_t token : {8, 100, 263}) {
    TokenizerParts other = parts;
    other.tokens[token].offset ^= 1;
    EXPECT_EQ(Parse(other.Bytes(), &bad), CoreStatus::kBadNetwork);
    EXPECT_EQ(bad, 16 + 4 * token);
    other.tokens[token] = {0, 0};
    EXPECT_EQ(Parse(other.Bytes(), &bad), CoreStatus::kBadNetwork);
  }
  parts.tokens.pop_back();
  EXPECT_EQ(Parse(parts.Bytes(), &bad), CoreStatus::kBadNetwork);
}

}  // namespace
}  // namespace modelvault
