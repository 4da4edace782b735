#include "tools/packing/tokenizer_builder.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "codec/core/bytes.h"
#include "restore/infer/tokenizer.h"

namespace modelvault {
namespace {

constexpr size_t kMaxTokenBytes = 255;
constexpr size_t kByteTokens = 256;
// Bytes that a token may share with others are looked for in so many: all of a vocabulary that a board holds.
constexpr size_t kMaxShared = 64 << 10;

std::string ByteTokenName(size_t byte) { return absl::StrFormat("<0x%02X>", byte); }

// The first of the byte tokens, kNoToken where there are none.
absl::StatusOr<uint16_t> FindByteTokens(absl::Span<const VocabularyToken> vocabulary) {
  const auto found = std::find_if(vocabulary.begin(), vocabulary.end(),
                                  [](const VocabularyToken& token) { return token.bytes == ByteTokenName(0); });
  if (found == vocabulary.end()) return kNoToken;
  const size_t first = static_cast<size_t>(found - vocabulary.begin());
  for (size_t byte = 0; byte < kByteTokens; ++byte) {
    if (first + byte < vocabulary.size() && vocabulary[first + byte].bytes == ByteTokenName(byte)) continue;
    return absl::InvalidArgumentError(absl::StrCat("byte tokens begin at token ", first, ", but token ", first + byte,
                                                   " is not ", ByteTokenName(byte)));
  }
  return static_cast<uint16_t>(first);
}

// Bytes of tokens, shared where one is in another.
class TokenText {
 public:
  // Longer texts first.
  uint32_t Place(const std::string& bytes) {
    if (bytes.empty()) return 0;
    size_t at = absl::string_view(text_).substr(0, kMaxShared).find(bytes);
    if (at == absl::string_view::npos) {
      at = text_.size();
      text_ += bytes;
    }
    return static_cast<uint32_t>(at | bytes.size() << kTokenOffsetBits);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// What each token stands for.
std::vector<std::string> TextsOf(absl::Span<const VocabularyToken> vocabulary, uint16_t first_byte_token) {
  std::vector<std::string> texts;
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    const bool is_byte = first_byte_token != kNoToken && id >= first_byte_token && id - first_byte_token < kByteTokens;
    texts.push_back(is_byte          ? std::string(1, static_cast<char>(id - first_byte_token))
                    : id > kEndToken ? vocabulary[id].bytes
                                     : std::string());
  }
  return texts;
}

// Pieces by their bytes: the token of each.
std::map<std::string, uint16_t> PiecesOf(const std::vector<std::string>& texts, uint16_t first_byte_token) {
  std::map<std::string, uint16_t> pieces;
  for (size_t id = 0; id < texts.size(); ++id) {
    const bool is_byte = first_byte_token != kNoToken && id >= first_byte_token && id - first_byte_token < kByteTokens;
    if (!is_byte && !texts[id].empty()) pieces.emplace(texts[id], static_cast<uint16_t>(id));
  }
  return pieces;
}

}  // namespace

absl::StatusOr<std::string> BuildTokenizer(absl::Span<const VocabularyToken> vocabulary, bool leading_space) {
  if (vocabulary.size() <= kEndToken || vocabulary.size() > kNoToken) {
    return absl::InvalidArgumentError(
        absl::StrCat(vocabulary.size(), " tokens, expected ", kEndToken + 1, " to ", kNoToken));
  }
  const absl::StatusOr<uint16_t> first_byte_token = FindByteTokens(vocabulary);
  if (!first_byte_token.ok()) return first_byte_token.status();
  const std::vector<std::string> texts = TextsOf(vocabulary, *first_byte_token);
  const std::map<std::string, uint16_t> pieces = PiecesOf(texts, *first_byte_token);

  std::vector<size_t> by_size(texts.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return texts[a].size() > texts[b].size(); });
  if (const size_t longest = texts[by_size.front()].size(); longest > kMaxTokenBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("token ", by_size.front(), " of ", longest, " bytes, expected at most ", kMaxTokenBytes));
  }
  TokenText text;
  std::vector<uint32_t> places(texts.size());
  for (const size_t id : by_size) places[id] = text.Place(texts[id]);
  if (text.text().size() >> kTokenOffsetBits != 0) {
    return absl::InvalidArgumentError(absl::StrCat("tokens of ", text.text().size(), " different bytes"));
  }
  std::map<float, uint16_t, std::greater<float>> ranks;
  size_t longest_piece = 0;
  for (const auto& [bytes, id] : pieces) {
    ranks[vocabulary[id].score] = 0;
    longest_piece = std::max(longest_piece, bytes.size());
  }
  uint16_t rank = 0;
  for (auto& entry : ranks) entry.second = rank++;

  const size_t text_offset = kTokenizerHeadSize + kTokenEntrySize * texts.size() + kPieceEntrySize * pieces.size();
  std::string out(text_offset, '\0');
  uint8_t* p = reinterpret_cast<uint8_t*>(out.data());
  StoreLe16(p, static_cast<uint16_t>(texts.size()));
  StoreLe16(p + 2, static_cast<uint16_t>(pieces.size()));
  StoreLe16(p + 4, kBeginToken);
  StoreLe16(p + 6, kEndToken);
  StoreLe16(p + 8, *first_byte_token);
  p[10] = leading_space ? kTokenizerLeadingSpace : 0;
  p[11] = static_cast<uint8_t>(longest_piece);
  StoreLe32(p + 12, static_cast<uint32_t>(text.text().size()));
  p += kTokenizerHeadSize;
  for (const uint32_t place : places) {
    StoreLe32(p, place);
    p += kTokenEntrySize;
  }
  for (const auto& [bytes, id] : pieces) {
    StoreLe16(p, id);
    StoreLe16(p + 2, ranks[vocabulary[id].score]);
    p += kPieceEntrySize;
  }
  out += text.text();
  out.resize((out.size() + 3) / 4 * 4);
  return out;
}

}  // namespace modelvault
