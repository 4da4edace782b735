#include "tools/eval/bootstrap.h"

#include <algorithm>
#include <cmath>

namespace modelvault {
namespace {

// SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014).
uint64_t NextRandom(uint64_t* state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// By linear interpolation; `sorted` is not empty.
double Percentile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

std::vector<double> BootstrapMeans(absl::Span<const double> values, uint64_t seed, size_t replicates) {
  std::vector<double> means(replicates);
  if (values.empty()) return means;
  for (double& mean : means) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) sum += values[NextRandom(&seed) % values.size()];
    mean = sum / static_cast<double>(values.size());
  }
  return means;
}

Interval PercentileInterval(std::vector<double> replicates) {
  std::sort(replicates.begin(), replicates.end());
  return {Percentile(replicates, 0.025), Percentile(replicates, 0.975)};
}

}  // namespace modelvault
