// The loops over weights: sums of products of INT8 weights and activations in 16 bits. Compiled for speed, run from
// RAM. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_DOT_H_
#define MODELVAULT_RESTORE_INFER_DOT_H_

#include <stddef.h>
#include <stdint.h>

namespace modelvault {

inline constexpr size_t kDotTokens = 4;  // Tokens whose activations lie side by side.

// Activations are followed by their negatives (delta_rows.h), which these functions pass over: activation i of a single
// token is x[kDotPair · i]; that of token t of kDotTokens is x[kDotPairs · i + t].
inline constexpr size_t kDotPair = 2;
inline constexpr size_t kDotPairs = 2 * kDotTokens;

// sums[r] = Σ over i < cols of weights[r · cols + i] · x[kDotPair · i], for eight rows or four.
void DotEightRows(const int8_t* weights, size_t cols, const int16_t* x, int32_t sums[8]);
void DotFourRows(const int8_t* weights, size_t cols, const int16_t* x, int32_t sums[4]);
// sum + Σ over i < count of weights[i] · x[kDotPair · i].
int32_t DotPart(const int8_t* weights, size_t count, const int16_t* x, int32_t sum);

// The same for kDotTokens tokens and kTokenRows rows. Sums of row r begin at sums[r · stride].
inline constexpr size_t kTokenRows = 4;
void DotRowsOfTokens(const int8_t* weights, size_t cols, const int16_t* x, size_t stride, int32_t* sums);
// Adds to sums[t].
void DotPartOfTokens(const int8_t* weights, size_t count, const int16_t* x, int32_t sums[kDotTokens]);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_DOT_H_
