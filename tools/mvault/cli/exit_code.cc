#include "tools/mvault/cli/exit_code.h"

namespace modelvault {

ExitCode ExitCodeFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kBadInput;
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kOverBudget;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kIoFailure;
    case absl::StatusCode::kAborted:
      return ExitCode::kLocked;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kAlreadyExists:
      return ExitCode::kExists;
    case absl::StatusCode::kUnimplemented:
      return ExitCode::kUnsupported;
    case absl::StatusCode::kPermissionDenied:
      return ExitCode::kNotAuthentic;
    default:
      return ExitCode::kInternal;
  }
}

}  // namespace modelvault
