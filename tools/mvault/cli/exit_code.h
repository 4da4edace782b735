// What the program's exit status means. The one place where it is decided; docs/cli.md and every --help repeat it.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_EXIT_CODE_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_EXIT_CODE_H_

#include "absl/status/status.h"

namespace modelvault {

// Scripts depend on these numbers: append only, never renumber.
enum class ExitCode : int {
  kOk = 0,           // Done.
  kDifferent = 1,    // Verification failed, or the models differ.
  kUsage = 2,        // The command line is wrong.
  kBadInput = 3,     // Damaged vault, bad model file, invalid name.
  kOverBudget = 4,   // Over the budget, or past a limit of the format.
  kIoFailure = 5,    // Storage or memory failed: full, read-only, no permission, I/O error.
  kLocked = 6,       // Another program is writing the vault.
  kNotFound = 7,     // No such file, variant, tensor or program.
  kExists = 8,       // The name is taken.
  kUnsupported = 9,  // Unknown version or feature of the format.
  kNotSynced = 10,   // Done, but a power cut may still undo it.
  kNotAuthentic = 11,  // Not signed as it must be.
  kInternal = 70,    // A fault of mvault.
};

// Never kDifferent, kUsage and kNotSynced, which are of no error that a library returns.
ExitCode ExitCodeFor(const absl::Status& status);

// The list above for the end of a --help.
inline constexpr char kExitCodesHelp[] =
    "Exit codes:\n"
    "  0  done                                              5  storage or memory failed\n"
    "  1  verification failed, or the models differ         6  another program is writing the vault\n"
    "  2  the command line is wrong                         7  no such file, variant, tensor or program\n"
    "  3  damaged vault, bad model file, invalid name       8  the name is taken\n"
    "  4  over the budget, or past a limit of the format    9  unknown version or feature of the format\n"
    " 10  done, but a power cut may still undo it          11  not signed as it must be\n"
    " 70  a fault of mvault";

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_EXIT_CODE_H_
