#include "tools/demo/matmul.h"

#include <string.h>

#include <algorithm>

// The wide version runs where the processor has it. Both do the same operations in the same order (the build forbids
// contraction to fused multiply-add), so they give the same bits; a test builds this file without the wide one, too.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(MODELVAULT_NO_WIDE_VERSION)
#define MODELVAULT_WIDE_VERSION __attribute__((target("avx2")))
#endif

namespace modelvault::demo {
namespace {

// A tile of the product that fits the sixteen vector registers of AVX2 with room for its operands.
constexpr size_t kTileRows = 4;
constexpr size_t kTileColumns = 16;

// Copies `count` x depth elements so that the `tile` elements of one depth lie side by side, zero-padded.
void PackPanel(const float* data, size_t stride, size_t depth_stride, size_t count, size_t depth, size_t tile,
               float* panel) {
  for (size_t k = 0; k < depth; ++k) {
    for (size_t i = 0; i < tile; ++i) {
      panel[k * tile + i] = i < count ? data[i * stride + k * depth_stride] : 0.0f;
    }
  }
}

// Half a tile row: one AVX2 register, or two of SSE2.
using Lanes = float __attribute__((vector_size(32)));
constexpr size_t kLanes = kTileColumns / 2;

// Sums one tile; `left` and `right` are packed panels.
__attribute__((always_inline)) inline void SumTile(const float* left, const float* right, size_t depth, float* tile) {
  Lanes sum[kTileRows][2] = {};
  for (size_t k = 0; k < depth; ++k) {
    Lanes low;
    Lanes high;
    memcpy(&low, right + k * kTileColumns, sizeof(low));
    memcpy(&high, right + k * kTileColumns + kLanes, sizeof(high));
    for (size_t i = 0; i < kTileRows; ++i) {
      const float factor = left[k * kTileRows + i];
      sum[i][0] += factor * low;
      sum[i][1] += factor * high;
    }
  }
  memcpy(tile, sum, sizeof(sum));
}

void SumTilePortable(const float* left, const float* right, size_t depth, float* tile) {
  SumTile(left, right, depth, tile);
}

#ifdef MODELVAULT_WIDE_VERSION
MODELVAULT_WIDE_VERSION void SumTileWide(const float* left, const float* right, size_t depth, float* tile) {
  SumTile(left, right, depth, tile);
}
#endif

using SumTileFunction = void (*)(const float* left, const float* right, size_t depth, float* tile);

SumTileFunction ChooseSumTile() {
#ifdef MODELVAULT_WIDE_VERSION
  if (__builtin_cpu_supports("avx2")) return SumTileWide;
#endif
  return SumTilePortable;
}

}  // namespace

void MatMul(MatrixView left, MatrixView right, size_t rows, size_t depth, size_t columns, float* product,
            MatMulScratch* scratch) {
  const SumTileFunction sum_tile = ChooseSumTile();
  const size_t row_tiles = (rows + kTileRows - 1) / kTileRows;
  scratch->left.resize(row_tiles * kTileRows * depth);
  scratch->right.resize(kTileColumns * depth);
  for (size_t t = 0; t < row_tiles; ++t) {
    const size_t row = t * kTileRows;
    PackPanel(left.data + row * left.row_stride, left.row_stride, left.column_stride, std::min(kTileRows, rows - row),
              depth, kTileRows, scratch->left.data() + row * depth);
  }
  float tile[kTileRows * kTileColumns];
  for (size_t column = 0; column < columns; column += kTileColumns) {
    const size_t width = std::min(kTileColumns, columns - column);
    PackPanel(right.data + column * right.column_stride, right.column_stride, right.row_stride, width, depth,
              kTileColumns, scratch->right.data());
    for (size_t row = 0; row < rows; row += kTileRows) {
      sum_tile(scratch->left.data() + row * depth, scratch->right.data(), depth, tile);
      const size_t height = std::min(kTileRows, rows - row);
      for (size_t i = 0; i < height; ++i) {
        for (size_t j = 0; j < width; ++j) product[(row + i) * columns + column + j] = tile[i * kTileColumns + j];
      }
    }
  }
}

}  // namespace modelvault::demo
