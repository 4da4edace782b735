// Where variants differ from the base: how often in each row and each column of each INT8 tensor, over all variants.
// Fine-tunes of one base change the same rows and columns (their curvature is the base's), so these counts, shared once
// a vault, tell every variant's coder where to expect trits.
#ifndef MODELVAULT_CODEC_DELTA_STATISTICS_H_
#define MODELVAULT_CODEC_DELTA_STATISTICS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "codec/model_tensor.h"

namespace modelvault {

class DeltaStatistics {
 public:
  // Counting taller tensors would take more memory than a prior of theirs is worth.
  static constexpr uint64_t kMaxCountedRows = uint64_t{1} << 22;

  explicit DeltaStatistics(absl::Span<const ModelTensor> base);

  // Whether tensor i is one whose differences are counted: INT8, 2 to kMaxCountedRows rows of 16 … 65,535
  // columns.
  bool Counts(size_t i) const { return !tensors_[i].row_hits.empty(); }

  // Counts the differing weights of tensor `i`, elements [begin, begin + base.size()) of it. Every element of the
  // tensor is to be added once a variant; call AddVariant(i) once a variant besides.
  void Add(size_t i, uint64_t begin, absl::Span<const uint8_t> base, absl::Span<const uint8_t> variant);
  void AddVariant(size_t i) { ++tensors_[i].variants; }

  // Appends all counts as bytes, for Merge() of statistics of the same base.
  void AppendTo(std::string* out) const;
  // Adds counts that AppendTo() wrote. False if they are not of such a base; what is here is then not to be used.
  [[nodiscard]] bool Merge(absl::Span<const uint8_t> counts);

  // The prior of one tensor in the form MODEL stores: flags, level, and a class for each row and column (empty
  // without). Whatever saves no more than it costs to store is left out.
  struct Prior {
    uint8_t flags = 0;
    uint8_t level = 20;
    std::vector<uint8_t> row_classes;
    std::vector<uint8_t> column_classes;
  };
  Prior MakePrior(size_t i) const;

 private:
  struct Tensor {
    uint64_t variants = 0;
    std::vector<uint64_t> row_hits;
    std::vector<uint64_t> column_hits;
  };

  std::vector<ModelTensor> base_;
  std::vector<Tensor> tensors_;
};

// Nibbles, low first, as MODEL stores classes.
std::string PackNibbles(const std::vector<uint8_t>& classes);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_DELTA_STATISTICS_H_
