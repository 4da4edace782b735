#include "tools/formats/sharded_safetensors.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "restore/described_frame.h"
#include "tools/formats/safetensors.h"
#include "vault/file_paths.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

constexpr uint64_t kMaxIndexSize = kMaxSafetensorsHeaderSize;
constexpr char kWeightMap[] = "weight_map";

// Which shard each tensor is in.
using WeightMap = std::map<std::string, std::string>;

absl::Status Bad(absl::string_view path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": bad index of shards: ", what));
}

bool IsShard(absl::string_view name) { return absl::EndsWith(name, kSafetensorsExtension); }

// Reads the index in the first `size` bytes of `file`.
absl::StatusOr<WeightMap> ReadIndex(const RandomAccessFile& file, uint64_t size, absl::string_view path) {
  if (size > kMaxIndexSize) return Bad(path, absl::StrCat(size, " bytes, at most ", kMaxIndexSize, " are taken"));
  std::string text(static_cast<size_t>(size), '\0');
  absl::Status status = file.ReadAt(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  if (!status.ok()) return status;
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return Bad(path, "it is not UTF-8 JSON");
  if (!json.is_object() || !json.contains(kWeightMap) || !json[kWeightMap].is_object()) {
    return Bad(path, "it has no object 'weight_map'");
  }
  WeightMap map;
  for (const auto& [tensor, shard] : json[kWeightMap].items()) {
    if (!shard.is_string()) return Bad(path, absl::StrCat("tensor ", Quoted(tensor), ": its shard is no text"));
    const std::string name = shard.get<std::string>();
    if (!IsSafePath(name) || absl::StrContains(name, '/') || !IsShard(name)) {
      return Bad(path, absl::StrCat("tensor ", Quoted(tensor), ": its shard ", Quoted(name),
                                    " is no safetensors file in the index' folder"));
    }
    map[tensor] = name;
  }
  return map;
}

// The shard's tensors, compared with what the index says of them.
absl::Status CheckShard(const std::string& what, const std::string& shard, const WeightMap& map,
                        const std::vector<TypedRange>& ranges) {
  std::set<std::string> names;
  for (const TypedRange& range : ranges) {
    const auto found = map.find(range.tensor.name);
    if (found == map.end() || found->second != shard) {
      return Bad(what, absl::StrCat("tensor ", Quoted(range.tensor.name), " is in ", shard, ", the index has it in ",
                                    found == map.end() ? "none" : found->second));
    }
    names.insert(range.tensor.name);
  }
  for (const auto& [tensor, where] : map) {
    if (where == shard && names.count(tensor) == 0) {
      return Bad(what, absl::StrCat("tensor ", Quoted(tensor), " is not in ", shard, ", where the index has it"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool ShardedSafetensorsFormat::Recognises(absl::Span<const uint8_t> head) const {
  absl::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  text = absl::StripLeadingAsciiWhitespace(text);
  return absl::StartsWith(text, "{") &&
         (absl::StrContains(text, "\"weight_map\"") || absl::StrContains(text, "\"total_size\""));
}

absl::StatusOr<std::vector<OtherFile>> ShardedSafetensorsFormat::OpenOthers(FileSystem& file_system,
                                                                            const RandomAccessFile& index) const {
  const absl::StatusOr<WeightMap> map = ReadIndex(index, index.size(), index.path());
  if (!map.ok()) return map.status();
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : *map) shards.insert(shard);
  const std::string folder = FolderOf(index.path());
  const std::string own_name = index.path().substr(index.path().rfind('/') + 1);
  const absl::StatusOr<std::vector<std::string>> names = file_system.List(folder);
  if (!names.ok()) return names.status();
  std::vector<OtherFile> others;
  for (const std::string& name : *names) {
    if (absl::StartsWith(name, ".") || name == own_name) continue;
    const absl::StatusOr<bool> is_folder = file_system.IsFolder(PathIn(folder, name));
    if (!is_folder.ok()) return is_folder.status();
    if (*is_folder) {
      return absl::InvalidArgumentError(
          absl::StrCat(PathIn(folder, name), ": is a folder in that of a model, which would not come back: move it"));
    }
    if (IsShard(name) && shards.erase(name) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(PathIn(folder, name), ": is no shard of the model: ", index.path(), " does not name it"));
    }
    absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForRead(PathIn(folder, name));
    if (!file.ok()) return file.status();
    others.push_back({name, *std::move(file)});
  }
  if (shards.empty()) return others;
  return absl::NotFoundError(
      absl::StrCat(index.path(), ": ", shards.size(), " of its shards are missing, the first is ", *shards.begin()));
}

absl::StatusOr<std::vector<TypedRange>> ShardedSafetensorsFormat::ReadRanges(const RandomAccessFile& file,
                                                                             const std::vector<FilePart>& files) const {
  const absl::StatusOr<WeightMap> map = ReadIndex(file, files.empty() ? file.size() : files[0].size, file.path());
  if (!map.ok()) return map.status();
  std::vector<TypedRange> all;
  uint64_t begin = 0;
  for (const FilePart& part : files) {
    if (IsShard(part.path)) {
      absl::StatusOr<std::vector<TypedRange>> ranges =
          SafetensorsRanges(file, begin, part.size, absl::StrCat(file.path(), ", ", part.path));
      if (!ranges.ok()) return ranges.status();
      if (absl::Status status = CheckShard(file.path(), part.path, *map, *ranges); !status.ok()) return status;
      for (TypedRange& range : *ranges) all.push_back(std::move(range));
    }
    begin += part.size;
  }
  return all;
}

}  // namespace modelvault
