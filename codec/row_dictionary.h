// Finds rows that repeat (nearly) inside a tensor: padding tokens, tied or pruned channels.
#ifndef MODELVAULT_CODEC_ROW_DICTIONARY_H_
#define MODELVAULT_CODEC_ROW_DICTIONARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace modelvault {

// Fed one row after the other, keeps a handful of rows that others resemble. Memory: kCandidates rows.
class RowDictionaryFinder {
 public:
  static constexpr size_t kCandidates = 16;

  explicit RowDictionaryFinder(uint64_t cols) : cols_(cols) {}

  void AddRow(absl::Span<const uint8_t> row);

  // The rows worth keeping: each the most common form of at least two rows that resemble each other.
  std::vector<std::string> Rows() const;

 private:
  struct Candidate {
    std::string row;       // What others are compared with.
    std::string majority;  // Boyer and Moore's vote over the members.
    uint64_t votes = 0;
    uint64_t members = 0;
  };

  uint64_t cols_;
  size_t oldest_ = 0;
  std::vector<Candidate> candidates_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_ROW_DICTIONARY_H_
