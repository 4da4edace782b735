#include "tools/demo/model_file.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"

namespace modelvault::demo {
namespace {

// Tensors are little-endian in the file and copied as they are in memory.
static_assert(std::endian::native == std::endian::little);

constexpr size_t kTensorsPerLayer = 3;

std::string LayerName(size_t layer, size_t layer_count) {
  return layer + 1 == layer_count ? "output" : absl::StrCat("hidden", layer + 1);
}

TensorInfo MakeTensor(std::string name, std::string dtype, std::vector<uint64_t> shape, uint64_t size) {
  return {.name = std::move(name), .dtype = std::move(dtype), .shape = std::move(shape), .begin = 0, .end = size};
}

template <typename T>
absl::Span<const uint8_t> BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

absl::Status CheckTensor(const SafetensorsFile& file, const TensorInfo& tensor, absl::string_view name,
                         absl::string_view dtype, absl::Span<const uint64_t> shape) {
  if (tensor.name == name && tensor.dtype == dtype && shape == absl::MakeConstSpan(tensor.shape)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(file.path(), ": tensor '", tensor.name, "' is ", tensor.dtype, " [",
                                                 absl::StrJoin(tensor.shape, ", "), "], expected '", name, "', ", dtype,
                                                 " [", absl::StrJoin(shape, ", "), "]"));
}

// The tensor's size was checked by CheckTensor and lies within the file, so it bounds what is allocated.
template <typename T>
absl::Status ReadValues(const SafetensorsFile& file, const TensorInfo& tensor, std::vector<T>* values) {
  values->resize(tensor.size() / sizeof(T));
  return file.ReadData(tensor.begin, {reinterpret_cast<uint8_t*>(values->data()), tensor.size()});
}

absl::StatusOr<Int8Layer> ReadLayer(const SafetensorsFile& file, absl::Span<const TensorInfo> tensors) {
  const TensorInfo& weights = tensors[0];
  if (weights.dtype != "I8" || weights.shape.size() != 2 || weights.size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": tensor '", weights.name, "' is ", weights.dtype,
                                                   " [", absl::StrJoin(weights.shape, ", "),
                                                   "], expected a layer's weights, I8 [outputs, inputs]"));
  }
  const uint64_t outputs = weights.shape[0];
  if (auto s = CheckTensor(file, tensors[1], weights.name + ".scale", "F32", {outputs}); !s.ok()) return s;
  if (auto s = CheckTensor(file, tensors[2], weights.name + ".bias", "F32", {outputs}); !s.ok()) return s;
  Int8Layer layer;
  layer.outputs = outputs;
  layer.inputs = weights.shape[1];
  if (auto s = ReadValues(file, weights, &layer.weights); !s.ok()) return s;
  if (auto s = ReadValues(file, tensors[1], &layer.scales); !s.ok()) return s;
  if (auto s = ReadValues(file, tensors[2], &layer.biases); !s.ok()) return s;
  for (size_t row = 0; row < layer.scales.size(); ++row) {
    if (std::isfinite(layer.scales[row]) && layer.scales[row] > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": tensor '", tensors[1].name, "', row ", row, ": ",
                                                   layer.scales[row], ", expected a finite scale above 0"));
  }
  return layer;
}

}  // namespace

absl::StatusOr<uint64_t> WriteModel(FileSystem& file_system, const std::string& path, const Int8Model& model,
                                    const SafetensorsMetadata& metadata) {
  std::vector<TensorInfo> tensors;
  for (size_t l = 0; l < model.layers.size(); ++l) {
    const Int8Layer& layer = model.layers[l];
    const std::string name = LayerName(l, model.layers.size());
    tensors.push_back(MakeTensor(name, "I8", {layer.outputs, layer.inputs}, layer.weights.size()));
    tensors.push_back(MakeTensor(name + ".scale", "F32", {layer.outputs}, BytesOf(layer.scales).size()));
    tensors.push_back(MakeTensor(name + ".bias", "F32", {layer.outputs}, BytesOf(layer.biases).size()));
  }
  absl::StatusOr<std::string> header = SafetensorsHeaderFor(tensors, metadata);
  if (!header.ok()) return header.status();
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system.CreateAtomic(path);
  if (!file.ok()) return file.status();
  // Append's first failure sticks and Commit returns it.
  (*file)->Append({reinterpret_cast<const uint8_t*>(header->data()), header->size()}).IgnoreError();
  for (const Int8Layer& layer : model.layers) {
    (*file)->Append(BytesOf(layer.weights)).IgnoreError();
    (*file)->Append(BytesOf(layer.scales)).IgnoreError();
    (*file)->Append(BytesOf(layer.biases)).IgnoreError();
  }
  const uint64_t size = (*file)->size();
  if (auto s = (*file)->Commit(); !s.ok()) return s;
  return size;
}

absl::StatusOr<Int8Model> ReadModel(FileSystem& file_system, const std::string& path) {
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Open(file_system, path);
  if (!file.ok()) return file.status();
  const absl::Span<const TensorInfo> tensors = file->tensors();
  if (tensors.empty() || tensors.size() % kTensorsPerLayer != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", tensors.size(), " tensors, expected three a layer: weights, scale, bias"));
  }
  Int8Model model;
  for (size_t t = 0; t < tensors.size(); t += kTensorsPerLayer) {
    absl::StatusOr<Int8Layer> layer = ReadLayer(*file, tensors.subspan(t, kTensorsPerLayer));
    if (!layer.ok()) return layer.status();
    if (!model.layers.empty() && model.layers.back().outputs != layer->inputs) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": tensor '", tensors[t].name, "' takes ", layer->inputs,
                                                     " inputs, the layer before it gives ",
                                                     model.layers.back().outputs));
    }
    model.layers.push_back(*std::move(layer));
  }
  return model;
}

}  // namespace modelvault::demo
