#include "tests/tools/packing/model_files.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/core/prediction.h"
#include "tools/formats/safetensors.h"

namespace modelvault {
namespace {

constexpr const char* kDtypes[] = {"I8",   "I8", "I8",  "I8",      "F32",     "F32",  "F16", "BF16",
                                   "BOOL", "U8", "I16", "U16",     "I32",     "U32",  "I64", "U64",
                                   "F64",  "F4", "C64", "F8_E4M3", "F8_E5M2", "NEW_9"};

template <typename T>
void Shuffle(std::vector<T>* items, TestRandom* random) {
  for (size_t i = items->size(); i > 1; --i) std::swap((*items)[i - 1], (*items)[random->Below(i)]);
}

std::string WithLength(const std::string& json, const std::string& data) {
  std::string file(8, '\0');
  Store<uint64_t>(&file, 0, json.size());
  return file + json + data;
}

// Begin and end of each tensor.
std::vector<std::pair<size_t, size_t>> Places(const FileModel& model) {
  std::vector<std::pair<size_t, size_t>> places;
  size_t at = 0;
  for (const FileTensor& t : model.tensors) {
    places.emplace_back(at, at + t.data.size());
    at += t.data.size();
  }
  return places;
}

std::string DataOf(const FileModel& model) {
  std::string data;
  for (const FileTensor& t : model.tensors) data += t.data;
  return data;
}

uint8_t* Bytes(std::string* data) { return reinterpret_cast<uint8_t*>(data->data()); }

}  // namespace

size_t TensorSize(const std::string& dtype, const std::vector<uint64_t>& shape) {
  const uint64_t count = *ElementCount(shape);
  const uint32_t bits = SafetensorsTensor("", dtype, shape, 0, 0).element_bits();
  return bits != 0 ? count * bits / 8 : count * 3;
}

FileTensor MakeTensor(std::string name, std::string dtype, std::vector<uint64_t> shape, TestRandom* random) {
  FileTensor tensor{std::move(name), std::move(dtype), std::move(shape), {}};
  tensor.data = random->Bytes(TensorSize(tensor.dtype, tensor.shape));
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    // Trained weights lie around zero.
    if (tensor.dtype == "I8") {
      tensor.data[i] = static_cast<char>(random->Below(16) + random->Below(16) - 15);
    } else if ((tensor.dtype == "F32" && i % 4 == 3) || (tensor.dtype == "BF16" && i % 2 == 1)) {
      tensor.data[i] = random->Below(2) == 0 ? '\x3D' : '\xBD';
    }
  }
  return tensor;
}

std::string Serialize(const FileModel& model) {
  std::vector<ModelTensor> tensors;
  const auto places = Places(model);
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    const FileTensor& t = model.tensors[i];
    tensors.push_back(SafetensorsTensor(t.name, t.dtype, t.shape, places[i].first, places[i].second));
  }
  const auto header = SafetensorsHeaderFor(tensors, SafetensorsMetadata(model.metadata.begin(), model.metadata.end()));
  EXPECT_THAT(header, IsOk());
  return *header + DataOf(model);
}

std::string SerializeOddly(const FileModel& model, TestRandom* random) {
  const auto space = [&] {
    return std::string(random->Below(3) == 0 ? random->Below(4) : 0, " \n\t"[random->Below(3)]);
  };
  const auto places = Places(model);
  std::vector<std::string> entries;
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    const FileTensor& t = model.tensors[i];
    std::vector<std::string> fields = {
        absl::StrCat("\"dtype\":", space(), "\"", t.dtype, "\""),
        absl::StrCat("\"shape\":[", space(), absl::StrJoin(t.shape, ", "), "]"),
        absl::StrCat("\"data_offsets\":[", places[i].first, ",", space(), places[i].second, space(), "]")};
    if (random->Below(4) == 0) fields.push_back("\"note\":{\"by\":[1,2.5e3,null,\"\\u00e9\"]}");
    Shuffle(&fields, random);
    // An escape for the name's first letter, now and then.
    std::string name = t.name;
    if (random->Below(4) == 0) {
      name = absl::StrCat("\\u00", absl::Hex(static_cast<unsigned char>(name[0]), absl::kZeroPad2), name.substr(1));
    }
    entries.push_back(absl::StrCat("\"", name, "\"", space(), ":{", absl::StrJoin(fields, ","), space(), "}"));
  }
  if (!model.metadata.empty() || random->Below(4) == 0) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : model.metadata) pairs.push_back(absl::StrCat("\"", key, "\":\"", value, "\""));
    Shuffle(&pairs, random);
    entries.push_back(absl::StrCat("\"__metadata__\":{", absl::StrJoin(pairs, ", "), "}"));
  }
  Shuffle(&entries, random);
  std::string json = absl::StrCat("{", space(), absl::StrJoin(entries, absl::StrCat(",", space())), space(), "}");
  json += std::string(random->Below(20), ' ');
  return WithLength(json, DataOf(model));
}

FileModel RandomModel(TestRandom* random, size_t most_tensors) {
  FileModel model;
  const size_t count = random->Below(most_tensors + 1);
  for (size_t i = 0; i < count; ++i) {
    const std::string dtype = kDtypes[random->Below(std::size(kDtypes))];
    std::vector<uint64_t> shape;
    switch (random->Below(8)) {
      case 0:  // a scalar
        break;
      case 1:  // nothing
        shape = {random->Below(5), 0, 1 + random->Below(3)};
        break;
      case 2:
        shape = {1 + random->Below(3000)};
        break;
      case 3:
        shape = {1 + random->Below(4), 1 + random->Below(4), 1 + random->Below(4), 1 + random->Below(40)};
        break;
      default:
        shape = {1 + random->Below(60), 1 + random->Below(150)};
        break;
    }
    if (dtype == "F4") shape.push_back(2);  // Two make a byte.
    model.tensors.push_back(
        MakeTensor(absl::StrCat("layers.", i, random->Below(2) == 0 ? ".weight" : ".\xC3\xA9"), dtype, shape, random));
    if (dtype == "I8" && shape.size() == 2 && random->Below(3) == 0) {  // Rows that repeat.
      std::string& data = model.tensors.back().data;
      for (size_t row = 1; row < shape[0]; ++row) {
        if (random->Below(3) != 0)
          std::copy_n(data.begin(), shape[1], data.begin() + static_cast<ptrdiff_t>(row * shape[1]));
      }
    }
  }
  for (size_t i = random->Below(4); i > 0; --i) model.metadata.emplace_back(absl::StrCat("key", i), "value of it");
  return model;
}

FileModel Ternary(const FileModel& base, uint64_t one_in, TestRandom* random) {
  FileModel variant = base;
  for (FileTensor& t : variant.tensors) {
    uint8_t* data = Bytes(&t.data);
    uint16_t scale = 256;
    for (size_t i = 0; i < t.data.size(); ++i) {
      if (t.dtype != "I8") {
        if (i % 8 == 0) data[i] = static_cast<uint8_t>(data[i] + random->Below(4));
        continue;
      }
      if (i % kGroupSize == 0) scale = static_cast<uint16_t>(256 * (1 + random->Below(3)));
      if (random->Below(one_in) != 0) continue;
      data[i] = static_cast<uint8_t>(ApplyTrit(static_cast<int8_t>(data[i]), scale, random->Below(2) == 0 ? 1 : -1));
    }
  }
  return variant;
}

FileModel RandomVariant(const FileModel& base, TestRandom* random) {
  FileModel variant = base;
  switch (random->Below(8)) {
    case 0:
      break;
    case 1:
      variant = Ternary(base, 1, random);
      break;
    case 2:
      for (FileTensor& t : variant.tensors) {
        for (char& byte : t.data) byte = static_cast<char>(byte + static_cast<char>(random->Below(7)) - 3);
      }
      break;
    case 3:
      for (FileTensor& t : variant.tensors) t.data = random->Bytes(t.data.size());
      break;
    case 4:
      variant = Ternary(base, 20, random);
      Shuffle(&variant.tensors, random);
      break;
    case 5:
      for (FileTensor& t : variant.tensors) {
        std::string other = kDtypes[random->Below(std::size(kDtypes))];
        if (*ElementCount(t.shape) % 2 == 1 && other == "F4") other = "F16";
        if (t.dtype == "F32" && other != "I8") {  // What is done to a checkpoint: rounded, and sometimes trained on.
          const bool half = random->Below(2) == 0;
          std::string rounded(t.data.size() / 2, '\0');
          Predict(half ? Prediction::kF32ToF16 : Prediction::kF32ToBf16, Bytes(&t.data), t.data.size() / 4,
                  Bytes(&rounded));
          t.dtype = half ? "F16" : "BF16";
          t.data = rounded;
          if (!rounded.empty() && random->Below(2) == 0) t.data[random->Below(rounded.size())] ^= 1;
        } else {
          t = MakeTensor(t.name, other, t.shape, random);
        }
      }
      if (random->Below(2) == 0) Shuffle(&variant.tensors, random);
      break;
    default:
      variant = Ternary(base, 1 + random->Below(60), random);
      break;
  }
  if (random->Below(2) == 0) variant.metadata.emplace_back("department", random->Below(2) == 0 ? "claims" : "fleet");
  return variant;
}

absl::StatusOr<std::unique_ptr<Restorer>> OpenVault(const std::string& vault) {
  auto reader =
      VaultReader::FromFile(std::make_unique<MemoryFile>(std::vector<uint8_t>(vault.begin(), vault.end()), "v.mvlt"));
  if (!reader.ok()) return reader.status();
  return Restorer::FromReader(*std::move(reader));
}

absl::StatusOr<std::string> RestoreFile(const Restorer& restorer, const std::string& name) {
  const auto model = name == "base" ? restorer.OpenBase() : restorer.OpenVariant(name);
  if (!model.ok()) return model.status();
  absl::StatusOr<std::string> file = restorer.vault().base_header();
  if (name != "base") file = restorer.vault().variant_header(name);
  if (!file.ok()) return file.status();
  absl::Status status = (*model)->Restore({}, [&](uint64_t, absl::Span<const uint8_t> bytes) {
    file->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return file;
}

namespace {

absl::Status Verify(const Restorer& restorer, const ModelFiles* files) {
  const VaultReader& vault = restorer.vault();
  if (absl::Status s = vault.CheckPadding(); !s.ok()) return s;
  if (absl::Status s = vault.CheckBaseSection(); !s.ok()) return s;
  std::vector<std::string> names = {"base"};
  for (const VaultVariant& v : vault.variants()) names.push_back(v.name);
  if (files != nullptr && files->size() != names.size()) {
    return absl::InternalError(absl::StrCat(names.size(), " models, expected ", files->size()));
  }
  for (const std::string& name : names) {
    const auto file = RestoreFile(restorer, name);
    if (!file.ok()) return file.status();
    if (files == nullptr) continue;
    const auto expected = files->find(name);
    if (expected == files->end() || expected->second != *file) {
      return absl::InternalError(absl::StrCat("'", name, "' is not the file that was packed"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status VerifyVault(FileSystem& file_system, absl::string_view path, const ModelFiles* files) {
  const auto restorer = Restorer::Open(file_system, path);
  return restorer.ok() ? Verify(**restorer, files) : restorer.status();
}

absl::Status VerifyVault(const std::string& vault, const ModelFiles* files) {
  const auto restorer = OpenVault(vault);
  return restorer.ok() ? Verify(**restorer, files) : restorer.status();
}

}  // namespace modelvault
