#include "tools/demo/network_file.h"

#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "tools/demo/float_file.h"
#include "tools/formats/model_formats.h"

namespace modelvault::demo {
namespace {

constexpr absl::string_view kScale = ".scale";
constexpr absl::string_view kBias = ".bias";

// The tensor's size was checked against its shape and lies within the file, so it bounds what is allocated.
template <typename T>
absl::StatusOr<std::vector<T>> ReadValues(const ModelFile& file, const ModelTensor& tensor) {
  std::vector<T> values(tensor.size() / sizeof(T));
  const absl::Status status = file.ReadData(tensor.begin, {reinterpret_cast<uint8_t*>(values.data()), tensor.size()});
  if (!status.ok()) return status;
  return values;
}

// Takes tensors by their names, each once.
class TensorReader {
 public:
  explicit TensorReader(const ModelFile& file) : file_(file) {
    for (const ModelTensor& tensor : file.tensors()) left_[tensor.name] = &tensor;
  }

  // One value for each of a layer's outputs.
  absl::StatusOr<std::vector<float>> TakeVector(const std::string& name, uint64_t size) {
    const auto found = left_.find(name);
    if (found == left_.end()) return absl::InvalidArgumentError(absl::StrCat(file_.path(), ": no tensor '", name, "'"));
    const ModelTensor& tensor = *found->second;
    left_.erase(found);
    if (tensor.dtype != DType::kF32 || tensor.shape != std::vector<uint64_t>{size}) {
      return Unexpected(tensor, absl::StrCat("F32 [", size, "]"));
    }
    return ReadValues<float>(file_, tensor);
  }

  absl::StatusOr<Layer> TakeLayer(const ModelTensor& weights) {
    left_.erase(weights.name);
    if (weights.size() == 0) return Unexpected(weights, "a layer's weights, [outputs, inputs]");
    Layer layer;
    layer.outputs = weights.shape[0];
    layer.inputs = weights.shape[1];
    absl::StatusOr<std::vector<float>> biases = TakeVector(absl::StrCat(weights.name, kBias), layer.outputs);
    if (!biases.ok()) return biases.status();
    layer.biases = *std::move(biases);
    if (weights.dtype == DType::kF32) {
      absl::StatusOr<std::vector<float>> values = ReadValues<float>(file_, weights);
      if (!values.ok()) return values.status();
      layer.weights = *std::move(values);
      return layer;
    }
    if (weights.dtype != DType::kI8) return Unexpected(weights, "F32 or I8");
    const std::string scale_name = absl::StrCat(weights.name, kScale);
    const absl::StatusOr<std::vector<float>> scales = TakeVector(scale_name, layer.outputs);
    if (!scales.ok()) return scales.status();
    const absl::StatusOr<std::vector<int8_t>> steps = ReadValues<int8_t>(file_, weights);
    if (!steps.ok()) return steps.status();
    for (size_t row = 0; row < layer.outputs; ++row) {
      const float scale = (*scales)[row];
      if (!std::isfinite(scale) || scale <= 0) {
        return absl::InvalidArgumentError(absl::StrCat(file_.path(), ": tensor '", scale_name, "', row ", row, ": ",
                                                       scale, ", expected a finite scale above 0"));
      }
      for (size_t i = 0; i < layer.inputs; ++i) {
        layer.weights.push_back(scale * static_cast<float>((*steps)[row * layer.inputs + i]));
      }
    }
    return layer;
  }

  absl::Status CheckNothingIsLeft() const {
    return left_.empty() ? absl::OkStatus() : Unexpected(*left_.begin()->second, "only weights, scales and biases");
  }

 private:
  absl::Status Unexpected(const ModelTensor& tensor, absl::string_view expected) const {
    return absl::InvalidArgumentError(absl::StrCat(file_.path(), ": tensor '", tensor.name, "' is ", tensor.type_name(),
                                                   " [", absl::StrJoin(tensor.shape, ", "), "], expected ", expected));
  }

  const ModelFile& file_;
  std::map<std::string, const ModelTensor*> left_;
};

}  // namespace

std::string LayerName(size_t layer, size_t layer_count) {
  return layer + 1 == layer_count ? "output" : absl::StrCat("hidden", layer + 1);
}

std::string DescribeNetwork(size_t layer_count) {
  std::vector<std::string> names;
  for (size_t l = 0; l < layer_count; ++l) names.push_back(absl::StrCat("\"", LayerName(l, layer_count), "\""));
  return absl::StrCat("{\"config\": {\"architecture\": \"mlp\", \"layers\": [", absl::StrJoin(names, ", "),
                      "], \"activation\": \"relu\"}}\n");
}

absl::StatusOr<uint64_t> WriteNetwork(FileSystem& file_system, const std::string& path, const Network& network,
                                      const SafetensorsMetadata& metadata) {
  std::vector<TensorValues> tensors;
  for (size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    const std::string name = LayerName(l, network.layers.size());
    tensors.push_back({{name, DType::kF32, {layer.outputs, layer.inputs}}, &layer.weights});
    tensors.push_back({{absl::StrCat(name, kBias), DType::kF32, {layer.outputs}}, &layer.biases});
  }
  return WriteFloatFile(file_system, path, tensors, metadata);
}

absl::StatusOr<Network> ReadNetwork(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<ModelFile> file = OpenModelFile(file_system, path);
  if (!file.ok()) return file.status();
  TensorReader reader(*file);
  Network network;
  for (const ModelTensor& tensor : file->tensors()) {
    if (tensor.shape.size() != 2) continue;
    absl::StatusOr<Layer> layer = reader.TakeLayer(tensor);
    if (!layer.ok()) return layer.status();
    if (!network.layers.empty() && network.layers.back().outputs != layer->inputs) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": tensor '", tensor.name, "' takes ", layer->inputs,
                                                     " inputs, the layer before it gives ",
                                                     network.layers.back().outputs));
    }
    network.layers.push_back(*std::move(layer));
  }
  if (network.layers.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": no layers"));
  if (absl::Status status = reader.CheckNothingIsLeft(); !status.ok()) return status;
  return network;
}

}  // namespace modelvault::demo
