// Loops of the fit over floats.
#ifndef MODELVAULT_CODEC_FIT_VECTORISED_H_
#define MODELVAULT_CODEC_FIT_VECTORISED_H_

#include <cstddef>

namespace modelvault {

// to[i] += factor * from[i]. Every processor gives the same result: element by element, no fused operations.
void AddScaled(float factor, const float* from, size_t count, float* to);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_VECTORISED_H_
