#include "tools/formats/vocabulary.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/core/bytes.h"
#include "tools/formats/text_file.h"

namespace modelvault {
namespace {

constexpr uint64_t kMaxVocabularyFile = uint64_t{64} << 20;
constexpr size_t kTokenHeadSize = 8;

}  // namespace

absl::StatusOr<std::vector<VocabularyToken>> ReadVocabulary(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<std::string> file = ReadTextFile(file_system, path, kMaxVocabularyFile);
  if (!file.ok()) return file.status();
  const auto* const bytes = reinterpret_cast<const uint8_t*>(file->data());
  const auto error = [&](size_t offset, const auto&... args) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no vocabulary: at offset ", offset, ": ", args...));
  };
  if (file->size() < 4) return error(0, "expected the longest token's size, found ", file->size(), " bytes");
  const uint32_t longest = LoadLe32(bytes);
  std::vector<VocabularyToken> tokens;
  for (size_t at = 4; at < file->size();) {
    if (file->size() - at < kTokenHeadSize) {
      return error(at, "expected token ", tokens.size(), ", found ", file->size() - at, " bytes");
    }
    VocabularyToken token;
    const uint32_t score = LoadLe32(bytes + at);
    std::memcpy(&token.score, &score, sizeof(score));
    if (!std::isfinite(token.score)) return error(at, "the score of token ", tokens.size(), " is not a finite number");
    const uint32_t size = LoadLe32(bytes + at + 4);
    at += kTokenHeadSize;
    if (size > file->size() - at || size > longest) {
      return error(at - 4, "token ", tokens.size(), " of ", size, " bytes, expected at most ", longest, " and the ",
                   file->size() - at, " that are left");
    }
    token.bytes = file->substr(at, size);
    at += size;
    tokens.push_back(token);
  }
  return tokens;
}

}  // namespace modelvault
