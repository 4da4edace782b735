#ifndef MODELVAULT_TOOLS_DEMO_INT8_MODEL_H_
#define MODELVAULT_TOOLS_DEMO_INT8_MODEL_H_

// The network on the INT8 grid, and ternary deltas on that grid.

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "tools/demo/network.h"

namespace modelvault::demo {

inline constexpr size_t kGroupSize = 128;  // weights that share a delta's scale, row-major; the last group may be short

// weight = weights[row][column] * scales[row], symmetric around 0.
struct Int8Layer {
  size_t inputs = 0;
  size_t outputs = 0;
  std::vector<int8_t> weights;  // outputs x inputs, row-major
  std::vector<float> scales;    // outputs; above 0 and finite
  std::vector<float> biases;    // outputs

  bool operator==(const Int8Layer&) const = default;
};

struct Int8Model {
  std::vector<Int8Layer> layers;

  bool operator==(const Int8Model&) const = default;
};

// Rounds every row to a grid on which its largest weight is `largest` steps from 0, 1 <= largest <= 127. Fewer steps
// make a cheaper base: it takes about one bit a weight less each time `largest` is halved.
Int8Model Quantize(const Network& network, int largest);

Network Dequantize(const Int8Model& model);

// w = sat8(base + scale * trit).
struct TernaryLayer {
  std::vector<int8_t> trits;    // one a weight: -1, 0 or 1
  std::vector<uint8_t> scales;  // one a group, in whole steps of the base's grid; 0 where all trits are
};

struct TernaryDelta {
  std::vector<TernaryLayer> layers;
};

// `delta` must have the base's shape. Scales and biases are the base's.
Int8Model Apply(const Int8Model& base, const TernaryDelta& delta);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_INT8_MODEL_H_
