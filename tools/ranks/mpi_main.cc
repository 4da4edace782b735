// mvault-mpi: mvault, one command of which runs in all processes that mpirun starts. Rank 0 reads the command line,
// prints and writes; the others run its jobs.
#include <mpi.h>
#include <stdio.h>
#include <unistd.h>

#include "tools/mvault/program.h"
#include "tools/packing/pack_task.h"
#include "tools/ranks/mpi_link.h"
#include "tools/ranks/rank_executor.h"
#include "tools/ranks/rank_helper.h"
#include "vault/file_system.h"

namespace modelvault {
namespace {

int RunRank(int argc, char** argv) {
  MpiLink link;
  int code = 0;
  if (link.rank() == 0) {
    RankExecutor executor(&link);
    code = RunMvault(argc, argv, FileSystem::Default(), stdout, stderr, &executor);
  } else {
    PackHelper helper(FileSystem::Default());
    HelpLeader(&link, [&](const std::string& task) { return helper.Prepare(task); });
  }
  // MPI would wait for ranks that are gone.
  if (link.interrupted()) _exit(code == 0 ? EXIT_FAILURE : code);
  return code;
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) {
  int given = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &given);
  if (given < MPI_THREAD_FUNNELED) {
    fputs("mvault-mpi: this MPI cannot be used by a process with several threads\n", stderr);
    MPI_Abort(MPI_COMM_WORLD, 70);
  }
  const int code = modelvault::RunRank(argc, argv);
  MPI_Finalize();
  return code;
}
