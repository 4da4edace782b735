// Letters between the processes ("ranks") of one run.
#ifndef MODELVAULT_TOOLS_RANKS_RANK_LINK_H_
#define MODELVAULT_TOOLS_RANKS_RANK_LINK_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace modelvault {

enum class LetterKind : uint8_t {
  // From the leader, rank 0:
  kTask,  // `bytes` are the task of the jobs to come; `number`: how many run at a time.
  kJob,   // Run job `number` of the last task.
  kStop,  // No more of the last task; what was not begun is not to be.
  kEnd,   // No more tasks.
  // To the leader:
  kResult,  // Of job `number`: `bytes` if `code` is OK, else an error and its message.
  kFailed,  // The last task cannot be run: `code` and its message.
};

struct Letter {
  int from = 0;  // Set by Receive().
  LetterKind kind = LetterKind::kEnd;
  uint64_t task = 0;  // Which task it belongs to, counted by the leader.
  uint64_t number = 0;
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string bytes;
};

// One rank's end of the link. Serves one thread.
class RankLink {
 public:
  virtual ~RankLink() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;  // Ranks; at least 1.

  // Letters from one rank to another arrive in order. Does not wait for the other; what is on its way goes on with each
  // call of either function.
  virtual void Send(int to, Letter letter) = 0;
  // A letter that has come, if there is one.
  virtual std::optional<Letter> Receive() = 0;

  // Whether this process has been told to end.
  virtual bool interrupted() const = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_RANKS_RANK_LINK_H_
