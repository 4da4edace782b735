#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "codec/core/bytes.h"
#include "tests/status_matchers.h"
#include "tests/tools/packing/plain_tokenizer.h"

namespace modelvault {
namespace {

std::vector<uint16_t> ReadIds(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::vector<uint16_t> ids;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    ids.push_back(LoadLe16(reinterpret_cast<const uint8_t*>(bytes.data()) + i));
  }
  return ids;
}

// What the models learnt from: told, and read again.
TEST(TokenizerCorpusTest, TheModelsTextsComeBackIdForId) {
  const std::string corpus = std::string(MODELVAULT_CORPUS_DIR) + "/medquad-260k";
  ASSERT_OK_AND_ASSIGN(const Vocabulary vocabulary, ReadVocabulary(FileSystem::Default(), corpus + "/tok512.bin"));
  const Built built(vocabulary);
  const PlainTokenizer plain(vocabulary);
  EXPECT_LE(built.size(), 5000u);
  size_t texts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(corpus + "/train")) {
    const std::vector<uint16_t> ids = ReadIds(entry.path());
    // The first texts of each department, which begin with 1.
    auto begin = ids.begin();
    for (int i = 0; i < 4 && begin != ids.end(); ++i) {
      const std::vector<uint16_t> expected(begin, std::find(begin + 1, ids.end(), uint16_t{1}));
      begin += static_cast<ptrdiff_t>(expected.size());
      const std::string text = built.Decode(expected);
      if (text.size() > 6000) continue;
      ++texts;
      EXPECT_EQ(built.Encode(text), expected) << entry.path() << ": " << text;
      if (text.size() < 1000) {
        EXPECT_EQ(plain.Encode(text, false), expected);
      }
    }
  }
  EXPECT_GT(texts, 200u);
}

}  // namespace
}  // namespace modelvault
