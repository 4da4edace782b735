#include "tools/packing/rename_guess.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace modelvault {
namespace {

constexpr size_t kMostNames = 200;  // Of each side; names of one model differ from another's all alike.
constexpr size_t kMostRules = 4;
constexpr size_t kMostCandidates = 8;  // Tried on all names, the most frequent first.

using Parts = std::vector<std::string>;

Parts PartsOf(const std::string& name) { return absl::StrSplit(name, '.'); }

std::string Joined(const Parts& parts, size_t begin, size_t end) {
  return absl::StrJoin(parts.begin() + static_cast<std::ptrdiff_t>(begin),
                       parts.begin() + static_cast<std::ptrdiff_t>(end), ".");
}

// The rule that makes `to` of `from`, changing as few parts as it can. `cost` is how many.
NameRule RuleBetween(const Parts& from, const Parts& to, size_t* cost) {
  const size_t shorter = std::min(from.size(), to.size());
  size_t head = 0;
  while (head < shorter && from[head] == to[head]) ++head;
  size_t tail = 0;
  while (tail < shorter - head && from[from.size() - 1 - tail] == to[to.size() - 1 - tail]) ++tail;
  *cost = from.size() + to.size() - 2 * (head + tail);
  NameRule rule{Joined(from, head, from.size() - tail), Joined(to, head, to.size() - tail)};
  // Parts that come or go take the dot beside them along.
  const bool gone = rule.to.empty();
  const bool come = rule.from.empty();
  if (!gone && !come) return rule;
  if (tail > 0) {
    if (gone) rule.from += '.';
    if (come) rule.to += '.';
    // What is put in needs something to stand before, except at the very start.
    if (come && head > 0) rule = {from[head - 1] + ".", from[head - 1] + "." + rule.to};
  } else {
    if (gone) rule.from = "." + rule.from;
    if (come && head > 0) rule = {from[head - 1], from[head - 1] + "." + rule.to};
  }
  return rule;
}

// Rules between names of tensors of one shape that lack a match, the most frequent first.
std::vector<NameRule> Candidates(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant,
                                 const NameRules& rules, const TensorPairs& pairs) {
  std::map<std::pair<std::string, std::string>, size_t> count;
  const auto least = [](size_t n) { return std::min(n, kMostNames); };
  for (size_t i = 0; i < least(pairs.extra.size()); ++i) {
    const ModelTensor& extra = variant[pairs.extra[i]];
    const Parts from = PartsOf(rules.Apply(extra.name));
    size_t cheapest = from.size() + 1;
    std::vector<NameRule> best;
    for (size_t j = 0; j < least(pairs.missing.size()); ++j) {
      const ModelTensor& missing = base[pairs.missing[j]];
      if (missing.shape != extra.shape) continue;
      size_t cost = 0;
      NameRule rule = RuleBetween(from, PartsOf(missing.name), &cost);
      if (cost > cheapest) continue;
      if (cost < cheapest) best.clear();
      cheapest = cost;
      best.push_back(std::move(rule));
    }
    for (const NameRule& rule : best) ++count[{rule.from, rule.to}];
  }
  std::vector<std::pair<size_t, NameRule>> sorted;
  for (const auto& [rule, n] : count) sorted.push_back({n, {rule.first, rule.second}});
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<NameRule> candidates;
  for (size_t i = 0; i < std::min(sorted.size(), kMostCandidates); ++i) candidates.push_back(sorted[i].second);
  return candidates;
}

}  // namespace

RenameGuess GuessRenames(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant,
                         const NameRules& given) {
  RenameGuess guess{given, 0, PairTensors(base, variant, given)};
  while (guess.found < kMostRules && !guess.pairs.extra.empty() && !guess.pairs.missing.empty()) {
    std::optional<TensorPairs> best;
    NameRule best_rule;
    for (const NameRule& candidate : Candidates(base, variant, guess.rules, guess.pairs)) {
      NameRules with = guess.rules;
      with.renames.push_back(candidate);
      TensorPairs pairs = PairTensors(base, variant, with);
      if (pairs.matched() <= (best.has_value() ? best->matched() : guess.pairs.matched())) continue;
      best = std::move(pairs);
      best_rule = candidate;
    }
    if (!best.has_value()) break;
    // One name that happens to be near another is no rule, unless that is all there is.
    const size_t gain = best->matched() - guess.pairs.matched();
    if (gain < 2 && !best->complete()) break;
    guess.rules.renames.push_back(best_rule);
    guess.pairs = *std::move(best);
    ++guess.found;
  }
  return guess;
}

}  // namespace modelvault
