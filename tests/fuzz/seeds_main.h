// The main function of programs that write seeds of fuzz targets.
#ifndef MODELVAULT_TESTS_FUZZ_SEEDS_MAIN_H_
#define MODELVAULT_TESTS_FUZZ_SEEDS_MAIN_H_

#include <cstdio>
#include <string>

namespace modelvault {

// `write` puts the seeds into the folder that is the only argument. The exit code.
inline int WriteSeeds(int argc, char** argv, bool (*write)(const std::string& corpus)) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 64;
  }
  if (write(argv[1])) return 0;
  std::fprintf(stderr, "%s: cannot write the seeds\n", argv[1]);
  return 1;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_SEEDS_MAIN_H_
