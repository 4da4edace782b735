// Small llama-family models for tests of the engine: weights, tensor records and the NETWORK that runs them.
#ifndef MODELVAULT_TESTS_RESTORE_INFER_LLAMA_NETWORK_H_
#define MODELVAULT_TESTS_RESTORE_INFER_LLAMA_NETWORK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "restore/infer/network_view.h"
#include "tests/restore/infer/network_bytes.h"
#include "tools/eval/transformer.h"

namespace modelvault {

struct NetworkOptions {
  uint16_t window = 128;
  uint16_t sinks = 4;
  uint8_t activation_bits = 8;
};

// A section and what it says.
class TestNetwork {
 public:
  // Expects that it parses.
  TestNetwork(const NetworkParts& parts, const TensorShapes& shapes);
  const Network& network() const { return network_; }

 private:
  AlignedBytes bytes_;
  Network network_;
};

// Turns a position, times 2^32, of a head's pairs.
std::vector<uint32_t> RopeSteps(double theta, size_t head_dim);

// A tensor as MODEL and a model's data have it.
struct TestTensor {
  std::string name;
  TensorShape shape;
  std::vector<uint8_t> bytes;
};
TestTensor Int8Tensor(std::string name, size_t rows, size_t cols, const std::vector<int>& values);
TestTensor FloatTensorOf(std::string name, const std::vector<float>& values);

struct TestModel {
  std::vector<TestTensor> tensors;
  // Of these tensors, while they are there.
  TensorShapes shapes() const;
  // kNoTensor: there is none.
  uint16_t number(const std::string& name) const;
};

// The operators of tools/eval/transformer.h's model, of tensors NAME and NAME.scale.
NetworkParts LlamaNetwork(const TransformerConfig& config, const TestModel& model, const NetworkOptions& options = {});

// A model with random weights, INT8 with random scales.
TestModel RandomLlama(const TransformerConfig& config, uint32_t seed);

// What the same model is in floats.
FloatTensors ToFloats(const TestModel& model);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_RESTORE_INFER_LLAMA_NETWORK_H_
