#include "tools/packing/variant_match.h"

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
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
      pairs.ignored.push_back(v);
    } else if (!match(v, variant[v].name)) {
      unnamed.push_back(v);
    }
  }
  for (const size_t v : unnamed) {
    if (rules.renames.empty() || !match(v, rules.Apply(variant[v].name))) pairs.extra.push_back(v);
  }
  for (size_t b = 0; b < base.size(); ++b) {
    if (!taken[b] && !rules.Ignores(base[b].name)) pairs.missing.push_back(b);
  }
  return pairs;
}

void PairByShape(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant, TensorPairs* pairs) {
  using Kind = std::pair<DType, std::vector<uint64_t>>;
  std::map<Kind, std::deque<size_t>> left;
  for (const size_t b : pairs->missing) left[{base[b].dtype, base[b].shape}].push_back(b);
  std::vector<bool> taken(base.size(), false);
  std::erase_if(pairs->extra, [&](size_t v) {
    const auto found = left.find({variant[v].dtype, variant[v].shape});
    if (found == left.end() || found->second.empty()) return false;
    pairs->base_of[v] = found->second.front();
    taken[found->second.front()] = true;
    found->second.pop_front();
    return true;
  });
  std::erase_if(pairs->missing, [&](size_t b) { return taken[b]; });
}

bool IsOfBase(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant, const TensorPairs& pairs) {
  uint64_t variant_size = DataSize(variant);
  for (const size_t v : pairs.ignored) variant_size -= variant[v].size();
  uint64_t variant_matched = 0;
  uint64_t base_size = 0;
  for (size_t v = 0; v < variant.size(); ++v) {
    if (!pairs.base_of[v].has_value()) continue;
    variant_matched += variant[v].size();
    base_size += base[*pairs.base_of[v]].size();
  }
  const uint64_t base_matched = base_size;
  for (const size_t b : pairs.missing) base_size += base[b].size();
  for (const TensorPairs::Pair& pair : pairs.reshaped) base_size += base[pair.base].size();
  return variant_matched >= variant_size - variant_matched && base_matched >= base_size - base_matched;
}

std::optional<size_t> TiedTo(absl::Span<const ModelTensor> tensors, const ModelTensor& tensor) {
  const auto is_embedding = [](const std::string& name) {
    return absl::StrContains(name, "embed") || absl::StrContains(name, "wte");
  };
  const auto is_head = [](const std::string& name) {
    return absl::StrContains(name, "head") || absl::StrContains(name, "output");
  };
  if (tensor.shape.size() != 2) return std::nullopt;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const ModelTensor& other = tensors[i];
    if (other.name == tensor.name || other.shape != tensor.shape) continue;
    const bool tied = is_embedding(other.name) ? is_embedding(tensor.name) || is_head(tensor.name)
                                               : is_head(other.name) && is_embedding(tensor.name);
    if (tied) return i;
  }
  return std::nullopt;
}

VariantMatch LayOut(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant,
                    const TensorPairs& pairs) {
  VariantMatch match;
  match.own_layout = variant.size() != base.size();
  for (size_t v = 0; v < variant.size(); ++v) {
    const ModelTensor& t = variant[v];
    const std::optional<size_t> index = pairs.base_of[v].has_value() ? pairs.base_of[v] : TiedTo(base, t);
    LayoutEntry entry{kNoBaseTensor, t.dtype, t.elements()};
    if (index.has_value()) {
      entry.base_index = *index;
      // Opaque elements have no size of their own, so a shape means nothing on either side of one.
      if (base[*index].dtype == DType::kOpaque) entry.dtype = DType::kOpaque;
      entry.elements = 0;
    }
    if (entry.dtype == DType::kOpaque) entry.elements = t.size();
    const bool as_base = index == v && entry.dtype == base[v].dtype && t.size() == base[v].size();
    match.own_layout = match.own_layout || !as_base;
    match.tensors.push_back(entry);
  }
  return match;
}

}  // namespace modelvault
