#ifndef MODELVAULT_TESTS_TOOLS_PACKING_PLAIN_TOKENIZER_H_
#define MODELVAULT_TESTS_TOOLS_PACKING_PLAIN_TOKENIZER_H_

// A tokenizer's rules written down anew, with strings, a map and scores in floating point, and the stored one to hold
// against it.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "restore/infer/tokenizer.h"
#include "tests/restore/infer/network_bytes.h"
#include "tools/formats/vocabulary.h"
#include "tools/packing/tokenizer_builder.h"

namespace modelvault {

using Vocabulary = std::vector<VocabularyToken>;

// Encodes by the rules of the files' own program: merges the pair with the best score, over and over.
class PlainTokenizer {
 public:
  explicit PlainTokenizer(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
    for (size_t id = 3; id < vocabulary.size(); ++id) ids_.emplace(vocabulary[id].bytes, static_cast<uint16_t>(id));
  }

  std::vector<uint16_t> Encode(const std::string& text, bool leading_space) const {
    std::vector<uint16_t> ids;
    if (leading_space && !text.empty()) AppendCharacter(" ", &ids);
    for (size_t at = 0; at < text.size();) {
      size_t end = at + 1;
      while (end < text.size() && end - at < 4 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) ++end;
      AppendCharacter(text.substr(at, end - at), &ids);
      at = end;
    }
    for (;;) {
      float best_score = -1e10f;
      size_t best = ids.size();
      uint16_t merged = 0;
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        const auto found = ids_.find(vocabulary_[ids[i]].bytes + vocabulary_[ids[i + 1]].bytes);
        if (found == ids_.end() || vocabulary_[found->second].score <= best_score) continue;
        best = i;
        best_score = vocabulary_[found->second].score;
        merged = found->second;
      }
      if (best == ids.size()) break;
      ids[best] = merged;
      ids.erase(ids.begin() + static_cast<ptrdiff_t>(best) + 1);
    }
    ids.insert(ids.begin(), 1);
    return ids;
  }

 private:
  void AppendCharacter(const std::string& character, std::vector<uint16_t>* ids) const {
    const auto found = ids_.find(character);
    if (found != ids_.end()) {
      ids->push_back(found->second);
      return;
    }
    for (const char byte : character) ids->push_back(static_cast<uint16_t>(static_cast<uint8_t>(byte) + 3));
  }

  const Vocabulary& vocabulary_;
  std::map<std::string, uint16_t> ids_;
};

// A built and parsed tokenizer.
class Built {
 public:
  explicit Built(const Vocabulary& vocabulary, bool leading_space = false)
      : bytes_(BuildTokenizer(vocabulary, leading_space).value()) {
    size_t bad = 0;
    EXPECT_EQ(tokenizer_.Parse(bytes_.view(), &bad), CoreStatus::kOk) << bad;
  }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  size_t size() const { return bytes_.view().size; }

  std::vector<uint16_t> Encode(const std::string& text) const {
    std::vector<uint16_t> ids(Tokenizer::MostTokens(text.size())), merges(ids.size());
    size_t count = 0, bad = 0;
    const ByteView view = {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
    EXPECT_EQ(tokenizer_.Encode(view, ids.data(), merges.data(), ids.size(), &count, &bad), CoreStatus::kOk);
    ids.resize(count);
    return ids;
  }
  std::string Decode(const std::vector<uint16_t>& ids) const {
    std::string text;
    for (const uint16_t id : ids) {
      const ByteView bytes = tokenizer_.Text(id);
      text.append(reinterpret_cast<const char*>(bytes.data), bytes.size);
    }
    return text;
  }

 private:
  AlignedBytes bytes_;
  Tokenizer tokenizer_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_PACKING_PLAIN_TOKENIZER_H_
