#include <stdio.h>

#include "tools/mvault/program.h"
#include "vault/file_system.h"

int main(int argc, char** argv) {
  return modelvault::RunMvault(argc, argv, modelvault::FileSystem::Default(), stdout, stderr);
}
