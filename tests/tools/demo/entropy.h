#ifndef MODELVAULT_TESTS_TOOLS_DEMO_ENTROPY_H_
#define MODELVAULT_TESTS_TOOLS_DEMO_ENTROPY_H_

#include <cmath>
#include <map>

#include "tools/demo/int8_model.h"

namespace modelvault::demo {

// Bytes the symbols take at order-0 entropy: what an entropy coder that knows their frequencies, and nothing else,
// cannot get below.
template <typename Symbols>
double EntropyBytes(const Symbols& symbols) {
  std::map<int, double> counts;
  for (const int symbol : symbols) counts[symbol] += 1;
  double bits = 0;
  for (const auto& [symbol, count] : counts) bits -= count * std::log2(count / static_cast<double>(symbols.size()));
  return bits / 8;
}

// A model's weights, each layer by itself, and its scales and biases as they are.
inline double EntropyBytes(const Int8Model& model) {
  double bytes = 0;
  for (const Int8Layer& layer : model.layers) {
    bytes += EntropyBytes(layer.weights) + 4.0 * static_cast<double>(layer.scales.size() + layer.biases.size());
  }
  return bytes;
}

// A delta's trits and scales, each layer by itself.
inline double EntropyBytes(const TernaryDelta& delta) {
  double bytes = 0;
  for (const TernaryLayer& layer : delta.layers) bytes += EntropyBytes(layer.trits) + EntropyBytes(layer.scales);
  return bytes;
}

}  // namespace modelvault::demo

#endif  // MODELVAULT_TESTS_TOOLS_DEMO_ENTROPY_H_
