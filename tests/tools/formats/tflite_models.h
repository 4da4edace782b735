// TensorFlow Lite models of a few tensors, made by the FlatBuffers library.
#ifndef MODELVAULT_TESTS_TOOLS_FORMATS_TFLITE_MODELS_H_
#define MODELVAULT_TESTS_TOOLS_FORMATS_TFLITE_MODELS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tflite_generated.h"

namespace modelvault {

struct TfliteTensor {
  std::string name;
  int8_t type = 9;  // INT8
  std::vector<int32_t> shape;
  uint32_t buffer = 0;
  std::vector<float> scales = {};
  std::vector<int64_t> zero_points = {};
  int32_t axis = 0;
  bool sparse = false;
};

struct TfliteBuffer {
  std::string data;
  uint64_t offset = 0;
  uint64_t size = 0;
};

// Tensors by subgraph. What lies behind the FlatBuffer is appended to it by the caller.
inline std::string MakeTflite(const std::vector<std::vector<TfliteTensor>>& subgraphs,
                              const std::vector<TfliteBuffer>& buffers) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<tflite::Buffer>> stored_buffers;
  for (const TfliteBuffer& buffer : buffers) {
    flatbuffers::Offset<flatbuffers::Vector<uint8_t>> data;
    if (!buffer.data.empty()) {
      builder.ForceVectorAlignment(buffer.data.size(), 1, 16);
      data = builder.CreateVector(reinterpret_cast<const uint8_t*>(buffer.data.data()), buffer.data.size());
    }
    stored_buffers.push_back(tflite::CreateBuffer(builder, data, buffer.offset, buffer.size));
  }
  std::vector<flatbuffers::Offset<tflite::SubGraph>> stored_graphs;
  for (const auto& tensors : subgraphs) {
    std::vector<flatbuffers::Offset<tflite::Tensor>> stored;
    for (const TfliteTensor& t : tensors) {
      flatbuffers::Offset<tflite::Quantisation> quantisation;
      if (!t.scales.empty()) {
        quantisation = tflite::CreateQuantisationDirect(builder, &t.scales, &t.zero_points, t.axis);
      }
      flatbuffers::Offset<tflite::Sparsity> sparsity;
      if (t.sparse) sparsity = tflite::CreateSparsity(builder);
      stored.push_back(tflite::CreateTensorDirect(builder, &t.shape, t.type, t.buffer,
                                                  t.name.empty() ? nullptr : t.name.c_str(), quantisation, sparsity));
    }
    stored_graphs.push_back(tflite::CreateSubGraphDirect(builder, &stored));
  }
  builder.Finish(tflite::CreateModelDirect(builder, 3, &stored_graphs, &stored_buffers), tflite::ModelIdentifier());
  return std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_FORMATS_TFLITE_MODELS_H_
