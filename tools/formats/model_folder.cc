#include "tools/formats/model_folder.h"

#include <algorithm>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/formats/model_formats.h"
#include "tools/formats/sharded_safetensors.h"
#include "vault/file_paths.h"

namespace modelvault {

absl::StatusOr<std::vector<ModelInFolder>> FindModels(FileSystem& file_system, const std::string& folder,
                                                      const std::vector<std::string>& without) {
  const absl::StatusOr<std::vector<std::string>> names = file_system.List(folder);
  if (!names.ok()) return names.status();
  std::vector<ModelInFolder> models;
  for (const std::string& name : *names) {
    // A copy of a folder from another system may bring hidden files that only look like models.
    if (name.front() == '.') continue;
    if (absl::EndsWith(name, kShardIndexExtension)) {
      return absl::InvalidArgumentError(
          absl::StrCat(folder, ": is one model in shards, not a folder of models: give --variant NAME=", folder));
    }
    const std::string path = PathIn(folder, name);
    const absl::StatusOr<bool> is_folder = file_system.IsFolder(path);
    if (!is_folder.ok()) return is_folder.status();
    if (!*is_folder) {
      const std::string stem = std::filesystem::path(name).stem().string();
      if (KnownModelFormats().HasExtension(name)) models.push_back({stem, path});
      continue;
    }
    const bool left_out = std::find(without.begin(), without.end(), name) != without.end();
    const absl::StatusOr<std::string> main = KnownModelFormats().FindMainFile(file_system, path);
    if (!main.ok() && !left_out) {
      return absl::Status(main.status().code(),
                          absl::StrCat(main.status().message(), "; to go on without it: --without ", name));
    }
    if (left_out || !main->empty()) models.push_back({name, path});
  }
  return models;
}

}  // namespace modelvault
