// The middle of some numbers.
#ifndef MODELVAULT_TOOLS_EVAL_MEDIAN_H_
#define MODELVAULT_TOOLS_EVAL_MEDIAN_H_

#include <algorithm>
#include <cstddef>
#include <vector>

namespace modelvault {

// Of an even number of values the mean of the two in the middle. There must be one.
inline double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_EVAL_MEDIAN_H_
