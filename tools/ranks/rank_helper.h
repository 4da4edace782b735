// What every rank but the leader does.
#ifndef MODELVAULT_TOOLS_RANKS_RANK_HELPER_H_
#define MODELVAULT_TOOLS_RANKS_RANK_HELPER_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "tools/packing/executor.h"
#include "tools/ranks/rank_link.h"

namespace modelvault {

// Makes the function that runs the jobs of a task.
using PrepareFunction = std::function<absl::StatusOr<ProduceFunction>(const std::string& task)>;

// Runs the jobs of RankExecutor's tasks until there are no more, or this process is told to end. Prints nothing: errors
// go to the leader.
void HelpLeader(RankLink* link, const PrepareFunction& prepare);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_RANKS_RANK_HELPER_H_
