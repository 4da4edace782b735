#ifndef MODELVAULT_TESTS_TOOLS_PACKING_MODEL_FILES_H_
#define MODELVAULT_TESTS_TOOLS_PACKING_MODEL_FILES_H_

// Safetensors files of every kind for packing tests, and what a vault of them must give back.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "restore/restorer.h"
#include "tests/vault/test_vault.h"
#include "vault/file_system.h"

namespace modelvault {

// A tensor as a file has it.
struct FileTensor {
  std::string name;
  std::string dtype;  // As in the file.
  std::vector<uint64_t> shape;
  std::string data;
};

// A model in the order of its data.
struct FileModel {
  std::vector<FileTensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
};

// How many bytes the shape takes; dtypes that are not known take three an element.
size_t TensorSize(const std::string& dtype, const std::vector<uint64_t>& shape);
// With random data that suits the dtype.
FileTensor MakeTensor(std::string name, std::string dtype, std::vector<uint64_t> shape, TestRandom* random);

// The file: compact, in data order, padded to 8 bytes.
std::string Serialize(const FileModel& model);
// The same model written in another way: keys in any order, spaces, escapes, fields nobody knows, odd padding.
std::string SerializeOddly(const FileModel& model, TestRandom* random);

// A model of up to `most_tensors` tensors of any dtype and shape.
FileModel RandomModel(TestRandom* random, size_t most_tensors);

// Variants of `base`: INT8 tensors changed by ± a scale for each 128 weights, one weight in `one_in` (1: all); the
// others a little.
FileModel Ternary(const FileModel& base, uint64_t one_in, TestRandom* random);
// Something one could pack beside `base`: the base itself, ternary, by small differences, with nothing in common, its
// tensors in another order or of other dtypes.
FileModel RandomVariant(const FileModel& base, TestRandom* random);

// All files of a vault by name, the base as "base".
using ModelFiles = std::map<std::string, std::string>;

// Opens the vault and checks everything in it as `mvault verify` does. With `files`, also that it holds just those,
// byte for byte.
absl::Status VerifyVault(FileSystem& file_system, absl::string_view path, const ModelFiles* files = nullptr);
// The same for a vault in memory, called "v.mvlt".
absl::Status VerifyVault(const std::string& vault, const ModelFiles* files = nullptr);

// Opens a vault in memory, called "v.mvlt".
absl::StatusOr<std::unique_ptr<Restorer>> OpenVault(const std::string& vault);

// A model's whole file.
absl::StatusOr<std::string> RestoreFile(const Restorer& restorer, const std::string& name);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_PACKING_MODEL_FILES_H_
