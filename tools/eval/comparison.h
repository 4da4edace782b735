// What a restored variant kept of its fine-tune: scores of one department, and of all of them together.
#ifndef MODELVAULT_TOOLS_EVAL_COMPARISON_H_
#define MODELVAULT_TOOLS_EVAL_COMPARISON_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/eval/bootstrap.h"
#include "tools/eval/transformer.h"

namespace modelvault {

// Means over tokens.
struct Score {
  double top1 = 0;  // Share of tokens that were thought the most probable.
  double nll = 0;   // Nats.
};

// The same department, or all of them, by three models.
struct ThreeScores {
  Score base;
  Score finetune;
  Score restored;

  // Restored less fine-tune: losses are negative for top-1, positive for nats.
  double top1_change() const { return restored.top1 - finetune.top1; }
  double nll_change() const { return restored.nll - finetune.nll; }
};

struct DepartmentScores {
  std::string name;
  uint64_t bytes = 0;  // That the variant takes where it is stored.
  uint64_t tokens = 0;
  ThreeScores scores;
  Interval top1_interval;  // Of top1_change().
  Interval nll_interval;
  std::vector<double> top1_replicates;  // Of the bootstrap over the department's records; those of two departments
  std::vector<double> nll_replicates;   // are independent.
};

// All three score the same tokens, whole records of `record_tokens`, at least one. The name seeds the bootstrap.
DepartmentScores CompareScores(absl::string_view name, uint64_t bytes, size_t record_tokens, const TokenScores& base,
                               const TokenScores& finetune, const TokenScores& restored);

// One figure over all departments. For top-1 and for nats; `change` is restored less fine-tune.
struct ChangeSummary {
  double mean = 0;
  Interval mean_interval;
  double median = 0;
  double worst = 0;
  std::string worst_name;
  double pooled = 0;  // Departments weighted by their tokens.
  Interval pooled_interval;
  // How much of what fine-tuning gained over the base the restored models keep, pooled; nothing where it gained none.
  std::optional<double> gain_kept;
};

struct EvalSummary {
  uint64_t departments = 0;
  uint64_t tokens = 0;
  uint64_t bytes = 0;
  ThreeScores mean;    // Every department counts the same.
  ThreeScores pooled;  // Every token counts the same.
  ChangeSummary top1;
  ChangeSummary nll;
};

// At least one department.
EvalSummary Summarize(absl::Span<const DepartmentScores> departments);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_EVAL_COMPARISON_H_
