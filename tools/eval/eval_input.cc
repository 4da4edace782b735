#include "tools/eval/eval_input.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "codec/core/bytes.h"
#include "tools/formats/model_config.h"
#include "vault/file_kind.h"

namespace modelvault {
namespace {

constexpr uint64_t kMaxTokenFile = uint64_t{1} << 32;

absl::StatusOr<std::vector<uint8_t>> ReadWhole(FileSystem& file_system, absl::string_view path, uint64_t limit) {
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForRead(path);
  if (!file.ok()) return file.status();
  if ((*file)->size() > limit) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", (*file)->size(), " bytes; expected at most ", limit));
  }
  std::vector<uint8_t> bytes(static_cast<size_t>((*file)->size()));
  if (absl::Status status = (*file)->ReadAt(0, absl::MakeSpan(bytes)); !status.ok()) return status;
  return bytes;
}

}  // namespace

absl::StatusOr<EvalModel> ReadEvalModel(FileSystem& file_system, const std::string& path) {
  absl::StatusOr<ModelConfig> read = ReadModelConfig(file_system, path);
  if (!read.ok()) return read.status();
  const auto refuse = [&](absl::string_view key, absl::string_view expected) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": config.", key, ": models are evaluated with ", expected));
  };
  if (read->architecture != Architecture::kLlama) return refuse("architecture", "\"llama\" only");
  if (read->rope_halves) return refuse("rope_pairs", "\"interleaved\" only");
  if (!read->tied_embeddings) return refuse("tied_embeddings", "true only");
  if (!read->names.empty()) return refuse("names", "the tensors' own names only");
  if (read->eval_context == 0) return refuse("eval_context", "the number of tokens that a record predicts");
  EvalModel model;
  model.config = {.dim = read->dim,
                  .hidden_dim = read->hidden_dim,
                  .layers = read->layers,
                  .heads = read->heads,
                  .kv_heads = read->kv_heads,
                  .vocab = read->vocab,
                  .context = read->eval_context,
                  .rope_theta = read->rope_theta,
                  .norm_eps = read->norm_eps};
  if (absl::Status status = CheckConfig(model.config); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": config: ", status.message()));
  }
  model.departments = std::move(read->departments);
  return model;
}

absl::StatusOr<std::vector<uint16_t>> ReadTokens(FileSystem& file_system, absl::string_view path,
                                                 const TransformerConfig& config) {
  const absl::StatusOr<std::vector<uint8_t>> bytes = ReadWhole(file_system, path, kMaxTokenFile);
  if (!bytes.ok()) return bytes.status();
  const size_t record_size = 2 * (config.context + 1);
  if (bytes->empty() || bytes->size() % record_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", bytes->size(), " bytes; expected a multiple of ", record_size, ": records of ",
                     config.context + 1, " token ids of 2 bytes; it is ",
                     DescribeFileKind(absl::MakeConstSpan(*bytes).first(std::min(bytes->size(), kFileKindSize)))));
  }
  std::vector<uint16_t> tokens(bytes->size() / 2);
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = LoadLe16(bytes->data() + 2 * i);
    if (tokens[i] >= config.vocab) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": token ", i, " is ", tokens[i], ", the vocabulary has ", config.vocab));
    }
  }
  return tokens;
}

}  // namespace modelvault
