#include "tools/eval/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "codec/split_mix_64.h"

namespace modelvault {
namespace {

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
  SplitMix64 random(seed);
  for (double& mean : means) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) sum += values[random.Below(values.size())];
    mean = sum / static_cast<double>(values.size());
  }
  return means;
}

Interval PercentileInterval(std::vector<double> replicates) {
  std::sort(replicates.begin(), replicates.end());
  return {Percentile(replicates, 0.025), Percentile(replicates, 0.975)};
}

}  // namespace modelvault
