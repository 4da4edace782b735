// Pieces of tensors for the host codings' tests, with what real ones have: pairs of a base and a fine-tune, and
// oddities.
#ifndef MODELVAULT_TESTS_CODEC_HOST_MADE_PIECES_H_
#define MODELVAULT_TESTS_CODEC_HOST_MADE_PIECES_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"
#include "codec/core/prediction.h"
#include "tests/codec/random.h"

namespace modelvault {

struct PiecePair {
  std::string name;
  DType dtype;
  Bytes reference;
  Bytes data;
};

inline void AppendElement(DType dtype, float value, Bytes* out) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const size_t at = out->size();
  out->resize(at + ElementSize(static_cast<uint8_t>(dtype)));
  uint8_t* const p = out->data() + at;
  if (dtype == DType::kF16) {
    StoreLe16(p, F32ToF16(bits));
  } else if (dtype == DType::kBf16) {
    StoreLe16(p, static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
  } else if (dtype == DType::kF32) {
    StoreLe32(p, bits);
  } else {
    const double wide = value;
    uint64_t wide_bits;
    std::memcpy(&wide_bits, &wide, sizeof(wide_bits));
    StoreLe64(p, wide_bits);
  }
}

// `count` weights about 0.02, and the same after a fine-tune that moves them by `strength` of that.
inline PiecePair FloatPair(DType dtype, size_t count, double strength, uint64_t seed) {
  Random random(seed);
  PiecePair pair{"floats", dtype, {}, {}};
  for (size_t i = 0; i < count; ++i) {
    const double weight = 0.02 * random.Normal();
    AppendElement(dtype, static_cast<float>(weight), &pair.reference);
    AppendElement(dtype, static_cast<float>(weight + 0.02 * strength * random.Normal()), &pair.data);
  }
  return pair;
}

// INT8 weights, of which a share `density` has moved by their group's scale, 1 … `max_scale`.
inline PiecePair TernaryPair(size_t count, double density, int max_scale, uint64_t seed) {
  Random random(seed);
  PiecePair pair{"ternary", DType::kI8, {}, {}};
  int scale = 0;
  for (size_t i = 0; i < count; ++i) {
    if (i % 128 == 0) scale = random.Between(1, max_scale);
    const int weight = std::max(-128, std::min(127, static_cast<int>(40 * random.Normal())));
    const int step = random.Chance(density) ? (random.Chance(0.5) ? scale : -scale) : 0;
    pair.reference.push_back(static_cast<uint8_t>(weight));
    pair.data.push_back(static_cast<uint8_t>(std::max(-128, std::min(127, weight + step))));
  }
  return pair;
}

// All bits random, NaNs and denormals among them; a share `density` of the bytes of the data differs.
inline PiecePair RandomPair(DType dtype, size_t size, double density, uint64_t seed) {
  Random random(seed);
  PiecePair pair{"random", dtype, random.Uniform(size), {}};
  pair.data = pair.reference;
  for (uint8_t& byte : pair.data) {
    if (random.Chance(density)) byte = random.Byte();
  }
  return pair;
}

// Bytes that are nearly always 0 in both, with whatever elements these make.
inline PiecePair ScarcePair(DType dtype, size_t size, double density, uint64_t seed) {
  Random random(seed);
  PiecePair pair{"scarce", dtype, Bytes(size), Bytes(size)};
  for (size_t i = 0; i < size; ++i) {
    if (random.Chance(density)) pair.reference[i] = pair.data[i] = random.Byte();
    if (random.Chance(density / 4)) pair.data[i] = random.Byte();
  }
  return pair;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_CODEC_HOST_MADE_PIECES_H_
