// Values of a tensor of numbers, in memory.
#ifndef MODELVAULT_TOOLS_FORMATS_FLOAT_TENSOR_H_
#define MODELVAULT_TOOLS_FORMATS_FLOAT_TENSOR_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace modelvault {

struct FloatTensor {
  std::vector<uint64_t> shape;
  std::vector<float> values;  // Row-major.
};

using FloatTensors = std::map<std::string, FloatTensor>;

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_FLOAT_TENSOR_H_
