// The main function of programs that write golden vaults.
#ifndef MODELVAULT_TESTS_GOLDEN_MAIN_H_
#define MODELVAULT_TESTS_GOLDEN_MAIN_H_

#include <cstdio>
#include <string>

#include "absl/status/status.h"

namespace modelvault {

// `write` puts its vault into the folder that is the only argument. The exit code.
inline int WriteGolden(int argc, char** argv, absl::Status (*write)(const std::string& golden)) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s GOLDEN_FOLDER\n", argv[0]);
    return 64;
  }
  const absl::Status status = write(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_GOLDEN_MAIN_H_
