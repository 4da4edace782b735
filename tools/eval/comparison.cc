#include "tools/eval/comparison.h"

#include "tools/eval/median.h"

namespace modelvault {
namespace {

constexpr size_t kReplicates = 2000;

uint64_t SeedOf(absl::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a.
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

Score MeanOf(const TokenScores& scores) {
  Score mean;
  for (size_t t = 0; t < scores.nll.size(); ++t) {
    mean.top1 += scores.hit[t];
    mean.nll += static_cast<double>(scores.nll[t]);
  }
  mean.top1 /= static_cast<double>(scores.nll.size());
  mean.nll /= static_cast<double>(scores.nll.size());
  return mean;
}

void Add(const Score& score, double weight, Score* sum) {
  sum->top1 += weight * score.top1;
  sum->nll += weight * score.nll;
}

void Add(const ThreeScores& scores, double weight, ThreeScores* sum) {
  Add(scores.base, weight, &sum->base);
  Add(scores.finetune, weight, &sum->finetune);
  Add(scores.restored, weight, &sum->restored);
}

// `sign` is 1 where more is better.
ChangeSummary SummarizeChange(absl::Span<const DepartmentScores> departments, double tokens, double sign,
                              double (ThreeScores::*change)() const,
                              const std::vector<double> DepartmentScores::*replicates) {
  ChangeSummary summary;
  std::vector<double> changes;
  std::vector<double> means(kReplicates);
  std::vector<double> pooled(kReplicates);
  const double share = 1 / static_cast<double>(departments.size());
  for (const DepartmentScores& d : departments) {
    const double weight = static_cast<double>(d.tokens) / tokens;
    const double value = (d.scores.*change)();
    if (changes.empty() || sign * value < sign * summary.worst) {
      summary.worst = value;
      summary.worst_name = d.name;
    }
    changes.push_back(value);
    summary.mean += share * value;
    summary.pooled += weight * value;
    for (size_t i = 0; i < kReplicates; ++i) {
      means[i] += share * (d.*replicates)[i];
      pooled[i] += weight * (d.*replicates)[i];
    }
  }
  summary.median = Median(std::move(changes));
  summary.mean_interval = PercentileInterval(std::move(means));
  summary.pooled_interval = PercentileInterval(std::move(pooled));
  return summary;
}

std::optional<double> GainKept(double base, double finetune, double restored, double sign) {
  if (sign * (finetune - base) <= 0) return std::nullopt;
  return (restored - base) / (finetune - base);
}

}  // namespace

DepartmentScores CompareScores(absl::string_view name, uint64_t bytes, size_t record_tokens, const TokenScores& base,
                               const TokenScores& finetune, const TokenScores& restored) {
  DepartmentScores result;
  result.name = std::string(name);
  result.bytes = bytes;
  result.tokens = base.nll.size();
  result.scores = {MeanOf(base), MeanOf(finetune), MeanOf(restored)};
  std::vector<double> top1(base.nll.size() / record_tokens);
  std::vector<double> nll(top1.size());
  for (size_t t = 0; t < base.nll.size(); ++t) {
    top1[t / record_tokens] += restored.hit[t] - finetune.hit[t];
    nll[t / record_tokens] += static_cast<double>(restored.nll[t]) - static_cast<double>(finetune.nll[t]);
  }
  for (size_t r = 0; r < top1.size(); ++r) {
    top1[r] /= static_cast<double>(record_tokens);
    nll[r] /= static_cast<double>(record_tokens);
  }
  result.top1_replicates = BootstrapMeans(top1, SeedOf(name), kReplicates);
  result.nll_replicates = BootstrapMeans(nll, SeedOf(name), kReplicates);
  result.top1_interval = PercentileInterval(result.top1_replicates);
  result.nll_interval = PercentileInterval(result.nll_replicates);
  return result;
}

EvalSummary Summarize(absl::Span<const DepartmentScores> departments) {
  EvalSummary summary;
  summary.departments = departments.size();
  for (const DepartmentScores& d : departments) {
    summary.tokens += d.tokens;
    summary.bytes += d.bytes;
  }
  const double tokens = static_cast<double>(summary.tokens);
  for (const DepartmentScores& d : departments) {
    Add(d.scores, 1 / static_cast<double>(departments.size()), &summary.mean);
    Add(d.scores, static_cast<double>(d.tokens) / tokens, &summary.pooled);
  }
  summary.top1 = SummarizeChange(departments, tokens, 1, &ThreeScores::top1_change, &DepartmentScores::top1_replicates);
  summary.nll = SummarizeChange(departments, tokens, -1, &ThreeScores::nll_change, &DepartmentScores::nll_replicates);
  const ThreeScores& p = summary.pooled;
  summary.top1.gain_kept = GainKept(p.base.top1, p.finetune.top1, p.restored.top1, 1);
  summary.nll.gain_kept = GainKept(p.base.nll, p.finetune.nll, p.restored.nll, -1);
  return summary;
}

}  // namespace modelvault
