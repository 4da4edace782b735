// Folders of models.
#ifndef MODELVAULT_TOOLS_FORMATS_MODEL_FOLDER_H_
#define MODELVAULT_TOOLS_FORMATS_MODEL_FOLDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "vault/file_system.h"

namespace modelvault {

struct ModelInFolder {
  std::string name;
  std::string path;
};

// The models in `folder`, by file name: every file with the extension of a known format, named by its stem, and every
// folder that holds exactly one model (ModelFormats::FindMainFile), named as the folder; hidden ones apart.
// kInvalidArgument, saying what to do, for a folder in it that holds several, unless `without` has its name, and where
// `folder` is itself one model in shards. kNotFound or kUnavailable if it cannot be read.
absl::StatusOr<std::vector<ModelInFolder>> FindModels(FileSystem& file_system, const std::string& folder,
                                                      const std::vector<std::string>& without = {});

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_MODEL_FOLDER_H_
