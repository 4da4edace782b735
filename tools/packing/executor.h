// Where the packer's jobs run: on threads of this process, or in several processes.
#ifndef MODELVAULT_TOOLS_PACKING_EXECUTOR_H_
#define MODELVAULT_TOOLS_PACKING_EXECUTOR_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace modelvault {

// Gives the result of job i as bytes. Thread-safe; the same bytes wherever it runs.
using ProduceFunction = std::function<absl::StatusOr<std::string>(uint64_t)>;

// All that the result of job i depends on, as bytes.
using KeyFunction = std::function<std::string(uint64_t)>;

// Jobs of one kind, whose results are wanted in order.
struct Jobs {
  uint64_t count = 0;
  int threads = 1;  // Jobs at a time in a process.
  ProduceFunction produce;
  // Called by the thread that called Run, with job 0 … count-1 in order.
  std::function<absl::Status(uint64_t, std::string)> consume;
  // Bytes from which another process makes the same `produce`; not called where there is none. Empty: only this process
  // can run these jobs.
  std::function<std::string()> task;
  // Empty: results are not worth keeping.
  KeyFunction key;
};

class Executor {
 public:
  virtual ~Executor() = default;

  // Runs all jobs. The first error of a job or of `consume`, in order, ends it and is returned; everything else is then
  // dropped. At most a few results for each job that runs exist at a time.
  virtual absl::Status Run(const Jobs& jobs) = 0;

  // Processes that run jobs which have a task; this one is among them.
  virtual int processes() const = 0;
};

// This process alone.
class ThreadExecutor : public Executor {
 public:
  absl::Status Run(const Jobs& jobs) override;
  int processes() const override { return 1; }
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_EXECUTOR_H_
