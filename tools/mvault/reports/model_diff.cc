#include "tools/mvault/reports/model_diff.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "restore/model_source.h"
#include "tools/mvault/reports/element_value.h"

namespace modelvault {
namespace {

constexpr size_t kPiece = 64 << 10;  // Elements compared at a time.

// A tensor of one of the two models.
struct Side {
  ModelSource* source;
  VariantTensor tensor;
};

void Include(double distance, TensorDifference* difference) {
  if (std::isnan(distance)) return;
  difference->max_difference = std::max(difference->max_difference.value_or(0), distance);
}

// Elements of one dtype: whole pieces that are equal, as most are, cost a memcmp.
void CompareSame(DType dtype, const std::vector<uint8_t>& a, const std::vector<uint8_t>& b,
                 TensorDifference* difference) {
  if (a == b) return;
  const size_t size = ElementSize(static_cast<uint8_t>(dtype));
  for (size_t at = 0; at < a.size(); at += size) {
    if (std::memcmp(&a[at], &b[at], size) == 0) continue;
    ++difference->differing;
    if (dtype != DType::kOpaque) Include(ElementDistance(dtype, &a[at], &b[at]), difference);
  }
}

void CompareValues(DType dtype_a, const std::vector<uint8_t>& a, DType dtype_b, const std::vector<uint8_t>& b,
                   TensorDifference* difference) {
  const size_t size_a = ElementSize(static_cast<uint8_t>(dtype_a));
  const size_t size_b = ElementSize(static_cast<uint8_t>(dtype_b));
  for (size_t i = 0; i < a.size() / size_a; ++i) {
    const double x = ElementValue(dtype_a, &a[i * size_a]);
    const double y = ElementValue(dtype_b, &b[i * size_b]);
    if (SameValue(x, y)) continue;
    ++difference->differing;
    Include(std::abs(x - y), difference);
  }
}

absl::Status CompareTensor(const Side& a, const Side& b, TensorDifference* difference) {
  const bool same_dtype = a.tensor.dtype == b.tensor.dtype;
  const bool opaque = a.tensor.dtype == DType::kOpaque || b.tensor.dtype == DType::kOpaque;
  const uint64_t count_a = a.tensor.size / a.tensor.element_size;
  const uint64_t count_b = b.tensor.size / b.tensor.element_size;
  // Of two shapes, or bytes of different meaning: there is nothing to compare.
  if (count_a != count_b || (opaque && difference->dtype_a != difference->dtype_b)) {
    difference->elements = std::max(count_a, count_b);
    difference->differing = difference->elements;
    return absl::OkStatus();
  }
  difference->elements = count_a;
  std::vector<uint8_t> bytes_a;
  std::vector<uint8_t> bytes_b;
  for (uint64_t done = 0; done < count_a;) {
    const uint64_t count = std::min<uint64_t>(kPiece, count_a - done);
    bytes_a.resize(static_cast<size_t>(count * a.tensor.element_size));
    bytes_b.resize(static_cast<size_t>(count * b.tensor.element_size));
    absl::Status status = a.source->Read(a.tensor.offset + done * a.tensor.element_size, absl::MakeSpan(bytes_a));
    if (!status.ok()) return status;
    status = b.source->Read(b.tensor.offset + done * b.tensor.element_size, absl::MakeSpan(bytes_b));
    if (!status.ok()) return status;
    if (same_dtype) {
      CompareSame(a.tensor.dtype, bytes_a, bytes_b, difference);
    } else {
      CompareValues(a.tensor.dtype, bytes_a, b.tensor.dtype, bytes_b, difference);
    }
    done += count;
  }
  return absl::OkStatus();
}

}  // namespace

TensorPartners PartnersByName(const NamedModel& a, const NamedModel& b) {
  std::map<std::string, size_t> by_name;
  for (size_t j = 0; j < b.tensors.size(); ++j) by_name.emplace(b.tensors[j].name, j);
  TensorPartners partners(a.tensors.size());
  std::vector<bool> taken(b.tensors.size(), false);
  for (size_t i = 0; i < partners.size(); ++i) {
    const auto found = by_name.find(a.tensors[i].name);
    if (found == by_name.end()) continue;
    partners[i] = found->second;
    taken[found->second] = true;
  }
  std::map<uint32_t, size_t> by_base;
  for (size_t j = 0; j < b.tensors.size(); ++j) {
    const uint32_t base_index = b.model->layout().tensor(j).base_index;
    if (!taken[j] && base_index != kNoBaseTensor) by_base.emplace(base_index, j);
  }
  for (size_t i = 0; i < partners.size(); ++i) {
    if (partners[i].has_value()) continue;
    const auto found = by_base.find(a.model->layout().tensor(i).base_index);
    if (found == by_base.end()) continue;
    partners[i] = found->second;
    by_base.erase(found);
  }
  return partners;
}

TensorPartners PartnersInBase(const NamedModel& variant) {
  TensorPartners partners(variant.tensors.size());
  for (size_t i = 0; i < partners.size(); ++i) {
    const uint32_t base_index = variant.model->layout().tensor(i).base_index;
    if (base_index != kNoBaseTensor) partners[i] = base_index;
  }
  return partners;
}

absl::StatusOr<std::vector<TensorDifference>> CompareModels(const NamedVault& vault, const NamedModel& a,
                                                            const NamedModel& b, const TensorPartners& partners,
                                                            const std::string& stage, Progress* progress) {
  const uint32_t window = vault.vault().header().segment_size;
  ModelSource source_a(a.model.get(), window);
  ModelSource source_b(b.model.get(), window);
  const VariantLayout& layout_a = a.model->layout();
  const VariantLayout& layout_b = b.model->layout();
  std::vector<TensorDifference> differences;
  std::vector<bool> in_both(layout_b.tensor_count(), false);
  for (size_t i = 0; i < layout_a.tensor_count(); ++i) {
    const VariantTensor tensor_a = layout_a.tensor(i);
    TensorDifference& difference = differences.emplace_back();
    difference.name = a.tensors[i].name;
    difference.dtype_a = a.tensors[i].type_name();
    if (!partners[i].has_value()) {
      difference.elements = difference.differing = tensor_a.size / tensor_a.element_size;
      continue;
    }
    const size_t j = *partners[i];
    in_both[j] = true;
    difference.dtype_b = b.tensors[j].type_name();
    absl::Status status = CompareTensor({&source_a, tensor_a}, {&source_b, layout_b.tensor(j)}, &difference);
    if (!status.ok()) return status;
    progress->Update(stage, tensor_a.offset + tensor_a.size, layout_a.data_size());
  }
  for (size_t j = 0; j < in_both.size(); ++j) {
    if (in_both[j]) continue;
    const VariantTensor tensor_b = layout_b.tensor(j);
    TensorDifference& difference = differences.emplace_back();
    difference.name = b.tensors[j].name;
    difference.dtype_b = b.tensors[j].type_name();
    difference.elements = difference.differing = tensor_b.size / tensor_b.element_size;
  }
  return differences;
}

}  // namespace modelvault
