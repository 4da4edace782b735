#include "tools/packing/variant_match.h"

#include <map>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace modelvault {
namespace {

std::string Describe(const ModelTensor& t) {
  return absl::StrCat("'", absl::CEscape(t.name), "' ", absl::CEscape(t.type_name()), " [",
                      absl::StrJoin(t.shape, ", "), "]");
}

}  // namespace

absl::StatusOr<VariantMatch> MatchVariant(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant,
                                          absl::string_view variant_path) {
  std::map<absl::string_view, size_t> by_name;
  for (size_t i = 0; i < base.size(); ++i) by_name.emplace(base[i].name, i);
  VariantMatch match;
  std::vector<bool> seen(base.size(), false);
  for (size_t i = 0; i < variant.size(); ++i) {
    const ModelTensor& t = variant[i];
    const auto found = by_name.find(t.name);
    if (found == by_name.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(variant_path, ": tensor ", Describe(t), " is not in the base: wrong base?"));
    }
    const ModelTensor& b = base[found->second];
    if (b.shape != t.shape) {
      return absl::InvalidArgumentError(
          absl::StrCat(variant_path, ": tensor ", Describe(t), ", but the base has ", Describe(b), ": wrong base?"));
    }
    seen[found->second] = true;
    LayoutEntry entry{found->second, t.dtype, 0};
    // Opaque elements have no size of their own, so a shape means nothing on either side of one.
    if (b.dtype == DType::kOpaque) entry.dtype = DType::kOpaque;
    if (entry.dtype == DType::kOpaque) entry.opaque_size = t.size();
    match.own_layout = match.own_layout || found->second != i || entry.dtype != b.dtype || t.size() != b.size();
    match.tensors.push_back(entry);
  }
  for (size_t i = 0; i < base.size(); ++i) {
    if (!seen[i]) {
      return absl::InvalidArgumentError(
          absl::StrCat(variant_path, ": lacks the base's tensor ", Describe(base[i]), ": wrong base?"));
    }
  }
  return match;
}

}  // namespace modelvault
