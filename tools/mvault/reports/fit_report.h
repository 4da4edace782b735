// What a fit cost, as text, JSON and a page.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_FIT_REPORT_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_FIT_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/fitting/fit_input.h"
#include "tools/fitting/fit_run.h"
#include "tools/fitting/lost_rows.h"
#include "tools/mvault/cli/console.h"
#include "tools/packing/pack.h"

namespace modelvault {

struct TensorReport {
  std::string name;
  std::vector<uint64_t> shape;
  std::string metric;    // kronecker, diagonal, identity or magnitude.
  double density = 0;    // Of weights that differ from the base.
  double signal = 0;     // Half the curvature's form at the difference from the base.
  double remaining = 0;  // The same at what the fit leaves.
  double kept = 0;       // 1 - remaining / signal.
};

struct VariantReport {
  std::string name;
  uint64_t bytes = 0;  // In the vault.
  double bits_per_weight = 0;
  double density = 0, signal = 0, remaining = 0, kept = 0;  // As a tensor's, over all of them.
  double lambda = 0;
  std::vector<TensorReport> worst_tensors;  // Where most is left.
};

struct FitReport {
  std::string vault;
  uint64_t bytes = 0;  // Of the vault.
  uint64_t budget = 0;
  ProfileBill profile;
  uint64_t float_bytes = 0;                                 // Of the files that were fitted.
  double lambda = 0;                                        // The price of a bit, in the unit of the curvature's form.
  uint64_t fits = 0, trials = 0;                            // Prices that were tried, with all variants and with some.
  uint64_t weights = 0;                                     // Of a model, in linear tensors.
  uint64_t base_bytes = 0;                                  // Of the vault's base.
  uint64_t model_bytes = 0;                                 // Of its tables and shared priors.
  double density = 0, signal = 0, remaining = 0, kept = 0;  // Means over the variants.
  std::vector<VariantReport> variants;
  std::vector<TensorReport> tensors;  // Means over the variants.
  std::vector<CurvePoint> curve;
  std::vector<LostRow> lost_rows;
  std::vector<std::string> notes;
};

FitReport MakeFitReport(const std::string& vault, const FitInput& input, const FitRunOptions& options,
                        const FitRun& run);

// For people: the variants that lose most, ten unless `all` are wanted, and the sums.
std::string FitToText(const FitReport& report, bool all);

// The fields by their names.
Json FitToJson(const FitReport& report);

// A page that needs nothing else: the sums, plots, tables.
std::string FitToHtml(const FitReport& report);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_FIT_REPORT_H_
