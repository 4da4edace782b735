// Fitted models as INT8 safetensors files.
#ifndef MODELVAULT_TOOLS_FITTING_INT8_FILES_H_
#define MODELVAULT_TOOLS_FITTING_INT8_FILES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/fitting/fit_input.h"
#include "tools/fitting/fitted_model.h"
#include "tools/packing/pack.h"
#include "vault/file_system.h"

namespace modelvault {

struct Int8Files {
  std::string base;
  std::vector<VariantInput> variants;
};

// Writes FOLDER/base.safetensors and FOLDER/variants/NAME.safetensors; makes the folders. A file that is already there
// is replaced. With `durable` each file takes its name only once it is on the disk, through `file_system`; without, for
// files that are read back and removed, nothing is waited for.
absl::StatusOr<Int8Files> WriteInt8Files(FileSystem& file_system, const FitInput& input, const FittedModels& models,
                                         const std::string& folder, bool durable);

// Whether `folder` may take the files of `input`'s variants: whoever packs its variants/ later must find those alone.
// kAlreadyExists, naming them, for *.safetensors of others.
absl::Status CheckInt8Folder(const FitInput& input, const std::string& folder);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_INT8_FILES_H_
