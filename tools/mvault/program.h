// The program mvault: command line in, exit code out.
#ifndef MODELVAULT_TOOLS_MVAULT_PROGRAM_H_
#define MODELVAULT_TOOLS_MVAULT_PROGRAM_H_

#include <stdio.h>

#include "tools/packing/executor.h"
#include "vault/file_system.h"

namespace modelvault {

// Runs one command. Results go to `out`, errors and progress to `err`. `executor`: where the jobs of `pack` run; null:
// on threads of this process.
int RunMvault(int argc, const char* const* argv, FileSystem& file_system, FILE* out, FILE* err,
              Executor* executor = nullptr);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_PROGRAM_H_
