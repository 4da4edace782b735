// Runs mvault: the real program as a process of its own, or its whole inside this one where a test brings its own disk.
#ifndef MODELVAULT_TESTS_TOOLS_MVAULT_PROGRAM_RUN_H_
#define MODELVAULT_TESTS_TOOLS_MVAULT_PROGRAM_RUN_H_

#include <ostream>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "vault/file_system.h"

namespace modelvault {

struct ProgramRun {
  int exit_code = -1;  // 128 and the signal's number for a process that was killed.
  std::string out;
  std::string err;

  // Standard output as the one JSON document it must be; fails the test if it is none.
  nlohmann::json Json() const;
};

inline std::ostream& operator<<(std::ostream& os, const ProgramRun& run) {
  return os << "exit code " << run.exit_code << "\nout: " << run.out << "\nerr: " << run.err;
}

// mvault with `arguments` and `input` as its standard input; no shell, no terminal.
ProgramRun Mvault(const std::vector<std::string>& arguments, const std::string& input = "");

// The same inside this process, on `file_system`.
ProgramRun MvaultOn(FileSystem& file_system, const std::vector<std::string>& arguments);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_MVAULT_PROGRAM_RUN_H_
