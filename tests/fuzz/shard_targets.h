// Any bytes as the index of a model in two shards. tests/tools/formats/fuzz_seeds_test.cc runs the same on the seeds,
// which must parse.
#ifndef MODELVAULT_TESTS_FUZZ_SHARD_TARGETS_H_
#define MODELVAULT_TESTS_FUZZ_SHARD_TARGETS_H_

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fuzz/format_targets.h"
#include "tools/formats/safetensors.h"
#include "tools/formats/sharded_safetensors.h"

namespace modelvault {

inline constexpr char kFuzzedIndex[] = "m.safetensors.index.json";
inline constexpr char kFirstShard[] = "m-1.safetensors";
inline constexpr char kSecondShard[] = "m-2.safetensors";

// A disk with one folder, in which all files are empty.
class FolderOfShards : public SystemCalls {
 public:
  int ListDirectory(const std::string&, std::vector<std::string>* names) override {
    *names = {".hidden", "config.json", kFirstShard, kSecondShard, kFuzzedIndex};
    return 0;
  }
  int Stat(const std::string&, struct stat* out) override {
    *out = {};
    out->st_mode = S_IFREG;
    return 0;
  }
  int StatOpen(int, struct stat* out) override { return Stat("", out); }
  int Open(const std::string&, int, mode_t) override { return SystemCalls::Open("/dev/null", O_RDONLY | O_CLOEXEC, 0); }
  int OpenAt(int, const std::string& name, int) override { return Open(name, O_RDONLY, 0); }
};

// A shard with these tensors, of a byte each.
inline std::string FuzzedShard(const std::vector<std::string>& names) {
  std::vector<ModelTensor> tensors;
  for (const std::string& name : names) tensors.push_back(SafetensorsTensor(name, "I8", {1}, 0, 1));
  const absl::StatusOr<std::string> header = SafetensorsHeaderFor(tensors, {});
  Check(header.ok());
  return *header + std::string(names.size(), 'w');
}

// `index` beside shards of the tensors a, b and c. The first refusal, if there is one.
inline absl::Status FuzzShardIndex(const std::vector<uint8_t>& index) {
  static const ShardedSafetensorsFormat kFormat;
  static_cast<void>(kFormat.Recognises({index.data(), std::min(index.size(), kModelHeadSize)}));

  // What the index names is looked for in its folder.
  static FolderOfShards folder;
  static FileSystem files(folder);
  const absl::StatusOr<std::vector<OtherFile>> others =
      kFormat.OpenOthers(files, MemoryFile(index, absl::StrCat("folder/", kFuzzedIndex)));
  if (others.ok()) {
    std::vector<std::string> names;
    for (const OtherFile& other : *others) names.push_back(other.path);
    Check(names == std::vector<std::string>({"config.json", kFirstShard, kSecondShard}));
  } else {
    Check(absl::IsInvalidArgument(others.status()) || absl::IsNotFound(others.status()));
    Check(absl::StartsWith(others.status().message(), "folder/") && others.status().message().size() < 4000);
  }

  // And held against what is in them.
  static const std::string* const kFirst = new std::string(FuzzedShard({"a", "b"}));
  static const std::string* const kSecond = new std::string(FuzzedShard({"c"}));
  std::vector<uint8_t> joined = index;
  joined.insert(joined.end(), kFirst->begin(), kFirst->end());
  joined.insert(joined.end(), kSecond->begin(), kSecond->end());
  const absl::Status status = FuzzModelFile(
      kFormat, joined, {{kFuzzedIndex, index.size()}, {kFirstShard, kFirst->size()}, {kSecondShard, kSecond->size()}});
  return others.ok() ? status : others.status();
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_SHARD_TARGETS_H_
