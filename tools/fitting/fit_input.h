// The float models a fit starts from: a base, its fine-tunes, and what is known of their weights' importance.
#ifndef MODELVAULT_TOOLS_FITTING_FIT_INPUT_H_
#define MODELVAULT_TOOLS_FITTING_FIT_INPUT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codec/fit/curvature.h"
#include "codec/model_tensor.h"
#include "tools/packing/pack.h"
#include "vault/file_system.h"

namespace modelvault {

struct FitFiles {
  std::string base;        // Empty: the mean of the variants.
  std::string curvature;   // NAME.G and NAME.H of tensors NAME. Empty: none.
  std::string importance;  // Tensors as the base's: a value for each weight. Empty: none.
  std::vector<VariantInput> variants;
};

// What is held against a tensor's errors.
enum class CurvatureUse {
  kKronecker,  // NAME.G and NAME.H.
  kDiagonal,   // The importance file's tensor.
  kIdentity,   // Neither: every weight counts as much as the weights that have a curvature do on average.
  kMagnitude,  // On request: every weight counts 1 / the mean square of the base's tensor.
};

// A tensor of the base, in the order of its file.
struct FitTensor : ModelTensor {
  bool linear = false;  // Rank 2 and more: on an INT8 grid, with ternary deltas. Others stay F32.
  CurvatureUse use = CurvatureUse::kIdentity;
  Curvature curvature = Curvature::Identity(1, 1);
  double weight = 1;        // Of its errors, by CurvatureOptions::tensor_weights; a factor of `curvature`.
  std::vector<float> base;  // Row-major.
};

struct CurvatureOptions {
  double damping = 0.1;       // Of each factor's mean diagonal, added to its diagonal; 0 or more.
  bool use_kronecker = true;  // These two are for comparisons: what would it be without?
  bool use_importance = true;
  bool magnitude = false;  // kMagnitude for all.
  // Errors of tensors whose name contains `first` count `second` times as much; factors multiply. Positive.
  std::vector<std::pair<std::string, double>> tensor_weights;
};

// Immutable and thread-safe once open.
class FitInput {
 public:
  // Reads everything but the variants' weights. Errors name the file, and the tensor: kInvalidArgument for no variants,
  // tensors that are not F32, F16 or BF16, names or shapes that differ from the base's (without a base: the first
  // variant's), values that are not finite, a curvature that is none (Curvature::Kronecker, ::Diagonal);
  // kNotFound for a file that is not there. `file_system` must outlive the result.
  static absl::StatusOr<FitInput> Open(FileSystem& file_system, FitFiles files, const CurvatureOptions& options,
                                       int threads);

  const std::vector<FitTensor>& tensors() const { return tensors_; }
  size_t variant_count() const { return files_.variants.size(); }
  const std::string& variant_name(size_t v) const { return files_.variants[v].name; }
  bool has_base() const { return !files_.base.empty(); }

  // Mean of the variants, a tensor each, in the order of tensors().
  const std::vector<std::vector<float>>& mean() const { return mean_; }

  // Names in the curvature and importance files that say nothing of any tensor: a typo, or another model's.
  const std::vector<std::string>& unused() const { return unused_; }

  // The weights of variant v, a tensor each, in the order of tensors(). The same errors as Open.
  absl::StatusOr<std::vector<std::vector<float>>> ReadVariant(size_t v) const;

  // XXH3-128 of a variant's file, and of everything else that was read.
  using Digest = std::array<uint8_t, 16>;
  const Digest& variant_digest(size_t v) const { return variant_digests_[v]; }
  const Digest& digest() const { return digest_; }

  // Bytes of the float files: of the base, if there is one, and the variants.
  uint64_t float_bytes() const { return float_bytes_; }

 private:
  FitInput(FileSystem& file_system, FitFiles files) : file_system_(&file_system), files_(std::move(files)) {}

  absl::Status ReadBase();
  absl::Status ReadVariants(int threads);
  absl::Status ReadCurvature(const CurvatureOptions& options);

  FileSystem* file_system_;
  FitFiles files_;
  std::vector<FitTensor> tensors_;
  std::vector<std::vector<float>> mean_;
  std::vector<Digest> variant_digests_;
  Digest digest_{};
  uint64_t float_bytes_ = 0;
  std::vector<std::string> unused_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_FIT_INPUT_H_
