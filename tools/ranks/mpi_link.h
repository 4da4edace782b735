// A link over MPI.
#ifndef MODELVAULT_TOOLS_RANKS_MPI_LINK_H_
#define MODELVAULT_TOOLS_RANKS_MPI_LINK_H_

#include <mpi.h>

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "tools/ranks/rank_link.h"

namespace modelvault {

// The processes that mpirun started. One object a process, between MPI_Init_thread and MPI_Finalize, used by the thread
// that called these. All processes are of one build, on machines alike. An error of MPI ends all of them, as MPI does
// by default; so does the end of any of them, by mpirun, which tells the others by SIGTERM.
class MpiLink : public RankLink {
 public:
  MpiLink();
  // Waits until all that was sent has left, unless this process was told to end.
  ~MpiLink() override;
  MpiLink(const MpiLink&) = delete;
  MpiLink& operator=(const MpiLink&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void Send(int to, Letter letter) override;
  std::optional<Letter> Receive() override;
  bool interrupted() const override;

 private:
  // A letter that is on its way.
  struct Sending {
    std::string bytes;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  void Progress();

  int rank_ = 0;
  int size_ = 1;
  MPI_Datatype block_ = MPI_DATATYPE_NULL;  // What long letters are counted in.
  std::list<Sending> sending_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_RANKS_MPI_LINK_H_
