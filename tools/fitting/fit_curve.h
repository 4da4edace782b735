// What a vault would lose with more room, or with less.
#ifndef MODELVAULT_TOOLS_FITTING_FIT_CURVE_H_
#define MODELVAULT_TOOLS_FITTING_FIT_CURVE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/fitting/fit_input.h"
#include "tools/fitting/fit_run.h"
#include "tools/fitting/fitter.h"

namespace modelvault {

// FitRun::curve of `run`, for options.curve, which is not empty. `overhead`: what the vault takes beside PackedSize.
absl::StatusOr<std::vector<CurvePoint>> FitCurve(const FitInput& input, const Fitter& fitter, const FitRun& run,
                                                 uint64_t overhead, const FitRunOptions& options);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_FIT_CURVE_H_
