// Runs jobs in all ranks of a link, from rank 0.
#ifndef MODELVAULT_TOOLS_RANKS_RANK_EXECUTOR_H_
#define MODELVAULT_TOOLS_RANKS_RANK_EXECUTOR_H_

#include <cstdint>

#include "absl/status/status.h"
#include "tools/packing/executor.h"
#include "tools/ranks/rank_link.h"

namespace modelvault {

// The leader: this rank's threads take jobs like the others', and results are consumed here. Jobs without a task run
// here alone. A rank has a few jobs more than it runs, while there are many, so that it need not wait for the next; all
// together have no more jobs and unconsumed results than that, so one slow job holds up the others instead of piling up
// their results. Errors of jobs are as if they had run here; a rank that cannot run a task is named.
class RankExecutor : public Executor {
 public:
  // `link` must outlive it.
  explicit RankExecutor(RankLink* link) : link_(link) {}
  // The others end.
  ~RankExecutor() override;
  RankExecutor(const RankExecutor&) = delete;
  RankExecutor& operator=(const RankExecutor&) = delete;

  // Besides the jobs' errors: kUnavailable when this process is told to end, and for memory that runs out in a job.
  absl::Status Run(const Jobs& jobs) override;
  int processes() const override { return link_->size(); }

 private:
  RankLink* link_;
  uint64_t tasks_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_RANKS_RANK_EXECUTOR_H_
