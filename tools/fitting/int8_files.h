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

// The folder of the variants' files in `folder`.
std::string Int8VariantsIn(const std::string& folder);

// Where the files of `variants` are in `folder`: base.safetensors and variants/NAME.safetensors.
Int8Files Int8FilesIn(const std::string& folder, const std::vector<std::string>& variants);

// Writes FOLDER/base.safetensors and FOLDER/variants/NAME.safetensors, or with Durability::kNone, for files that are
// read back and removed, FOLDER/variants/NUMBER.safetensors; makes the folders. A file that is already there is
// replaced.
absl::StatusOr<Int8Files> WriteInt8Files(FileSystem& file_system, const FitInput& input, const FittedModels& models,
                                         const std::string& folder, Durability durability);

// Whether `folder` may take the files of `input`'s variants; found out by trying, and nothing of it is left.
// kAlreadyExists, naming them, for models of other variants, because whoever packs its variants/ later must find those
// alone, and for names that are one and the same there, where case or the form of accents does not tell them apart.
// kUnavailable for a name that its file system does not take. FindModels' errors.
absl::Status CheckInt8Folder(FileSystem& file_system, const FitInput& input, const std::string& folder);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_INT8_FILES_H_
