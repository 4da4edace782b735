#include "tools/formats/model_formats.h"

#include "tools/formats/onnx/onnx_format.h"
#include "tools/formats/safetensors.h"
#include "tools/formats/sharded_safetensors.h"
#include "tools/formats/tflite/tflite_format.h"

namespace modelvault {

const ModelFormats& KnownModelFormats() {
  static const auto* const kFormats =
      new ModelFormats({new SafetensorsFormat(), new ShardedSafetensorsFormat(), new TfliteFormat(), new OnnxFormat()});
  return *kFormats;
}

absl::StatusOr<ModelFile> OpenModelFile(FileSystem& file_system, absl::string_view path, const FrameOptions& options) {
  return KnownModelFormats().Open(file_system, path, options);
}

}  // namespace modelvault
