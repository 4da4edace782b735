// A made-up model of the board's size and variants of it, in memory, for the benchmarks: the same bytes every time.
#ifndef MODELVAULT_BENCH_SAMPLE_MODEL_H_
#define MODELVAULT_BENCH_SAMPLE_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tools/formats/safetensors.h"

namespace modelvault::bench {

// 5 layers, 64 wide, hidden width 172, 512 tokens: 259,328 INT8 weights, an F32 scale for each row, and F32 norms.
class SampleModel {
 public:
  SampleModel();

  const std::vector<ModelTensor>& tensors() const { return tensors_; }
  const std::vector<uint8_t>& data() const { return data_; }
  uint64_t weights() const { return weights_; }  // INT8.

  // Variant `number`, 0 and up: one weight in 16 differs, more of them in some rows and columns than in others, by a
  // scale of its group of 128.
  std::vector<uint8_t> TernaryVariant(unsigned number) const;

  // Writes base.safetensors (-1) or vNNN.safetensors for each variant below `variants` into `folder`. Returns the
  // variants' names; ends the program if a file cannot be written.
  std::vector<std::string> WriteFiles(const std::string& folder, unsigned variants) const;

 private:
  void Add(const std::string& name, const char* dtype, std::vector<uint64_t> shape);

  std::vector<ModelTensor> tensors_;
  std::vector<uint8_t> data_;
  uint64_t weights_ = 0;
};

// `variant` = `base` with trits, as in TernaryVariant, for a tensor of `cols` columns.
std::vector<uint8_t> UnevenTrits(uint64_t seed, uint64_t cols, absl::Span<const uint8_t> base);

}  // namespace modelvault::bench

#endif  // MODELVAULT_BENCH_SAMPLE_MODEL_H_
