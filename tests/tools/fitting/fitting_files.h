// Float models and their curvature, small enough to be fitted in a test.
#ifndef MODELVAULT_TESTS_TOOLS_FITTING_FITTING_FILES_H_
#define MODELVAULT_TESTS_TOOLS_FITTING_FITTING_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "tests/temp_folder.h"
#include "tools/eval/float_tensors.h"
#include "tools/fitting/fit_input.h"

namespace modelvault {

// base.safetensors; variants/ with alpha, beta, gamma and "same", whose weights are the base's; curvature.safetensors
// for all matrices but embed, importance.safetensors for all tensors.
class FittingFiles {
 public:
  FittingFiles();

  std::string File(const std::string& name) const { return folder_.File(name); }
  const TempFolder& folder() const { return folder_; }
  // The four files' names.
  FitFiles files() const;
  absl::StatusOr<FitInput> Open(const FitFiles& files) const;
  FloatTensors& base() { return base_; }
  FloatTensors& curvature() { return curvature_; }
  // Writes tensors as a file; its path.
  std::string Write(const std::string& name, const FloatTensors& tensors) const;

 private:
  TempFolder folder_;
  FloatTensors base_, curvature_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_FITTING_FITTING_FILES_H_
