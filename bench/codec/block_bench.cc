// Blocks of the host codings: coder and decoder of pieces of 256 KiB, of the pairs of scale_data.h. Bytes are the
// piece's.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "bench/scale_data.h"
#include "codec/host/block_codec.h"

namespace modelvault::bench {
namespace {

constexpr size_t kPiece = size_t{256} << 10;
constexpr size_t kPieces = 8;  // In turn, so that a piece is not in a core's cache from the time before.

using MakeRow = std::function<void(uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant)>;

struct Pieces {
  DType dtype;
  std::vector<std::vector<uint8_t>> bases;
  std::vector<std::vector<uint8_t>> variants;
};

Pieces MakePieces(DType dtype, const MakeRow& make_row) {
  const size_t row_size = kScaleRow * ElementSize(static_cast<uint8_t>(dtype));
  Pieces pieces{dtype, {}, {}};
  for (size_t i = 0; i < kPieces; ++i) {
    std::vector<uint8_t> base(kPiece), variant(kPiece);
    for (size_t at = 0; at < kPiece; at += row_size) {
      make_row((i * kPiece + at) / row_size, absl::MakeSpan(base).subspan(at, row_size),
               absl::MakeSpan(variant).subspan(at, row_size));
    }
    pieces.bases.push_back(std::move(base));
    pieces.variants.push_back(std::move(variant));
  }
  return pieces;
}

MakeRow FineTuned(double strength) {
  return [strength](uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant) {
    MakeFineTunedRow({strength, 1}, row, base, variant);
  };
}

MakeRow NearlyEqual() {
  return [](uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant) {
    MakeNearlyEqualRow(1, 200, row, base, variant);
  };
}

MakeRow Ternary() {
  return [](uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant) {
    MakeTernaryRow(1, 0.03, row, base, variant);
  };
}

enum Part { kBase, kVariant };

absl::Span<const uint8_t> Reference(const Pieces& pieces, Part part, size_t i) {
  return part == kBase ? absl::Span<const uint8_t>() : absl::MakeConstSpan(pieces.bases[i]);
}

const std::vector<uint8_t>& Data(const Pieces& pieces, Part part, size_t i) {
  return part == kBase ? pieces.bases[i] : pieces.variants[i];
}

void BlockEncode(benchmark::State& state, DType dtype, Part part, const MakeRow& make_row) {
  const Pieces pieces = MakePieces(dtype, make_row);
  BlockScratch scratch;
  std::string block;
  size_t i = 0;
  for (auto _ : state) {
    block.clear();
    EncodeBlock(dtype, Data(pieces, part, i), Reference(pieces, part, i), &scratch, &block);
    i = (i + 1) % kPieces;
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kPiece));
  state.counters["percent"] = 100 * static_cast<double>(block.size()) / kPiece;
}

void BlockDecode(benchmark::State& state, DType dtype, Part part, const MakeRow& make_row) {
  const Pieces pieces = MakePieces(dtype, make_row);
  BlockScratch scratch;
  std::vector<std::vector<uint8_t>> blocks;
  for (size_t i = 0; i < kPieces; ++i) {
    std::string block;
    EncodeBlock(dtype, Data(pieces, part, i), Reference(pieces, part, i), &scratch, &block);
    blocks.emplace_back(block.begin(), block.end());
  }
  std::vector<uint8_t> out(kPiece);
  size_t i = 0;
  for (auto _ : state) {
    if (DecodeBlock(dtype, blocks[i], Reference(pieces, part, i), &scratch, absl::MakeSpan(out)) != CoreStatus::kOk) {
      state.SkipWithError("a block does not decode");
      break;
    }
    i = (i + 1) % kPieces;
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kPiece));
}

BENCHMARK_CAPTURE(BlockEncode, bf16_base, DType::kBf16, kBase, FineTuned(0.01));
BENCHMARK_CAPTURE(BlockEncode, bf16_light, DType::kBf16, kVariant, FineTuned(0.002));
BENCHMARK_CAPTURE(BlockEncode, bf16_medium, DType::kBf16, kVariant, FineTuned(0.01));
BENCHMARK_CAPTURE(BlockEncode, bf16_heavy, DType::kBf16, kVariant, FineTuned(0.03));
BENCHMARK_CAPTURE(BlockEncode, bf16_sparse, DType::kBf16, kVariant, NearlyEqual());
BENCHMARK_CAPTURE(BlockEncode, int8_base, DType::kI8, kBase, Ternary());
BENCHMARK_CAPTURE(BlockEncode, int8_ternary, DType::kI8, kVariant, Ternary());
BENCHMARK_CAPTURE(BlockDecode, bf16_base, DType::kBf16, kBase, FineTuned(0.01));
BENCHMARK_CAPTURE(BlockDecode, bf16_light, DType::kBf16, kVariant, FineTuned(0.002));
BENCHMARK_CAPTURE(BlockDecode, bf16_medium, DType::kBf16, kVariant, FineTuned(0.01));
BENCHMARK_CAPTURE(BlockDecode, bf16_heavy, DType::kBf16, kVariant, FineTuned(0.03));
BENCHMARK_CAPTURE(BlockDecode, bf16_sparse, DType::kBf16, kVariant, NearlyEqual());
BENCHMARK_CAPTURE(BlockDecode, int8_base, DType::kI8, kBase, Ternary());
BENCHMARK_CAPTURE(BlockDecode, int8_ternary, DType::kI8, kVariant, Ternary());

}  // namespace
}  // namespace modelvault::bench
