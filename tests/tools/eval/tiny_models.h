// Language models small enough to be run in a test, in memory and as files.
#ifndef MODELVAULT_TESTS_TOOLS_EVAL_TINY_MODELS_H_
#define MODELVAULT_TESTS_TOOLS_EVAL_TINY_MODELS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/temp_folder.h"
#include "tools/eval/float_tensors.h"
#include "tools/eval/transformer.h"

namespace modelvault {

// Dimensions of which few are multiples of what a vector or a tile takes.
TransformerConfig TinyConfig();

// Random weights: normalisation around 1, everything else around 0.
FloatTensors RandomModel(const TransformerConfig& config, uint64_t seed);
// `base` with every weight moved a little.
FloatTensors Neighbour(FloatTensors base, uint64_t seed);

// `records` records of random ids.
std::vector<uint16_t> RandomTokens(const TransformerConfig& config, size_t records, uint64_t seed);
// As a file has them.
std::string TokenBytes(const std::vector<uint16_t>& tokens);

// A safetensors file, in F32; or matrices in I8 with a scale for each row and the rest in F32.
std::string FloatFile(const FloatTensors& tensors);
std::string Int8File(const FloatTensors& tensors);

// Files for `mvault eval` in one folder: corpus.json, base.safetensors, variants/, heldout/ and int8/, which has a base
// and the same variants on a coarse grid. The departments are alpha, beta and gamma.
class EvalFiles {
 public:
  EvalFiles();

  std::string File(const std::string& name) const { return folder_.File(name); }
  const TempFolder& folder() const { return folder_; }

 private:
  TempFolder folder_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_EVAL_TINY_MODELS_H_
