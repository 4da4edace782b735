#include "tools/packing/kept_results.h"

#include <optional>

namespace modelvault {
namespace {

constexpr char kMade = 0;
constexpr char kFound = 1;

}  // namespace

ProduceFunction ProduceOnce(std::shared_ptr<const WorkFolder> folder, ProduceFunction produce, KeyFunction key) {
  return [folder = std::move(folder), produce = std::move(produce),
          key = std::move(key)](uint64_t job) -> absl::StatusOr<std::string> {
    const WorkFolder::Key name = KeyOf(key(job));
    if (std::optional<std::string> found = folder->Load(name); found.has_value()) {
      found->push_back(kFound);
      return *std::move(found);
    }
    absl::StatusOr<std::string> made = produce(job);
    if (!made.ok()) return made;
    if (absl::Status status = folder->Store(name, *made); !status.ok()) return status;
    made->push_back(kMade);
    return made;
  };
}

absl::Status KeepingExecutor::Run(const Jobs& jobs) {
  if (!jobs.key) return inner_->Run(jobs);
  Jobs kept = jobs;
  kept.produce = ProduceOnce(folder_, jobs.produce, jobs.key);
  kept.consume = [&](uint64_t job, std::string result) {
    if (result.empty()) return absl::InternalError("the result of a job is empty");
    ++jobs_;
    if (result.back() == kFound) ++found_;
    result.pop_back();
    return jobs.consume(job, std::move(result));
  };
  return inner_->Run(kept);
}

}  // namespace modelvault
