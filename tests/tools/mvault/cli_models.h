// A small base and a few variants of it, as files, for tests of mvault.
#ifndef MODELVAULT_TESTS_TOOLS_MVAULT_CLI_MODELS_H_
#define MODELVAULT_TESTS_TOOLS_MVAULT_CLI_MODELS_H_

#include <map>
#include <string>

#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"

namespace modelvault {

// base.safetensors, and departments/NAME.safetensors: "few" (few weights differ, ternary), "many", "twin" (the base's
// very file), "free" (differences that are not ternary), "odd" (a header written oddly, with metadata, and tensors in
// another order), "half" (F16 instead of F32).
class CliModels {
 public:
  explicit CliModels(uint64_t seed = 20240611);

  // A path in the folder.
  std::string File(const std::string& name) const { return folder_.File(name); }
  std::string base() const { return File("base.safetensors"); }
  std::string variants() const { return File("departments"); }
  std::string variant(const std::string& name) const { return File("departments/" + name + ".safetensors"); }

  // Packs them all with mvault, into `name`; the path. Segments are small, so that there are several.
  std::string Pack(const std::string& name = "all.mvlt") const;

  // What the files hold, by variant; the base is "base".
  const ModelFiles& files() const { return files_; }
  const FileModel& base_model() const { return base_; }
  const FileModel& few_model() const { return few_; }

  const TempFolder& folder() const { return folder_; }

 private:
  TempFolder folder_;
  FileModel base_;
  FileModel few_;
  ModelFiles files_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_MVAULT_CLI_MODELS_H_
