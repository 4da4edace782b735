#include "tools/fitting/model_weights.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "codec/data_source.h"
#include "restore/model_file.h"
#include "tools/eval/float_tensors.h"
#include "tools/formats/model_formats.h"
#include "vault/model_digester.h"

namespace modelvault {
namespace {

absl::Status CheckFinite(const std::string& path, const std::string& name, const FloatTensor& tensor) {
  const auto bad =
      std::find_if(tensor.values.begin(), tensor.values.end(), [](float value) { return !std::isfinite(value); });
  if (bad == tensor.values.end()) return absl::OkStatus();
  size_t at = static_cast<size_t>(bad - tensor.values.begin());
  std::string row;
  if (tensor.shape.size() >= 2) {
    const size_t cols = tensor.values.size() / static_cast<size_t>(tensor.shape[0]);
    row = absl::StrCat("row ", at / cols, ", ");
    at %= cols;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": tensor ", name, ": ", row, "value ", at, " is not a finite number (", *bad, ")"));
}

// The scales of blocks are floats, but no weights.
absl::Status CheckNotInBlocks(const ModelFile& file) {
  if (file.structure().weaves.empty()) return absl::OkStatus();
  const uint64_t begin = file.structure().weaves.front().data_offset;
  const auto scales = std::find_if(file.tensors().begin(), file.tensors().end(),
                                   [&](const ModelTensor& tensor) { return tensor.begin == begin; });
  return absl::InvalidArgumentError(
      absl::StrCat(file.path(), ": weights in blocks with scales (", scales->name,
                   ") are quantised already; mvault pack stores such models as they are"));
}

}  // namespace

absl::StatusOr<ModelWeights> ReadModelWeights(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<ModelFile> file = OpenModelFile(file_system, path);
  if (!file.ok()) return file.status();
  if (absl::Status status = CheckNotInBlocks(*file); !status.ok()) return status;
  ModelWeights result;
  result.size = file->size();
  std::vector<uint8_t> bytes(static_cast<size_t>(file->data_size()));
  if (absl::Status status = file->ReadData(0, absl::MakeSpan(bytes)); !status.ok()) return status;
  ModelDigester digester;
  const std::string& header = file->frame();
  digester.Update({reinterpret_cast<const uint8_t*>(header.data()), header.size()});
  digester.Update(bytes);
  result.digest = digester.Digests().xxh3;
  result.layout = file->tensors();
  std::vector<ModelTensor> floats;
  for (const ModelTensor& info : result.layout) {
    if (IsFloat(info)) {
      floats.push_back(info);
      continue;
    }
    const absl::Span<const uint8_t> own =
        absl::MakeSpan(bytes).subspan(static_cast<size_t>(info.begin), static_cast<size_t>(info.size()));
    result.carried.push_back({info, {own.begin(), own.end()}});
  }
  MemoryDataSource source(bytes);
  absl::StatusOr<FloatTensors> tensors = ReadFloatTensors(path, floats, &source);
  if (!tensors.ok()) return tensors.status();
  result.tensors = *std::move(tensors);
  for (const ModelTensor& info : floats) {
    if (absl::Status status = CheckFinite(path, info.name, result.tensors.at(info.name)); !status.ok()) return status;
  }
  return result;
}

}  // namespace modelvault
