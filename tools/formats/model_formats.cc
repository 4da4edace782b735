#include "tools/formats/model_formats.h"

#include <memory>
#include <utility>

#include "tools/formats/archive/numpy_formats.h"
#include "tools/formats/archive/torch_format.h"
#include "tools/formats/gguf/gguf_format.h"
#include "tools/formats/onnx/onnx_format.h"
#include "tools/formats/opaque_format.h"
#include "tools/formats/safetensors.h"
#include "tools/formats/sharded_safetensors.h"
#include "tools/formats/tflite/tflite_format.h"

namespace modelvault {

const ModelFormats& KnownModelFormats() {
  static const auto* const kFormats = new ModelFormats({
      new SafetensorsFormat(), new ShardedSafetensorsFormat(), new TfliteFormat(), new GgufFormat(), new NpyFormat(),
      new NpzFormat(), new TorchFormat(),
      new OnnxFormat(),  // Last: it has no magic.
  });
  return *kFormats;
}

absl::StatusOr<ModelFile> OpenModelFile(FileSystem& file_system, absl::string_view path, const FrameOptions& options,
                                        Unknown unknown) {
  static const OpaqueFormat kOpaque;
  if (unknown != Unknown::kAll) {
    absl::StatusOr<ModelFile> file = KnownModelFormats().Open(file_system, path, options);
    if (!absl::IsInvalidArgument(file.status()) || unknown == Unknown::kRefused) return file;
  }
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> bytes = file_system.OpenForRead(path);
  if (!bytes.ok()) return bytes.status();
  return ModelFile::FromFile(kOpaque, *std::move(bytes), options);
}

}  // namespace modelvault
