#include "tools/fitting/int8_files.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/formats/safetensors.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

absl::Status Write(FileSystem& file_system, const std::string& path, const std::string& header,
                   const std::vector<uint8_t>& data, bool durable) {
  if (!durable) {
    std::ofstream out(path, std::ios::binary);
    out << header;
    out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
    out.close();
    return out ? absl::OkStatus() : absl::UnavailableError(absl::StrCat(path, ": could not be written"));
  }
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system.CreateAtomic(path);
  if (!file.ok()) return file.status();
  absl::Status status = (*file)->Append({reinterpret_cast<const uint8_t*>(header.data()), header.size()});
  if (status.ok()) status = (*file)->Append(data);
  return status.ok() ? (*file)->Commit() : status;
}

}  // namespace

absl::StatusOr<Int8Files> WriteInt8Files(FileSystem& file_system, const FitInput& input, const FittedModels& models,
                                         const std::string& folder, bool durable) {
  const fs::path variants = fs::path(folder) / "variants";
  std::error_code error;
  fs::create_directories(variants, error);
  if (error) return absl::UnavailableError(absl::StrCat(variants.string(), ": ", error.message()));
  const absl::StatusOr<std::string> header = SafetensorsHeaderFor(
      ExportedTensors(input.tensors()), {{"quantization", "symmetric int8, one F32 scale per row"}});
  if (!header.ok()) return header.status();
  Int8Files files;
  files.base = (fs::path(folder) / "base.safetensors").string();
  absl::Status status = Write(file_system, files.base, *header, ExportedBase(models), durable);
  for (size_t v = 0; status.ok() && v < models.variants.size(); ++v) {
    const std::string& name = input.variant_name(v);
    files.variants.push_back({name, (variants / absl::StrCat(name, ".safetensors")).string()});
    status =
        Write(file_system, files.variants.back().path, *header, ExportedVariant(models, models.variants[v]), durable);
  }
  if (!status.ok()) return status;
  return files;
}

absl::Status CheckInt8Folder(const FitInput& input, const std::string& folder) {
  std::set<std::string> ours;
  for (size_t v = 0; v < input.variant_count(); ++v) ours.insert(input.variant_name(v));
  const fs::path variants = fs::path(folder) / "variants";
  std::set<std::string> others;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(variants, none)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == ".safetensors" && name[0] != '.' && ours.count(name) == 0) others.insert(name);
  }
  if (others.empty()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(variants.string(),
                                               " has models of other variants, which a pack of it would take, too: ",
                                               absl::StrJoin(others, ", "), "; remove them or export elsewhere"));
}

}  // namespace modelvault
