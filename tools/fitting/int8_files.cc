#include "tools/fitting/int8_files.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tools/formats/model_folder.h"
#include "tools/formats/safetensors.h"
#include "vault/file_paths.h"
#include "vault/near_name.h"

namespace modelvault {
namespace {

// Of the folder in which a process tries the variants' names; its number follows.
constexpr char kTrial[] = ".names.";

absl::Status Write(FileSystem& file_system, const std::string& path, const std::string& header,
                   const std::vector<uint8_t>& data, Durability durability) {
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system.CreateAtomic(path, durability);
  if (!file.ok()) return file.status();
  absl::Status status = (*file)->Append({reinterpret_cast<const uint8_t*>(header.data()), header.size()});
  if (status.ok()) status = (*file)->Append(data);
  return status.ok() ? (*file)->Commit() : status;
}

// Gives each variant's file its name in `folder`, which is empty.
absl::Status TryNames(FileSystem& file_system, const FitInput& input, const std::string& folder) {
  std::vector<std::string> taken;
  for (size_t v = 0; v < input.variant_count(); ++v) {
    const std::string& name = input.variant_name(v);
    const absl::Status status = file_system.CreateEmpty(PathIn(folder, name + kSafetensorsExtension));
    if (absl::IsAlreadyExists(status)) {
      const std::string other = NearestName(name, taken);
      return absl::AlreadyExistsError(
          absl::StrCat(folder, ": the files of variants '", name, "' and ",
                       other.empty() ? "another" : absl::StrCat("'", other, "'"),
                       " would be one there; export to another file system, or rename one of the variants"));
    }
    if (!status.ok()) return status;
    taken.push_back(name);
  }
  return absl::OkStatus();
}

// Whether `name` is that of a trial's folder whose process is no more, killed before it could remove it.
bool IsStaleTrial(absl::string_view name) {
  pid_t process = 0;
  return absl::ConsumePrefix(&name, kTrial) && absl::SimpleAtoi(name, &process) && process > 0 &&
         ::kill(process, 0) != 0 && errno == ESRCH;
}

// Folders that are made for a trial: removed at its end, unless somebody's files are in them.
class TrialFolders {
 public:
  explicit TrialFolders(FileSystem& file_system) : file_system_(file_system) {}
  ~TrialFolders() {
    for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) {
      file_system_.RemoveFolder(*folder).IgnoreError();
    }
  }
  TrialFolders(const TrialFolders&) = delete;
  TrialFolders& operator=(const TrialFolders&) = delete;

  absl::Status Make(const std::string& path) { return file_system_.MakeFolders(path, &made_); }

 private:
  FileSystem& file_system_;
  std::vector<std::string> made_;
};

}  // namespace

std::string Int8VariantsIn(const std::string& folder) { return PathIn(folder, "variants"); }

Int8Files Int8FilesIn(const std::string& folder, const std::vector<std::string>& variants) {
  Int8Files files;
  files.base = PathIn(folder, absl::StrCat("base", kSafetensorsExtension));
  for (const std::string& name : variants) {
    files.variants.push_back({name, PathIn(Int8VariantsIn(folder), name + kSafetensorsExtension)});
  }
  return files;
}

absl::StatusOr<Int8Files> WriteInt8Files(FileSystem& file_system, const FitInput& input, const FittedModels& models,
                                         const std::string& folder, Durability durability) {
  if (absl::Status status = file_system.MakeFolders(Int8VariantsIn(folder)); !status.ok()) return status;
  const absl::StatusOr<std::string> header = SafetensorsHeaderFor(
      ExportedTensors(input.tensors(), input.carried()), {{"quantization", "symmetric int8, one F32 scale per row"}});
  if (!header.ok()) return header.status();
  std::vector<std::string> stems;
  for (size_t v = 0; v < models.variants.size(); ++v) {
    // The file system of files that nobody sees need not take every name.
    stems.push_back(durability == Durability::kNone ? absl::StrCat(v) : input.variant_name(v));
  }
  Int8Files files = Int8FilesIn(folder, stems);
  std::vector<uint8_t> data = ExportedBase(models);
  for (const CarriedTensor& tensor : input.carried()) data.insert(data.end(), tensor.bytes.begin(), tensor.bytes.end());
  absl::Status status = Write(file_system, files.base, *header, data, durability);
  for (size_t v = 0; status.ok() && v < models.variants.size(); ++v) {
    files.variants[v].name = input.variant_name(v);
    const absl::StatusOr<std::vector<uint8_t>> carried = input.ReadCarried(v);
    if (!carried.ok()) return carried.status();
    data = ExportedVariant(models, models.variants[v]);
    data.insert(data.end(), carried->begin(), carried->end());
    status = Write(file_system, files.variants[v].path, *header, data, durability);
  }
  if (!status.ok()) return status;
  return files;
}

absl::Status CheckInt8Folder(FileSystem& file_system, const FitInput& input, const std::string& folder) {
  const std::string variants = Int8VariantsIn(folder);
  TrialFolders folders(file_system);
  if (absl::Status status = folders.Make(variants); !status.ok()) return status;
  const absl::StatusOr<std::vector<std::string>> there = file_system.List(variants);
  if (!there.ok()) return there.status();
  for (const std::string& name : *there) {
    if (!IsStaleTrial(name)) continue;
    if (absl::Status status = file_system.RemoveTree(PathIn(variants, name)); !status.ok()) return status;
  }
  const absl::StatusOr<std::vector<ModelInFolder>> models = FindModels(file_system, variants);
  if (!models.ok()) return models.status();
  std::set<std::string> ours;
  for (size_t v = 0; v < input.variant_count(); ++v) {
    ours.insert(PathIn(variants, input.variant_name(v) + kSafetensorsExtension));
  }
  std::set<std::string> others;
  for (const ModelInFolder& model : *models) {
    if (ours.count(model.path) == 0) others.insert(model.name);
  }
  if (!others.empty()) {
    return absl::AlreadyExistsError(absl::StrCat(
        variants, " has models of other variants, which a pack of it would take, too: ", absl::StrJoin(others, ", "),
        "; remove them or export elsewhere"));
  }
  // Of its own, so that files of an earlier export are in nobody's way; in the folder, whose rules it inherits.
  // Other processes may try theirs at the same time.
  const std::string trial = PathIn(variants, absl::StrCat(kTrial, ::getpid()));
  absl::Status status = file_system.RemoveTree(trial);
  if (status.ok()) status = file_system.MakeFolders(trial);
  if (status.ok()) status = TryNames(file_system, input, trial);
  if (status.ok()) status = file_system.TryOutput(Int8FilesIn(folder, {}).base);
  if (absl::Status removed = file_system.RemoveTree(trial); status.ok()) status = removed;
  return status;
}

}  // namespace modelvault
