// Field numbers of the ONNX format, by message: those that are looked at.
#ifndef MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_FIELDS_H_
#define MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_FIELDS_H_

#include <cstdint>

namespace modelvault {

struct ModelField {
  enum : uint32_t { kGraph = 7, kTrainingInfo = 20, kFunctions = 25 };
};
struct TrainingField {
  enum : uint32_t { kInitialization = 1, kAlgorithm = 2 };
};
struct FunctionField {
  enum : uint32_t { kNode = 7, kAttribute = 11 };
};
struct GraphField {
  enum : uint32_t { kNode = 1, kInitializer = 5, kSparseInitializer = 15 };
};
struct NodeField {
  enum : uint32_t { kInput = 1, kOutput = 2, kOperator = 4, kAttribute = 5 };
};
struct AttributeField {
  enum : uint32_t {
    kName = 1,
    kInteger = 3,
    kTensor = 5,
    kGraph = 6,
    kTensors = 10,
    kGraphs = 11,
    kSparseTensor = 22,
    kSparseTensors = 23,
  };
};
struct SparseField {
  enum : uint32_t { kValues = 1, kIndices = 2 };
};
struct TensorField {
  enum : uint32_t {
    kDims = 1,
    kDataType = 2,
    kSegment = 3,
    kFloatData = 4,
    kInt32Data = 5,
    kStringData = 6,
    kInt64Data = 7,
    kName = 8,
    kRawData = 9,
    kDoubleData = 10,
    kUint64Data = 11,
    kExternalData = 13,
    kDataLocation = 14,
  };
};
struct EntryField {
  enum : uint32_t { kKey = 1, kValue = 2 };
};

inline constexpr uint64_t kExternalLocation = 1;  // Of TensorField::kDataLocation.

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_FIELDS_H_
