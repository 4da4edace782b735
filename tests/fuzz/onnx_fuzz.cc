// Any bytes as an ONNX model, with the files that its tensors name. What is accepted is put together again from its
// frame and its data.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz/format_targets.h"
#include "tools/formats/onnx/onnx_format.h"
#include "tools/formats/onnx/onnx_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using modelvault::FilePart;
  constexpr uint64_t kExternalSize = 64;
  static const modelvault::OnnxFormat kFormat;
  static_cast<void>(kFormat.Recognises({data, std::min(size, modelvault::kModelHeadSize)}));
  std::vector<uint8_t> bytes(data, data + size);
  std::vector<FilePart> files;
  const auto tensors = modelvault::ReadOnnxTensors(modelvault::MemoryFile(bytes), size);
  if (tensors.ok()) {
    files = {{"model.onnx", size}};
    for (const modelvault::OnnxTensor& tensor : *tensors) {
      if (!tensor.external.has_value()) continue;
      FilePart file{tensor.external->location, kExternalSize};
      modelvault::Check(modelvault::IsSafePath(file.path));
      if (std::find(files.begin(), files.end(), file) != files.end()) continue;
      files.push_back(std::move(file));
      bytes.resize(bytes.size() + kExternalSize);
    }
  }
  static_cast<void>(modelvault::FuzzModelFile(kFormat, bytes, files));
  if (size > 0) static_cast<void>(kFormat.ReadQuantisation(modelvault::MemoryFile(bytes), files));
  return 0;
}
