// The formats of model files that the programs read.
#ifndef MODELVAULT_TOOLS_FORMATS_MODEL_FORMATS_H_
#define MODELVAULT_TOOLS_FORMATS_MODEL_FORMATS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "restore/model_file.h"
#include "vault/file_system.h"

namespace modelvault {

// All of them. A new format is added to the list in model_formats.cc, and nowhere else.
const ModelFormats& KnownModelFormats();

enum class Unknown {
  kRefused,
  kOpaque,  // A file that none of the formats takes, or that is damaged, is opened as an OpaqueFormat.
  kAll,     // Every file is.
};

// Opens a model file of any of them. `file_system` must outlive the result.
absl::StatusOr<ModelFile> OpenModelFile(FileSystem& file_system, absl::string_view path,
                                        const FrameOptions& options = {}, Unknown unknown = Unknown::kRefused);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_MODEL_FORMATS_H_
