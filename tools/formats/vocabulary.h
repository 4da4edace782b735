// A tokenizer's vocabulary, as the file tok*.bin of small language models has it.
#ifndef MODELVAULT_TOOLS_FORMATS_VOCABULARY_H_
#define MODELVAULT_TOOLS_FORMATS_VOCABULARY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "vault/file_system.h"

namespace modelvault {

// Ids with a meaning of their own in such a file; their bytes are names that no text contains.
inline constexpr size_t kUnknownToken = 0;
inline constexpr size_t kBeginToken = 1;
inline constexpr size_t kEndToken = 2;

struct VocabularyToken {
  float score = 0;    // Of merging two neighbours into this one: the highest goes first. Finite.
  std::string bytes;  // "<0x0A>": the byte 10.
};

// Reads a file of an int32 (the most bytes that a token has) and for each token, by id, a float32 score, an int32 and
// as many bytes; little-endian. kInvalidArgument for another file, naming the offset.
absl::StatusOr<std::vector<VocabularyToken>> ReadVocabulary(FileSystem& file_system, const std::string& path);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_VOCABULARY_H_
