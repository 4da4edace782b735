// What the pickle of a PyTorch file says of the tensors beside it.
#ifndef MODELVAULT_TOOLS_FORMATS_ARCHIVE_TORCH_PICKLE_H_
#define MODELVAULT_TOOLS_FORMATS_ARCHIVE_TORCH_PICKLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace modelvault {

// The numbers of a storage, a file DATA/KEY of the archive.
struct TorchStorage {
  std::string type;       // The class, e.g. "FloatStorage".
  uint64_t elements = 0;  // As the pickle has it.
  // Of a tensor that is all of the storage, row by row, and an entry of a dictionary: its key and shape.
  std::string tensor;
  std::vector<uint64_t> shape;  // Of `tensor`; without one not meant.
};

// Storages by their keys. Nothing of the pickle is executed, called or looked up: its instructions only move what they
// mention, of which texts, integers, tuples and PyTorch's own names of storages and tensors are told apart. What is not
// understood ends the reading; what has been found until then stays. All of it is hostile, and says only how bytes are
// best coded.
std::map<std::string, TorchStorage> ReadTorchPickle(absl::Span<const uint8_t> pickle);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ARCHIVE_TORCH_PICKLE_H_
