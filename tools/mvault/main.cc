#include <stdio.h>
#include <sys/resource.h>

#include "tools/mvault/program.h"
#include "vault/file_system.h"

int main(int argc, char** argv) {
  // pack keeps every variant's file open; the usual soft limit of 1,024 is below what a vault may hold.
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  return modelvault::RunMvault(argc, argv, modelvault::FileSystem::Default(), stdout, stderr);
}
