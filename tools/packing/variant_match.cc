#include "tools/packing/variant_match.h"

#include <algorithm>
#include <map>
#include <string>

namespace modelvault {

size_t TensorPairs::matched() const {
  return static_cast<size_t>(
      std::count_if(base_of.begin(), base_of.end(), [](const std::optional<size_t>& b) { return b.has_value(); }));
}

TensorPairs PairTensors(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant,
                        const NameRules& rules) {
  std::map<std::string, size_t> by_name;
  for (size_t i = 0; i < base.size(); ++i) by_name.emplace(base[i].name, i);
  TensorPairs pairs;
  pairs.base_of.resize(variant.size());
  std::vector<bool> taken(base.size(), false);
  const auto match = [&](size_t v, const std::string& name) {
    const auto found = by_name.find(name);
    if (found == by_name.end() || taken[found->second]) return false;
    taken[found->second] = true;
    if (base[found->second].shape == variant[v].shape) {
      pairs.base_of[v] = found->second;
    } else {
      pairs.reshaped.push_back({v, found->second});
    }
    return true;
  };
  // Names as they are come first: a rule must not take a tensor from the one that bears its name.
  std::vector<size_t> unnamed;
  for (size_t v = 0; v < variant.size(); ++v) {
    if (rules.Ignores(variant[v].name)) {
      pairs.extra.push_back(v);
    } else if (!match(v, variant[v].name)) {
      unnamed.push_back(v);
    }
  }
  for (const size_t v : unnamed) {
    if (rules.renames.empty() || !match(v, rules.Apply(variant[v].name))) pairs.extra.push_back(v);
  }
  for (size_t b = 0; b < base.size(); ++b) {
    if (!taken[b]) pairs.missing.push_back(b);
  }
  return pairs;
}

VariantMatch LayOut(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant,
                    const TensorPairs& pairs) {
  VariantMatch match;
  for (size_t v = 0; v < variant.size(); ++v) {
    const ModelTensor& t = variant[v];
    const size_t index = *pairs.base_of[v];
    const ModelTensor& b = base[index];
    LayoutEntry entry{index, t.dtype, 0};
    // Opaque elements have no size of their own, so a shape means nothing on either side of one.
    if (b.dtype == DType::kOpaque) entry.dtype = DType::kOpaque;
    if (entry.dtype == DType::kOpaque) entry.opaque_size = t.size();
    match.own_layout = match.own_layout || index != v || entry.dtype != b.dtype || t.size() != b.size();
    match.tensors.push_back(entry);
  }
  return match;
}

}  // namespace modelvault
