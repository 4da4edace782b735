// Pairs of a base and a variant with the statistics of large models, for the host profile's benchmarks; a row at a
// time, so of any size.
//
// What is known of real ones, and held against the rows by scale_data_test.cc:
// - Weights of a row are close to normal; language models begin with a standard deviation of 0.02 (GPT-2's and LLaMA's
//   initializer_range), which training spreads from row to row, and leave a few columns with far larger ones (T.
//   Dettmers et al., "LLM.int8()", 2022). In BF16 such weights' exponents have about 2.6 bits, their mantissas nearly
//   all 7, so that splitting bytes leaves two thirds (M. Hershcovitch et al., "ZipNN", 2024: 66 to 67 %).
// - A fine-tune moves weights by little, nearly independently of the weight: of a light one a third to two thirds of
// the BF16
//   elements keep their bits, of a heavy one few, and XOR with the base leaves about a half or less ("ZipLLM", 2025).
#ifndef MODELVAULT_BENCH_SCALE_DATA_H_
#define MODELVAULT_BENCH_SCALE_DATA_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace modelvault::bench {

inline constexpr size_t kScaleRow = 4096;  // Elements.

// BF16. A row's tensor, of 1,024 rows, has a strength of its own, within a factor of 1.5 of `strength`.
struct FineTune {
  // The mean size of a move, as a share of the row's standard deviation: 0.002 (light) … 0.03 (heavy).
  double strength = 0.01;
  uint64_t seed = 1;
};

// Writes row `row` of the base and of the variant: 2 · kScaleRow bytes each, little-endian. Equal arguments, equal
// bytes.
void MakeFineTunedRow(const FineTune& options, uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant);

// The same base; of the variant about one element in `one_in` has moved, by a few units of its last place.
void MakeNearlyEqualRow(uint64_t seed, unsigned one_in, uint64_t row, absl::Span<uint8_t> base,
                        absl::Span<uint8_t> variant);

// INT8, kScaleRow bytes: a bell of about 6 bits a weight, and a variant of which a share `density` has moved by the
// scale, 1 … 6, of its group of 128.
void MakeTernaryRow(uint64_t seed, double density, uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant);

}  // namespace modelvault::bench

#endif  // MODELVAULT_BENCH_SCALE_DATA_H_
