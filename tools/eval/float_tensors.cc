#include "tools/eval/float_tensors.h"

#include <bit>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/core/bytes.h"
#include "codec/core/prediction.h"

namespace modelvault {
namespace {

constexpr absl::string_view kScaleSuffix = ".scale";

// `bytes` of dtype `dtype` as floats; false for a dtype that is not one of numbers this knows.
bool ToFloats(DType dtype, absl::Span<const uint8_t> bytes, std::vector<float>* out) {
  if (dtype == DType::kF32) {
    out->resize(bytes.size() / 4);
    for (size_t i = 0; i < out->size(); ++i) (*out)[i] = std::bit_cast<float>(LoadLe32(bytes.data() + 4 * i));
  } else if (dtype == DType::kF16 || dtype == DType::kBf16) {
    out->resize(bytes.size() / 2);
    for (size_t i = 0; i < out->size(); ++i) {
      const uint16_t bits = LoadLe16(bytes.data() + 2 * i);
      (*out)[i] = std::bit_cast<float>(dtype == DType::kF16 ? F16ToF32(bits) : Bf16ToF32(bits));
    }
  } else if (dtype == DType::kI8) {
    out->resize(bytes.size());
    for (size_t i = 0; i < out->size(); ++i) (*out)[i] = static_cast<int8_t>(bytes[i]);
  } else {
    return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<FloatTensors> ReadFloatTensors(absl::string_view model_name, absl::Span<const ModelTensor> model_tensors,
                                              DataSource* data) {
  FloatTensors tensors;
  std::map<std::string, bool> integer;
  for (const ModelTensor& info : model_tensors) {
    std::vector<uint8_t> bytes(static_cast<size_t>(info.size()));
    if (absl::Status status = data->Read(info.begin, absl::MakeSpan(bytes)); !status.ok()) return status;
    FloatTensor tensor{info.shape, {}};
    if (!ToFloats(info.dtype, bytes, &tensor.values)) {
      return absl::InvalidArgumentError(absl::StrCat(model_name, ": tensor ", info.name, " is ", info.type_name(),
                                                     "; a model to be run has F32, F16, BF16 and I8 tensors"));
    }
    integer[info.name] = info.dtype == DType::kI8;
    tensors.emplace(info.name, std::move(tensor));
  }
  for (auto& [name, tensor] : tensors) {
    if (!integer[name]) continue;
    const auto scale = tensors.find(absl::StrCat(name, kScaleSuffix));
    if (scale == tensors.end() || integer[scale->first]) {
      return absl::InvalidArgumentError(absl::StrCat(
          model_name, ": tensor ", name, " is I8, but there is no F32 tensor ", name, kScaleSuffix, " to scale it"));
    }
    const std::vector<float>& scales = scale->second.values;
    const uint64_t rows = tensor.shape.size() >= 2 ? tensor.shape[0] : 1;
    if (scales.size() != 1 && scales.size() != rows) {
      return absl::InvalidArgumentError(absl::StrCat(model_name, ": tensor ", scale->first, " has ", scales.size(),
                                                     " values; expected 1 or ", rows, ", a row of ", name, " each"));
    }
    const size_t cols = rows == 0 ? 0 : tensor.values.size() / rows;
    for (size_t i = 0; i < tensor.values.size(); ++i) tensor.values[i] *= scales[scales.size() == 1 ? 0 : i / cols];
  }
  for (const auto& [name, is_integer] : integer) {
    if (is_integer) tensors.erase(absl::StrCat(name, kScaleSuffix));
  }
  return tensors;
}

}  // namespace modelvault
