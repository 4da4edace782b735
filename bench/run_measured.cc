// run_measured: runs a command and says what it took. As small as can be, because the peak memory of a process counts
// from before exec: a Python wrapper would report its own size for a small command.
//
//   run_measured FILE COMMAND [ARGUMENT...]
//
// Writes {"wall_s", "user_s", "system_s", "peak_rss_bytes"} as JSON to FILE and exits as the command did (128 + the
// signal's number if one ended it); 127 if it could not be started, 126 if FILE could not be written. Wall time is from
// fork to exit: process start included.

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

double Seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); }

double Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s FILE COMMAND [ARGUMENT...]\n", argv[0]);
    return 127;
  }
  const double start = Now();
  const pid_t child = fork();
  if (child == 0) {
    execvp(argv[2], argv + 2);
    fprintf(stderr, "run_measured: %s: %s\n", argv[2], strerror(errno));
    _exit(127);
  }
  int status = 0;
  rusage usage;
  if (child < 0 || wait4(child, &status, 0, &usage) != child) {
    fprintf(stderr, "run_measured: %s: %s\n", argv[2], strerror(errno));
    return 127;
  }
  const double wall = Now() - start;
  FILE* out = fopen(argv[1], "w");
  // Linux counts ru_maxrss in KiB.
  if (out == nullptr ||
      fprintf(out, "{\"wall_s\": %.6f, \"user_s\": %.6f, \"system_s\": %.6f, \"peak_rss_bytes\": %lld}\n", wall,
              Seconds(usage.ru_utime), Seconds(usage.ru_stime), static_cast<long long>(usage.ru_maxrss) * 1024) < 0 ||
      fclose(out) != 0) {
    fprintf(stderr, "run_measured: cannot write %s: %s\n", argv[1], strerror(errno));
    return 126;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
