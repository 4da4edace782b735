#include "tools/packing/base_choice.h"

#include <algorithm>

namespace modelvault {
namespace {

class BaseChoice {
 public:
  explicit BaseChoice(const PackingCosts& costs) : costs_(costs), total_(Total({})) {}

  // One step; whether there was any that helps.
  bool Improve() {
    best_ = bases_;
    best_total_ = total_;
    const size_t count = costs_.alone.size();
    for (size_t m = 0; m < count; ++m) {
      if (!IsBase(m)) Try(bases_.size(), m);
    }
    for (size_t k = 0; k < bases_.size(); ++k) {
      Try(k, count);
      for (size_t m = 0; m < count; ++m) {
        // Only one of its own kind can take a base's place.
        if (!IsBase(m) && costs_.as_variant[bases_[k]][m] != kNoVariant) Try(k, m);
      }
    }
    if (best_total_ >= total_) return false;
    bases_ = best_;
    total_ = best_total_;
    return true;
  }

  std::vector<size_t> Bases() const {
    std::vector<size_t> chosen;
    for (size_t m = 0; m < costs_.alone.size(); ++m) chosen.push_back(BaseOf(m, bases_));
    return chosen;
  }

 private:
  bool IsBase(size_t model) const { return std::find(bases_.begin(), bases_.end(), model) != bases_.end(); }

  size_t BaseOf(size_t model, const std::vector<size_t>& bases) const {
    size_t base = model;
    uint64_t least = costs_.alone[model];
    for (const size_t b : bases) {
      if (b == model) return model;
      const uint64_t cost = costs_.as_variant[model][b];
      if (cost != kNoVariant && (cost < least || (cost == least && base != model && b < base))) {
        base = b;
        least = cost;
      }
    }
    return base;
  }

  uint64_t Total(const std::vector<size_t>& bases) const {
    uint64_t total = 0;
    for (size_t m = 0; m < costs_.alone.size(); ++m) {
      const size_t base = BaseOf(m, bases);
      total += base == m ? costs_.alone[m] : costs_.as_variant[m][base];
    }
    return total;
  }

  // With `model` in place of the base at `place`, which may be the end; the number of models stands for none.
  void Try(size_t place, size_t model) {
    std::vector<size_t> bases = bases_;
    if (place < bases.size()) bases.erase(bases.begin() + static_cast<ptrdiff_t>(place));
    if (model < costs_.alone.size()) bases.push_back(model);
    const uint64_t total = Total(bases);
    if (total >= best_total_) return;
    best_ = bases;
    best_total_ = total;
  }

  const PackingCosts& costs_;
  std::vector<size_t> bases_;
  uint64_t total_;
  std::vector<size_t> best_;
  uint64_t best_total_ = 0;
};

}  // namespace

std::vector<size_t> ChooseBases(const PackingCosts& costs) {
  BaseChoice choice(costs);
  while (choice.Improve()) {
  }
  return choice.Bases();
}

}  // namespace modelvault
