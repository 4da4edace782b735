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
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    ++difference->differing;
    Include(std::abs(x - y), difference);
  }
}

absl::Status CompareTensor(const Side& a, const Side& b, TensorDifference* difference) {
  const bool same_dtype = a.tensor.dtype == b.tensor.dtype;
  const bool opaque = a.tensor.dtype == DType::kOpaque || b.tensor.dtype == DType::kOpaque;
  uint64_t count_a = a.tensor.size / a.tensor.element_size;
  uint64_t count_b = b.tensor.size / b.tensor.element_size;
  if (opaque && (!same_dtype || difference->dtype_a != difference->dtype_b || count_a != count_b)) {
    // Bytes of different meaning: there is nothing to compare.
    difference->elements = std::max(a.tensor.size, b.tensor.size);
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

absl::StatusOr<std::vector<TensorDifference>> CompareModels(const NamedVault& vault, const NamedModel& a,
                                                            const NamedModel& b, const std::string& stage,
                                                            Progress* progress) {
  const uint32_t window = vault.vault().header().segment_size;
  ModelSource source_a(a.model.get(), window);
  ModelSource source_b(b.model.get(), window);
  const VariantLayout& layout_a = a.model->layout();
  const VariantLayout& layout_b = b.model->layout();
  std::map<uint32_t, size_t> place_in_b;
  for (size_t i = 0; i < layout_b.tensor_count(); ++i) place_in_b[layout_b.tensor(i).base_index] = i;
  std::vector<TensorDifference> differences;
  for (size_t i = 0; i < layout_a.tensor_count(); ++i) {
    const VariantTensor tensor_a = layout_a.tensor(i);
    const size_t j = place_in_b.at(tensor_a.base_index);
    TensorDifference& difference = differences.emplace_back();
    difference.name = a.tensors[i].name;
    difference.dtype_a = a.tensors[i].type_name();
    difference.dtype_b = b.tensors[j].type_name();
    absl::Status status = CompareTensor({&source_a, tensor_a}, {&source_b, layout_b.tensor(j)}, &difference);
    if (!status.ok()) return status;
    progress->Update(stage, tensor_a.offset + tensor_a.size, layout_a.data_size());
  }
  return differences;
}

}  // namespace modelvault
