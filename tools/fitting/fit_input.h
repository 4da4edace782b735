// The float models a fit starts from: a base, its fine-tunes, and what is known of their weights' importance.
#ifndef MODELVAULT_TOOLS_FITTING_FIT_INPUT_H_
#define MODELVAULT_TOOLS_FITTING_FIT_INPUT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codec/fit/search/fit_tensor.h"
#include "codec/fit/search/fitted_models.h"
#include "tools/fitting/model_weights.h"
#include "tools/packing/name_rules.h"
#include "tools/packing/pack.h"
#include "tools/packing/variant_match.h"
#include "vault/file_system.h"

namespace modelvault {

struct FitFiles {
  std::string base;  // Empty: the mean of the variants, which are then read twice.
  // Of tensors NAME: NAME.G and NAME.H, the Kronecker factors; NAME.importance, a value for each weight;
  // NAME.tensor_weight, a scalar: errors of exactly this tensor count so much. Any of these. Empty: none.
  std::string curvature;
  std::string
      importance;  // Tensors as the base's: a value for each weight, in place of any NAME.importance. Empty: none.
  std::vector<VariantInput> variants;
  NameRules names;  // How tensors of variants are matched with the base's.
};

struct CurvatureOptions {
  double damping = 0.1;       // Of each factor's mean diagonal, added to its diagonal; 0 or more.
  bool use_kronecker = true;  // These two are for comparisons: what would it be without?
  bool use_importance = true;
  bool magnitude = false;  // kMagnitude for all.
  // Errors of tensors whose name contains `first` count `second` times as much; factors multiply. Positive. In place of
  // any NAME.tensor_weight, which are also left aside where neither of the above is used.
  std::vector<std::pair<std::string, double>> tensor_weights;
};

// Immutable and thread-safe once open.
class FitInput {
 public:
  // Reads everything but the variants' weights. Errors name the file, and the tensor: kInvalidArgument for no variants,
  // no floats to fit, tensors that do not match the base's (without a base: the first variant's) by the rules, with all
  // that differ in all variants, a tensor of the name that another's steps get (ScaleName), values that are not finite,
  // a curvature that is none (Curvature::Kronecker,
  // ::Diagonal); kNotFound for a file that is not there, a rule for names or a tensor weight that no name fits.
  // `file_system` must outlive the result.
  static absl::StatusOr<FitInput> Open(FileSystem& file_system, FitFiles files, const CurvatureOptions& options,
                                       int threads);

  const std::vector<FitTensor>& tensors() const { return tensors_; }
  size_t variant_count() const { return files_.variants.size(); }
  const std::string& variant_name(size_t v) const { return files_.variants[v].name; }
  const std::string& variant_path(size_t v) const { return files_.variants[v].path; }
  bool has_base() const { return !files_.base.empty(); }
  const std::string& base_path() const { return files_.base; }  // Empty: there is none.

  // Mean of the variants, a tensor each, in the order of tensors(). For a tensor that the rules match with nothing the
  // base's value counts; without a base only variants that have it do.
  const Weights& mean() const { return mean_; }

  // Names in the curvature and importance files that say nothing of any tensor: a typo, or another model's.
  const std::vector<std::string>& unused() const { return unused_; }

  // Whether anything is known of single weights' importance, of tensors' weights.
  bool knows_importance() const { return knows_importance_; }
  bool knows_tensor_weights() const { return knows_tensor_weights_; }

  // Tensors that the rules matched with nothing: a variant's are not in the vault, the base's stand in for a variant's.
  const std::set<std::string>& ignored() const { return ignored_; }

  // Tensors that are not floats, after all others: each model keeps its own bytes of them.
  const std::vector<CarriedTensor>& carried() const { return carried_; }
  // The bytes of all of these in variant v, one after the other. The same errors as Open.
  absl::StatusOr<std::vector<uint8_t>> ReadCarried(size_t v) const;

  // The weights of variant v, a tensor each, in the order of tensors(). The same errors as Open.
  absl::StatusOr<Weights> ReadVariant(size_t v) const;

  // XXH3-128 of a variant's file, and of everything else that was read.
  using Digest = std::array<uint8_t, 16>;
  const Digest& variant_digest(size_t v) const { return variant_digests_[v]; }
  const Digest& digest() const { return digest_; }

  // Bytes of the float files: of the base, if there is one, and the variants.
  uint64_t float_bytes() const { return float_bytes_; }

 private:
  FitInput(FileSystem& file_system, FitFiles files) : file_system_(&file_system), files_(std::move(files)) {}

  struct AlignedModel;
  struct KnownCurvature;
  struct Sum {  // Of a tensor of several variants.
    std::vector<double> values;
    size_t count = 0;
  };

  absl::Status ReadBase();
  absl::Status ReadVariants(int threads);
  absl::StatusOr<AlignedModel> Align(ModelWeights variant, const std::string& path) const;
  void AddVariant(const AlignedModel& variant, std::vector<Sum>* sums);
  void AddChanges(const Weights& variant);  // Into row_changes.
  absl::Status ReadCurvature(const CurvatureOptions& options);
  absl::StatusOr<KnownCurvature> ReadCurvatureFiles(const CurvatureOptions& options) const;
  void NoteUnused(const KnownCurvature& known);
  absl::Status SetWeights(const CurvatureOptions& options, const KnownCurvature& known);
  absl::Status SetCurvature(const CurvatureOptions& options, KnownCurvature* known, FitTensor* tensor) const;
  absl::Status SetAverages();
  absl::StatusOr<AlignedModel> ReadUnchanged(size_t v) const;

  FileSystem* file_system_;
  FitFiles files_;
  std::vector<ModelTensor> layout_;  // Of the base: tensors_ and carried_ in its file's order.
  std::vector<FitTensor> tensors_;
  Weights mean_;
  std::vector<CarriedTensor> carried_;
  std::vector<Digest> variant_digests_;
  Digest digest_{};
  uint64_t float_bytes_ = 0;
  std::vector<std::string> unused_;
  std::set<std::string> ignored_;
  bool knows_importance_ = false, knows_tensor_weights_ = false;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_FIT_INPUT_H_
