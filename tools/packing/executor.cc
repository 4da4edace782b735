#include "tools/packing/executor.h"

#include "vault/ordered_parallel.h"

namespace modelvault {

absl::Status ThreadExecutor::Run(const Jobs& jobs) {
  return OrderedParallel<std::string>(jobs.count, jobs.threads, jobs.produce, jobs.consume);
}

}  // namespace modelvault
