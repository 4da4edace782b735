// The operators that need nothing but vectors. Each leaves `out` normalised; inputs are, and `out` may be one of them.
// Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_VECTOR_OPERATORS_H_
#define MODELVAULT_RESTORE_INFER_VECTOR_OPERATORS_H_

#include "restore/infer/network.h"
#include "restore/infer/parameters.h"
#include "restore/infer/vector.h"

namespace modelvault {

// out = in / √(mean(in²) + ε) · gains, as many as `in` has values; `epsilon` is ε·2^32.
void RmsNorm(const Vector& in, const ParameterTensor& gains, uint32_t epsilon, const Vector& out);

// out = a + b.
void Add(const Vector& a, const Vector& b, const Vector& out);

// out = max(in, 0), in place.
void Relu(const Vector& out);

// out = in · sigmoid(in) · gate.
void SiluGate(const Vector& in, const Vector& gate, const Vector& out);

// Turns the pairs of each of `heads` heads of `head_dim` values, which follow one another, by position · the network's
// rope steps. Results may be √2 times as large: not normalised.
void RotateHeads(const Network& network, RopePairs pairs, uint32_t position, size_t heads, size_t head_dim,
                 int32_t* values);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_VECTOR_OPERATORS_H_
