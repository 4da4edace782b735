#include "tools/packing/model_file.h"

#include <map>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace modelvault {
namespace {

DType DTypeOf(const std::string& name) {
  static const auto* const kTypes = new std::map<std::string, DType>{
      {"BOOL", DType::kBool}, {"U8", DType::kU8},   {"I8", DType::kI8},   {"I16", DType::kI16}, {"U16", DType::kU16},
      {"I32", DType::kI32},   {"U32", DType::kU32}, {"I64", DType::kI64}, {"U64", DType::kU64}, {"F16", DType::kF16},
      {"BF16", DType::kBf16}, {"F32", DType::kF32}, {"F64", DType::kF64},
  };
  const auto found = kTypes->find(name);
  return found == kTypes->end() ? DType::kOpaque : found->second;
}

std::string Describe(const TensorInfo& t) {
  return absl::StrCat("'", absl::CEscape(t.name), "' ", absl::CEscape(t.dtype), " [", absl::StrJoin(t.shape, ", "),
                      "]");
}

}  // namespace

TensorSpec SpecOf(const TensorInfo& tensor) {
  TensorSpec spec;
  spec.dtype = DTypeOf(tensor.dtype);
  if (spec.dtype == DType::kOpaque) {
    spec.cols = tensor.size();
    return spec;
  }
  // The file's sizes have been checked to fit; a tensor without elements may still have dimensions whose product does
  // not.
  if (tensor.size() == 0) return spec;
  spec.rows = tensor.shape.size() >= 2 ? tensor.shape[0] : 1;
  spec.cols = tensor.size() / ElementSize(static_cast<uint8_t>(spec.dtype)) / spec.rows;
  return spec;
}

std::vector<TensorSpec> SpecsOf(absl::Span<const TensorInfo> tensors) {
  std::vector<TensorSpec> specs;
  for (const TensorInfo& t : tensors) specs.push_back(SpecOf(t));
  return specs;
}

absl::StatusOr<VariantMatch> MatchVariant(absl::Span<const TensorInfo> base, absl::Span<const TensorInfo> variant,
                                          absl::string_view variant_path) {
  std::map<absl::string_view, size_t> by_name;
  for (size_t i = 0; i < base.size(); ++i) by_name.emplace(base[i].name, i);
  VariantMatch match;
  std::vector<bool> seen(base.size(), false);
  for (size_t i = 0; i < variant.size(); ++i) {
    const TensorInfo& t = variant[i];
    const auto found = by_name.find(t.name);
    if (found == by_name.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(variant_path, ": tensor ", Describe(t), " is not in the base: wrong base?"));
    }
    const TensorInfo& b = base[found->second];
    if (b.shape != t.shape) {
      return absl::InvalidArgumentError(
          absl::StrCat(variant_path, ": tensor ", Describe(t), ", but the base has ", Describe(b), ": wrong base?"));
    }
    seen[found->second] = true;
    LayoutEntry entry{found->second, SpecOf(t).dtype, 0};
    // Opaque elements have no size of their own, so a shape means nothing on either side of one.
    if (SpecOf(b).dtype == DType::kOpaque) entry.dtype = DType::kOpaque;
    if (entry.dtype == DType::kOpaque) entry.elements = t.size();
    match.own_layout = match.own_layout || found->second != i || entry.dtype != SpecOf(b).dtype || t.size() != b.size();
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
