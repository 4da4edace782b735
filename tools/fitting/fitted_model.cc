#include "tools/fitting/fitted_model.h"

#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"

namespace modelvault {
namespace {

void AppendLe(uint64_t value, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

void AppendFloat(float value, std::vector<uint8_t>* out) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  for (int i = 0; i < 4; ++i) out->push_back(static_cast<uint8_t>(bits >> (8 * i)));
}

// Takes numbers off the front; false at the end.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  bool Number(int size, uint64_t* value) {
    if (bytes_.size() < static_cast<size_t>(size)) return false;
    *value = 0;
    for (int i = 0; i < size; ++i) *value |= uint64_t{static_cast<uint8_t>(bytes_[static_cast<size_t>(i)])} << (8 * i);
    bytes_.remove_prefix(static_cast<size_t>(size));
    return true;
  }
  bool Double(double* value) {
    uint64_t bits;
    if (!Number(8, &bits)) return false;
    *value = std::bit_cast<double>(bits);
    return true;
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  absl::string_view bytes_;
};

}  // namespace

std::string SerializeVariant(const FittedVariant& variant) {
  std::string out;
  AppendLe(std::bit_cast<uint64_t>(variant.lambda), 8, &out);
  for (const VariantTensorFit& t : variant.tensors) {
    AppendLe(t.changes.size(), 8, &out);
    AppendLe(t.floats.size(), 8, &out);
    AppendLe(std::bit_cast<uint64_t>(t.signal), 8, &out);
    AppendLe(std::bit_cast<uint64_t>(t.remaining), 8, &out);
    AppendLe(t.nonzeros, 8, &out);
    for (const int16_t c : t.changes) AppendLe(static_cast<uint16_t>(c), 2, &out);
    for (const float f : t.floats) AppendLe(std::bit_cast<uint32_t>(f), 4, &out);
  }
  return out;
}

bool ParseVariant(absl::string_view bytes, const std::vector<FitTensor>& tensors, FittedVariant* variant) {
  Reader in(bytes);
  *variant = {};
  if (!in.Double(&variant->lambda)) return false;
  for (const FitTensor& tensor : tensors) {
    VariantTensorFit t;
    uint64_t changes, floats;
    if (!in.Number(8, &changes) || !in.Number(8, &floats) || !in.Double(&t.signal) || !in.Double(&t.remaining) ||
        !in.Number(8, &t.nonzeros)) {
      return false;
    }
    const uint64_t size = tensor.base.size();
    if ((changes != 0 && (changes != size || !tensor.linear)) || (floats != 0 && (floats != size || tensor.linear))) {
      return false;
    }
    uint64_t bits;
    for (uint64_t i = 0; i < changes; ++i) {
      if (!in.Number(2, &bits)) return false;
      t.changes.push_back(static_cast<int16_t>(static_cast<uint16_t>(bits)));
    }
    for (uint64_t i = 0; i < floats; ++i) {
      if (!in.Number(4, &bits)) return false;
      t.floats.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    }
    variant->tensors.push_back(std::move(t));
  }
  return in.at_end();
}

std::string ScaleName(absl::string_view name) { return absl::StrCat(name, ".scale"); }

std::vector<ModelTensor> ExportedTensors(const std::vector<FitTensor>& tensors,
                                         const std::vector<CarriedTensor>& carried) {
  std::vector<ModelTensor> exported;
  const auto end = [&] { return exported.empty() ? 0 : exported.back().end; };
  const auto add = [&](std::string name, DType dtype, std::vector<uint64_t> shape) {
    exported.emplace_back(std::move(name), dtype, std::move(shape), end());
  };
  for (const FitTensor& t : tensors) {
    add(t.name, t.linear ? DType::kI8 : DType::kF32, t.shape);
    if (t.linear) add(ScaleName(t.name), DType::kF32, {t.rows()});
  }
  for (const CarriedTensor& t : carried) {
    ModelTensor tensor = t.info;
    tensor.begin = end();
    tensor.end = tensor.begin + t.info.size();
    exported.push_back(std::move(tensor));
  }
  return exported;
}

std::vector<uint8_t> ExportedBase(const FittedModels& models) {
  FittedVariant same;
  same.tensors.resize(models.base.size());
  return ExportedVariant(models, same);
}

std::vector<uint8_t> ExportedVariant(const FittedModels& models, const FittedVariant& variant) {
  std::vector<uint8_t> out;
  for (size_t t = 0; t < models.base.size(); ++t) {
    const FittedTensor& base = models.base[t];
    const VariantTensorFit& fit = variant.tensors[t];
    for (size_t i = 0; i < base.values.size(); ++i) {
      const int change = fit.changes.empty() ? 0 : fit.changes[i];
      out.push_back(static_cast<uint8_t>(base.values[i] + change));
    }
    for (const float step : base.steps) AppendFloat(step, &out);
    for (const float f : fit.floats.empty() ? base.floats : fit.floats) AppendFloat(f, &out);
  }
  return out;
}

}  // namespace modelvault
