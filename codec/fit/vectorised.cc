#include "codec/fit/vectorised.h"

namespace modelvault {
namespace {

// Where the machine has wider vectors than the one compiled for, use them.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define MODELVAULT_VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define MODELVAULT_VECTORISED
#endif

}  // namespace

MODELVAULT_VECTORISED
void AddScaled(float factor, const float* __restrict from, size_t count, float* __restrict to) {
  for (size_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

}  // namespace modelvault
