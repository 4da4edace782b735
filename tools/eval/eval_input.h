// Files an evaluation reads beside its models.
#ifndef MODELVAULT_TOOLS_EVAL_EVAL_INPUT_H_
#define MODELVAULT_TOOLS_EVAL_EVAL_INPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/eval/transformer.h"
#include "vault/file_system.h"

namespace modelvault {

struct EvalModel {
  TransformerConfig config;
  std::vector<std::string> departments;  // That the file lists; may be empty.
};

// ReadModelConfig() of a file that says eval_context and describes what a Transformer can run: a llama with tied
// embeddings, interleaved pairs and tensors of no names of their own. kInvalidArgument for another.
absl::StatusOr<EvalModel> ReadEvalModel(FileSystem& file_system, const std::string& path);

// A file of little-endian 16-bit token ids: records of config.context + 1 of them, at least one. kInvalidArgument for
// another length or an id that is not below config.vocab.
absl::StatusOr<std::vector<uint16_t>> ReadTokens(FileSystem& file_system, absl::string_view path,
                                                 const TransformerConfig& config);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_EVAL_EVAL_INPUT_H_
