// Results of jobs, kept in a work folder for a run that comes after one that was interrupted.
#ifndef MODELVAULT_TOOLS_PACKING_KEPT_RESULTS_H_
#define MODELVAULT_TOOLS_PACKING_KEPT_RESULTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/packing/executor.h"
#include "tools/packing/work_folder.h"
#include "vault/file_system.h"

namespace modelvault {

// Gives what the folder has of a job with the same key, else what `produce` gives, which the folder then has. One byte
// more than the result, at its end, tells which. All of these live as long as the result.
ProduceFunction ProduceOnce(std::shared_ptr<const WorkFolder> folder, ProduceFunction produce, KeyFunction key);

// Runs jobs that have a key by ProduceOnce, and the others as they are, where `inner` runs them. The task of a job must
// do the same. Both must outlive it.
class KeepingExecutor : public Executor {
 public:
  KeepingExecutor(Executor* inner, std::shared_ptr<const WorkFolder> folder)
      : inner_(inner), folder_(std::move(folder)) {}

  absl::Status Run(const Jobs& jobs) override;
  int processes() const override { return inner_->processes(); }

  // Of the jobs with a key so far: how many there were, and how many of them were found done.
  uint64_t jobs() const { return jobs_; }
  uint64_t found() const { return found_; }

 private:
  Executor* inner_;
  std::shared_ptr<const WorkFolder> folder_;
  uint64_t jobs_ = 0;
  uint64_t found_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_KEPT_RESULTS_H_
