// A base model of any size and ternary variants of it, written as safetensors a piece at a time.
#ifndef MODELVAULT_BENCH_LARGE_MODEL_H_
#define MODELVAULT_BENCH_LARGE_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tools/formats/safetensors.h"
#include "vault/file_system.h"

namespace modelvault::bench {

// What is in the model, in data order: an embedding in which three rows repeat (nearly), then per layer, 4,096 wide,
// F32 norms, attention and feed-forward INT8 matrices and an F32 scale for each of their rows. As many layers and rows
// as fit into `data_size` bytes, which leaves fewer than 11,012 of them unused; one row of the embedding at least.
std::vector<ModelTensor> LargeModelTensors(uint64_t data_size);

// Writes the model to `path`: variant 0 is the base, 1, 2, … are variants of it: about one weight in 50 differs, by a
// scale of its group; every other norm differs; about one matrix in eight is as the base's. Equal arguments give equal
// bytes. Memory: a few MiB. `threads` at least 1.
absl::Status WriteLargeModel(FileSystem& file_system, absl::string_view path, uint64_t data_size, unsigned variant,
                             int threads);

}  // namespace modelvault::bench

#endif  // MODELVAULT_BENCH_LARGE_MODEL_H_
