// What a model's tensors are there for, as a JSON file describes it: read to evaluate models and to pack their
// networks.
#ifndef MODELVAULT_TOOLS_FORMATS_MODEL_CONFIG_H_
#define MODELVAULT_TOOLS_FORMATS_MODEL_CONFIG_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"

namespace modelvault {

enum class Architecture {
  kLlama,  // A language model: token ids in, a score for each id out.
  kMlp,    // Linear layers with a rectifier between them: features in, a score for each class out.
};

struct ModelConfig {
  Architecture architecture = Architecture::kLlama;

  // Of kLlama.
  size_t dim = 0;
  size_t hidden_dim = 0;
  size_t layers = 0;
  size_t heads = 0;
  size_t kv_heads = 0;
  size_t vocab = 0;
  size_t eval_context = 0;  // Tokens that a record of held-out text predicts; 0: not said.
  double rope_theta = 10000;
  double norm_eps = 1e-5;
  bool rope_halves = false;      // Pairs (0, d/2), (1, d/2 + 1), …; else (0, 1), (2, 3), …
  bool tied_embeddings = true;   // The scores are by the embedding; else by the tensor "output".
  size_t window = 128;           // Positions that are kept, and
  size_t sinks = 4;              // the first ones, which stay beside them.
  std::string tokenizer;         // A file's path; empty: not said.
  bool leading_space = false;    // Texts that the model learnt from had a space put before them.
  std::vector<std::string> mlp;  // Of kMlp: the layers' tensors, from input to output.

  unsigned activation_bits = 8;              // 8 or 4.
  std::map<std::string, std::string> names;  // What a file calls tensors; "*" stands for a layer's number.
  std::vector<std::string> departments;      // That the file lists; may be empty.

  // What the file calls the tensor that architectures here call `name`, in layer `layer` where it is a layer's.
  std::string TensorName(absl::string_view name) const;
  std::string TensorName(absl::string_view name, size_t layer) const;
};

// Reads a JSON file with an object "config": architecture ("llama"), dim, hidden_dim, layers, heads, kv_heads, vocab,
// optionally eval_context, rope_theta, norm_eps, rope_pairs ("interleaved" or "halves"), tied_embeddings, window, sinks,
// tokenizer (a file beside this one) and leading_space; or architecture "mlp", layers (a list of tensors' names), optionally
// activation
// ("relu"); for both optionally activation_bits and names (an object of strings). Beside "config" optionally
// "variants", a list of objects with a name. kInvalidArgument for anything else, naming the key, what was expected and
// what was found.
absl::StatusOr<ModelConfig> ReadModelConfig(FileSystem& file_system, const std::string& path);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_MODEL_CONFIG_H_
