#include "bench/delta_plane.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "codec/core/codec_format.h"
#include "codec/core/prediction.h"
#include "codec/weight_groups.h"
#include "tools/formats/model_formats.h"

namespace modelvault::bench {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kTritsPerByte = 5;

struct LoadedModel {
  std::string header;
  std::vector<ModelTensor> tensors;
  Bytes data;

  absl::Span<const uint8_t> tensor(size_t i) const {
    return absl::MakeConstSpan(data).subspan(static_cast<size_t>(tensors[i].begin),
                                             static_cast<size_t>(tensors[i].size()));
  }
};

absl::StatusOr<LoadedModel> Load(FileSystem& file_system, const std::string& path) {
  absl::StatusOr<ModelFile> file = OpenModelFile(file_system, path);
  if (!file.ok()) return file.status();
  LoadedModel model{file->frame(), file->tensors(), Bytes(static_cast<size_t>(file->data_size()))};
  if (absl::Status status = file->ReadData(0, absl::MakeSpan(model.data)); !status.ok()) return status;
  return model;
}

size_t GroupCount(size_t weights) { return (weights + kGroupSize - 1) / kGroupSize; }

void AppendXor(absl::Span<const uint8_t> base, absl::Span<const uint8_t> variant, std::string* out) {
  for (size_t i = 0; i < variant.size(); ++i) {
    out->push_back(static_cast<char>(variant[i] ^ (i < base.size() ? base[i] : 0)));
  }
}

double Order0Bytes(const std::array<uint64_t, 256>& histogram) {
  double total = 0, bits = 0;
  for (uint64_t count : histogram) total += static_cast<double>(count);
  for (uint64_t count : histogram) {
    if (count > 0) bits -= static_cast<double>(count) * std::log2(static_cast<double>(count) / total);
  }
  return bits / 8;
}

bool IsTernary(absl::Span<const uint8_t> base, absl::Span<const uint8_t> variant) {
  const std::vector<WeightGroup> groups = AnalyzeGroups(0, base, variant);
  return std::all_of(groups.begin(), groups.end(), [](const WeightGroup& group) { return group.least != 0; });
}

void AppendTrits(absl::Span<const uint8_t> base, absl::Span<const uint8_t> variant, std::string* trits,
                 std::string* scales) {
  for (size_t at = 0; at < base.size(); at += kTritsPerByte) {
    unsigned packed = 0;
    for (size_t i = std::min(base.size(), at + kTritsPerByte); i-- > at;) {
      const int delta = static_cast<int8_t>(variant[i]) - static_cast<int8_t>(base[i]);
      packed = 3 * packed + static_cast<unsigned>(delta == 0 ? 0 : delta > 0 ? 1 : 2);
    }
    trits->push_back(static_cast<char>(packed));
  }
  // A group without a difference keeps the scale before it: the cheapest filler for a compressor.
  uint8_t last = 1;
  for (const WeightGroup& group : AnalyzeGroups(0, base, variant)) {
    last = ChooseScale(group, last);
    scales->push_back(static_cast<char>(last));
  }
}

}  // namespace

absl::StatusOr<DeltaPlane> MakeDeltaPlane(FileSystem& file_system, const std::string& base_path,
                                          const std::string& variant_path) {
  const absl::StatusOr<LoadedModel> base = Load(file_system, base_path);
  if (!base.ok()) return base.status();
  const absl::StatusOr<LoadedModel> variant = Load(file_system, variant_path);
  if (!variant.ok()) return variant.status();
  if (base->tensors != variant->tensors) {
    return absl::InvalidArgumentError(absl::StrCat(variant_path, ": other tensors than ", base_path));
  }
  DeltaPlane plane;
  std::vector<size_t> int8;
  for (size_t t = 0; t < base->tensors.size(); ++t) {
    if (base->tensors[t].dtype != DType::kI8) continue;
    int8.push_back(t);
    if (!IsTernary(base->tensor(t), variant->tensor(t))) plane.kind = PlaneKind::kResiduals;
  }
  std::string scales;
  plane.bytes.push_back(static_cast<char>(plane.kind));
  for (size_t t : int8) {
    const absl::Span<const uint8_t> b = base->tensor(t), v = variant->tensor(t);
    std::array<uint64_t, 256> histogram{};
    for (size_t i = 0; i < b.size(); ++i) {
      const uint8_t residual = static_cast<uint8_t>(v[i] - b[i]);
      plane.differing += residual != 0 ? 1 : 0;
      if (plane.kind == PlaneKind::kResiduals) {
        plane.bytes.push_back(static_cast<char>(residual));
        ++histogram[residual];
      } else {
        ++histogram[v[i] == b[i] ? 0 : static_cast<int8_t>(v[i]) > static_cast<int8_t>(b[i]) ? 1 : 2];
      }
    }
    plane.weights += b.size();
    plane.order0_bytes += Order0Bytes(histogram);
    if (plane.kind == PlaneKind::kTrits) AppendTrits(b, v, &plane.bytes, &scales);
  }
  plane.difference_size = plane.bytes.size() - 1;
  plane.bytes += scales;
  for (size_t t = 0; t < base->tensors.size(); ++t) {
    if (base->tensors[t].dtype != DType::kI8) AppendXor(base->tensor(t), variant->tensor(t), &plane.bytes);
  }
  const auto header = [](const LoadedModel& model) {
    return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(model.header.data()), model.header.size());
  };
  AppendXor(header(*base), header(*variant), &plane.bytes);
  return plane;
}

absl::StatusOr<std::string> JoinDeltaPlane(FileSystem& file_system, const std::string& base_path,
                                           absl::string_view plane) {
  absl::StatusOr<LoadedModel> base = Load(file_system, base_path);
  if (!base.ok()) return base.status();
  uint64_t trit_bytes = 0, groups = 0, weights = 0, others = 0;
  for (const ModelTensor& t : base->tensors) {
    const size_t size = static_cast<size_t>(t.size());
    if (t.dtype != DType::kI8) {
      others += size;
      continue;
    }
    weights += size;
    trit_bytes += (size + kTritsPerByte - 1) / kTritsPerByte;
    groups += GroupCount(size);
  }
  const bool trits = !plane.empty() && plane[0] == static_cast<char>(PlaneKind::kTrits);
  const uint64_t differences = trits ? trit_bytes + groups : weights;
  if (plane.size() < 1 + differences + others) {
    return absl::InvalidArgumentError(absl::StrCat("a plane of ", plane.size(), " bytes, expected at least ",
                                                   1 + differences + others, " for ", base_path));
  }
  const auto* at = reinterpret_cast<const uint8_t*>(plane.data()) + 1;
  const uint8_t* scale = at + trit_bytes;
  const uint8_t* other = at + differences;
  for (const ModelTensor& t : base->tensors) {
    const auto data = absl::MakeSpan(base->data).subspan(static_cast<size_t>(t.begin), static_cast<size_t>(t.size()));
    if (t.dtype != DType::kI8) {
      for (uint8_t& byte : data) byte ^= *other++;
    } else if (!trits) {
      for (uint8_t& byte : data) byte = static_cast<uint8_t>(byte + *at++);
    } else {
      unsigned packed = 0;
      for (size_t i = 0; i < data.size(); ++i) {
        packed = i % kTritsPerByte == 0 ? *at++ : packed / 3;
        const int d = packed % 3 == 2 ? -1 : static_cast<int>(packed % 3);
        const uint16_t q88 = static_cast<uint16_t>(scale[i / kGroupSize] << 8);
        data[i] = static_cast<uint8_t>(ApplyTrit(static_cast<int8_t>(data[i]), q88, d));
      }
      scale += GroupCount(data.size());
    }
  }
  std::string file(plane.substr(1 + differences + others));
  for (size_t i = 0; i < std::min(file.size(), base->header.size()); ++i) {
    file[i] = static_cast<char>(file[i] ^ base->header[i]);
  }
  file.append(reinterpret_cast<const char*>(base->data.data()), base->data.size());
  return file;
}

}  // namespace modelvault::bench
