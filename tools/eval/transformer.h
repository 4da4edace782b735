// A llama-family language model on the host: scores the next-token predictions over records of token ids.
//
// Architecture: token embedding; per layer RMSNorm, grouped-query attention with rotary position embedding on
// interleaved pairs, RMSNorm, SwiGLU; RMSNorm; logits by the embedding (tied). Sources: H. Touvron et al., "LLaMA: Open
// and Efficient Foundation Language Models" (arXiv:2302.13971); B. Zhang and R. Sennrich, "Root Mean Square Layer
// Normalization" (arXiv:1910.07467); J. Su et al., "RoFormer" (arXiv:2104.09864); N. Shazeer, "GLU Variants Improve
// Transformer" (arXiv:2002.05202); J. Ainslie et al., "GQA" (arXiv:2305.13245).
#ifndef MODELVAULT_TOOLS_EVAL_TRANSFORMER_H_
#define MODELVAULT_TOOLS_EVAL_TRANSFORMER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/eval/float_tensors.h"

namespace modelvault {

struct TransformerConfig {
  size_t dim = 0;
  size_t hidden_dim = 0;
  size_t layers = 0;
  size_t heads = 0;
  size_t kv_heads = 0;
  size_t vocab = 0;
  size_t context = 0;  // Tokens a record predicts; records have one more.
  double rope_theta = 10000;
  double norm_eps = 1e-5;

  size_t head_dim() const { return dim / heads; }
  size_t kv_dim() const { return head_dim() * kv_heads; }
};

// kInvalidArgument for dimensions that do not go together.
absl::Status CheckConfig(const TransformerConfig& config);

// How well each token was predicted, in order.
struct TokenScores {
  std::vector<float> nll;    // Nats.
  std::vector<uint8_t> hit;  // 1 where the most probable token was the right one.
};

// Immutable, thread-safe.
class Transformer {
 public:
  // Takes the tensors embed, norm and layers.I.{attn_norm,wq,wk,wv,wo,ffn_norm,w1,w2,w3}; w1 is the gate, w3 the up and
  // w2 the down projection, linear weights are [out, in]. kInvalidArgument for missing, surplus or misshapen ones,
  // and for values that are not finite.
  static absl::StatusOr<Transformer> Create(const TransformerConfig& config, FloatTensors tensors,
                                            absl::string_view model_name);

  // Scores `tokens`, whole records of context + 1 ids below vocab; each record begins at position 0 and predicts its
  // last `context` ids from those before. Finite weights may still be so large that a nll is no number.
  TokenScores Score(absl::Span<const uint16_t> tokens) const;

 private:
  struct Layer {
    std::vector<float> attn_norm, ffn_norm;
    std::vector<float> wqkv, wo, w13, w2;  // Transposed: [in, out]; those with one input side by side.
  };
  struct Scratch;

  explicit Transformer(const TransformerConfig& config) : config_(config) {}
  void Forward(absl::Span<const uint16_t> inputs, Scratch* scratch) const;
  void Attend(Scratch* scratch) const;

  TransformerConfig config_;
  std::vector<float> embed_;             // [vocab, dim]
  std::vector<float> embed_transposed_;  // [dim, vocab]
  std::vector<float> norm_;
  std::vector<Layer> layers_;
  std::vector<float> cos_, sin_;  // [position, head_dim / 2]
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_EVAL_TRANSFORMER_H_
