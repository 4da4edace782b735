// Float checkpoints in, a vault within its budget out.
#ifndef MODELVAULT_TOOLS_FITTING_FIT_RUN_H_
#define MODELVAULT_TOOLS_FITTING_FIT_RUN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/fitting/fit_input.h"
#include "tools/fitting/fitter.h"
#include "tools/fitting/lost_rows.h"
#include "tools/fitting/packed_size.h"
#include "tools/packing/network_builder.h"
#include "tools/packing/pack.h"
#include "vault/file_system.h"

namespace modelvault {

struct FitRunOptions {
  uint64_t budget = 1 << 20;  // Bytes the vault may have.
  BaseProfile profile = BaseProfile::kSmall;
  double lambda = 0;         // Positive: this price of a bit, whatever the vault's size; the budget only limits it.
  double tolerance = 0.005;  // The vault is at most so much, as a share of the budget, below it; where it can be.
  std::optional<NetworkInput> network;  // What the models compute, for the vault to say.
  CurvatureOptions curvature;
  FitOptions fit;
  std::vector<double> curve;  // Budgets, as multiples of this one, to tell the loss at; see FitRun::curve.
  // Results that a run which was interrupted left; made, and removed at the end. Empty: the output's name with
  // .fit-work.
  std::string work_folder;
  bool keep_work_folder = false;
  std::string export_folder;  // Also leaves base.safetensors and variants/NAME.safetensors there. Empty: no.
  ProgressFunction progress;
};

// What one more vault would lose.
struct CurvePoint {
  double budget = 0;     // Bytes of the vault.
  double remaining = 0;  // Half the form at what is left, a variant.
  double density = 0;    // Of weights that differ.
};

struct FitRun {
  FittedModels models;
  double lambda = 0;
  uint64_t vault_size = 0;
  ProfileBill profile;
  PackedSize size;                     // Of its parts.
  std::vector<uint64_t> stored_sizes;  // Of each variant in the vault.
  int fits = 0;                        // At how many prices everything was fitted.
  int trials = 0;                      // At how many more only a sample of the variants.
  bool saturated = false;              // A lower price of a bit would keep no more.
  // At the multiples of the budget that were asked for, with the base of this run, interpolated between fits of a
  // sample of the variants at several prices. Without those that leave no room beside the base.
  std::vector<CurvePoint> curve;
  std::vector<LostRow> lost_rows;  // Not with a base that moved, or a gain: nothing is to come back as it was then.
};

// Looks for the price of a bit at which everything just fits, and packs that into `output`: byte for byte what
// PackVault makes of the exported files. Deterministic for any number of threads; a run that was killed and is started
// again with the same input and work folder gives the same bytes. Errors are those of its parts; kResourceExhausted if
// the base alone is over the budget, kAlreadyExists for other variants' models in the export folder, names that are one
// there, or a work folder with other files, kAborted for one that another fit uses, an output that somebody writes (it
// is locked from the first result to the last) or made meanwhile. On any error but kUnknown (see AtomicFile::Commit)
// `output` is as before.
absl::StatusOr<FitRun> RunFit(FileSystem& file_system, const FitInput& input, const std::string& output,
                              const FitRunOptions& options);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_FIT_RUN_H_
