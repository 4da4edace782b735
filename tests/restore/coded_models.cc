#include "tests/restore/coded_models.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/base_encoder.h"
#include "codec/core/prediction.h"
#include "codec/data_source.h"
#include "codec/delta_statistics.h"
#include "codec/host/unit_encoder.h"
#include "codec/segment_encoder.h"
#include "tests/restore/forged_vault.h"
#include "tests/temp_folder.h"
#include "vault/model_digester.h"

namespace modelvault {
namespace {

// A fixture that cannot be made proves nothing.
void Check(bool condition) {
  if (!condition) std::abort();
}

ModelDigests DigestsOf(const TestBytes& data) {
  ModelDigester digester;
  digester.Update(data);
  return digester.Digests();
}

uint64_t SizeOf(const ModelTensor& base, const LayoutEntry& entry) {
  return entry.dtype == DType::kOpaque ? entry.elements
                                       : base.rows() * base.cols() * ElementSize(static_cast<uint8_t>(entry.dtype));
}

std::vector<uint64_t> OffsetsOf(const std::vector<ModelTensor>& specs) {
  std::vector<uint64_t> offsets;
  uint64_t at = 0;
  for (const ModelTensor& spec : specs) {
    offsets.push_back(at);
    at += spec.size();
  }
  return offsets;
}

// Changes an INT8 tensor as ternary fine-tuning does: by ±scale, often in some rows and columns and never in others.
void AddTrits(const ModelTensor& spec, uint8_t* data, TestRandom* random) {
  uint8_t scale = 1;
  for (uint64_t i = 0; i < spec.rows() * spec.cols(); ++i) {
    if (i % kGroupSize == 0) scale = static_cast<uint8_t>(1 + random->Below(3));
    const bool quiet = spec.rows() > 1 && (i / spec.cols() % 4 == 1 || i % spec.cols() % 8 >= 5);
    if (quiet || random->Below(3) != 0) continue;
    data[i] = static_cast<uint8_t>(
        ApplyTrit(static_cast<int8_t>(data[i]), static_cast<uint16_t>(scale << 8), random->Below(2) == 0 ? 1 : -1));
  }
}

void Append(const TestBytes& bytes, TestBytes* data) { data->insert(data->end(), bytes.begin(), bytes.end()); }

}  // namespace

CodedVariant& CodedModels::variant(const std::string& name) {
  for (CodedVariant& v : variants) {
    if (v.name == name) return v;
  }
  std::abort();
}

TestBytes RandomTensor(const ModelTensor& spec, TestRandom* random) {
  TestBytes bytes(static_cast<size_t>(spec.size()));
  for (size_t i = 0; i < bytes.size(); ++i) {
    const size_t in_element = i % ElementSize(static_cast<uint8_t>(spec.dtype));
    if (spec.dtype == DType::kI8) {
      bytes[i] = static_cast<uint8_t>(random->Below(16) + random->Below(16) - 15);
    } else if (spec.dtype == DType::kF32 && in_element == 3) {
      bytes[i] = static_cast<uint8_t>(random->Below(2) == 0 ? 0x3D : 0xBD);
    } else if ((spec.dtype == DType::kF16 || spec.dtype == DType::kBf16) && in_element == 1) {
      bytes[i] = static_cast<uint8_t>(random->Below(2) == 0 ? 0x3C : 0xBC);
    } else {
      bytes[i] = static_cast<uint8_t>(random->Next());
    }
  }
  return bytes;
}

TestBytes RandomData(const std::vector<ModelTensor>& specs, TestRandom* random) {
  TestBytes data;
  for (const ModelTensor& spec : specs) Append(RandomTensor(spec, random), &data);
  return data;
}

namespace {

// The tensors of `data`, of the base's specs, in another order.
PlainVariant Reordered(const std::vector<ModelTensor>& specs, const TestBytes& data) {
  const std::vector<uint64_t> offsets = OffsetsOf(specs);
  PlainVariant reordered{"reordered", {}, {}, false};
  for (size_t i = 0; i < specs.size(); ++i) {
    const size_t t = (i * 5 + 9) % specs.size();  // 5 and 14 have no common divisor.
    reordered.layout.push_back({t, specs[t].dtype, specs[t].dtype == DType::kOpaque ? specs[t].size() : 0});
    TestBytes tensor(data.begin() + static_cast<ptrdiff_t>(offsets[t]),
                     data.begin() + static_cast<ptrdiff_t>(offsets[t] + specs[t].size()));
    Append(tensor, &reordered.data);
  }
  return reordered;
}

// The base's tensors backwards, many of another dtype, with a little noise.
PlainVariant Retyped(const std::vector<ModelTensor>& specs, const TestBytes& base_data, TestRandom* random) {
  const std::vector<uint64_t> offsets = OffsetsOf(specs);
  PlainVariant retyped{"retyped", {}, {}, false};
  for (size_t i = specs.size(); i-- > 0;) {
    LayoutEntry entry{i, specs[i].dtype, 0};
    const uint8_t* base = base_data.data() + offsets[i];
    const size_t count = static_cast<size_t>(specs[i].rows() * specs[i].cols());
    switch (i) {
      case 1:
        entry.dtype = DType::kI16;  // Nothing to predict it from.
        break;
      case 4:
        entry.dtype = DType::kF16;
        break;
      case 5:
        entry.elements = 300;
        break;
      case 6:
      case 12:
        entry.dtype = DType::kF32;
        break;
      case 9:
        entry.dtype = DType::kOpaque;
        entry.elements = 4999;
        break;
      case 13:
        entry.elements = 1;
        break;
      default:
        break;
    }
    TestBytes tensor(static_cast<size_t>(SizeOf(specs[i], entry)));
    const Prediction prediction = PredictionFor(specs[i].dtype, specs[i].size(), entry.dtype, tensor.size());
    if (prediction == Prediction::kCopy) {
      std::copy(base, base + tensor.size(), tensor.begin());
    } else if (prediction != Prediction::kZero) {
      Predict(prediction, base, count, tensor.data());
    }
    for (uint8_t& byte : tensor) {
      if (random->Below(7) == 0) byte = static_cast<uint8_t>(byte + random->Below(3));
    }
    retyped.layout.push_back(entry);
    Append(tensor, &retyped.data);
  }
  return retyped;
}

}  // namespace

PlainModels MakePlainModels(uint64_t seed) {
  TestRandom random(seed);
  PlainModels models;
  models.specs = {
      {DType::kI8, 1, 0},    {DType::kI8, 40, 300},   {DType::kF32, 1, 1},   {DType::kI8, 48, 64},
      {DType::kF32, 1, 777}, {DType::kOpaque, 1, 13}, {DType::kBf16, 3, 11}, {DType::kI16, 5, 101},
      {DType::kF32, 1, 0},   {DType::kI8, 1, 5000},   {DType::kU8, 1, 1},    {DType::kI64, 1, 9},
      {DType::kF16, 1, 130}, {DType::kOpaque, 1, 0},
  };
  const std::vector<ModelTensor>& specs = models.specs;
  const std::vector<uint64_t> offsets = OffsetsOf(specs);
  models.base = RandomData(specs, &random);
  // Rows that repeat, so that the base gets a dictionary.
  for (uint64_t row = 0; row < 48; ++row) {
    if (row % 3 == 0) continue;
    uint8_t* data = models.base.data() + offsets[3] + row * 64;
    for (uint64_t j = 0; j < 64; ++j) data[j] = static_cast<uint8_t>(j * (row % 3) + (random.Below(16) == 0 ? 1 : 0));
  }

  auto add = [&](const std::string& name, TestBytes data) {
    models.variants.push_back({name, {}, std::move(data), name.rfind("ternary", 0) == 0});
  };
  add("same", models.base);
  TestBytes ternary = models.base;
  TestBytes ternary_too = models.base;
  TestBytes dense = models.base;
  TestBytes residual = models.base;
  for (size_t t = 0; t < specs.size(); ++t) {
    uint8_t* in_residual = residual.data() + offsets[t];
    if (specs[t].dtype == DType::kI8) {
      AddTrits(specs[t], ternary.data() + offsets[t], &random);
      AddTrits(specs[t], ternary_too.data() + offsets[t], &random);
      for (uint64_t i = 0; i < specs[t].size(); ++i) {
        const int8_t w = static_cast<int8_t>(models.base[offsets[t] + i]);
        dense[offsets[t] + i] = static_cast<uint8_t>(ApplyTrit(w, 512, random.Below(2) == 0 ? 1 : -1));
        if (random.Below(3) == 0) in_residual[i] = static_cast<uint8_t>(in_residual[i] + random.Below(9) - 4);
      }
    } else {
      const uint64_t element = ElementSize(static_cast<uint8_t>(specs[t].dtype));
      for (uint64_t i = 0; i < specs[t].size(); i += element) {
        in_residual[i] = static_cast<uint8_t>(in_residual[i] + random.Below(5));
      }
    }
  }
  add("ternary", ternary);
  add("ternary-too", ternary_too);
  add("dense", dense);
  add("residual", residual);
  TestBytes unrelated(models.base.size());
  for (uint8_t& byte : unrelated) byte = static_cast<uint8_t>(random.Next());
  add("unrelated", unrelated);

  models.variants.push_back(Reordered(specs, ternary));
  models.variants.push_back(Retyped(specs, models.base, &random));
  return models;
}

PlainModels MakeFreeModels(uint64_t seed) {
  PlainModels models = MakePlainModels(seed);
  TestRandom random(seed + 1000);
  const std::vector<ModelTensor>& specs = models.specs;
  const std::vector<uint64_t> offsets = OffsetsOf(specs);
  PlainVariant free{"free", {}, {}, false};
  const auto own = [&](ModelTensor spec) {
    free.layout.push_back({kNoBaseTensor, spec.dtype, spec.elements()});
    Append(RandomTensor(spec, &random), &free.data);
  };
  // Base tensor t as the variant's next, with a little training; a tied one has none.
  const auto on_base = [&](size_t t, bool trained) {
    const auto begin = models.base.begin() + static_cast<ptrdiff_t>(offsets[t]);
    TestBytes tensor(begin, begin + static_cast<ptrdiff_t>(specs[t].size()));
    if (trained && specs[t].dtype == DType::kI8) AddTrits(specs[t], tensor.data(), &random);
    free.layout.push_back({t, specs[t].dtype, specs[t].dtype == DType::kOpaque ? specs[t].size() : 0});
    Append(tensor, &free.data);
  };
  // Left out are the base's first tensor, its last, and some between.
  own({DType::kF32, 7, 41});
  on_base(3, true);
  on_base(1, true);
  own({DType::kOpaque, 1, 301});
  own({DType::kF16, 1, 0});
  on_base(3, false);
  on_base(5, false);
  own({DType::kI8, 30, 50});
  on_base(8, false);
  on_base(1, false);
  on_base(1, true);
  on_base(12, true);
  own({DType::kOpaque, 1, 0});
  on_base(7, false);
  own({DType::kBool, 1, 1});
  own({DType::kI64, 3, 3});
  models.variants.push_back(free);
  return models;
}

// Chunks, segments and digests with host codings, in place of the others'.
void EncodeForHosts(CodedModels* coded) {
  coded->host_codings = true;
  UnitEncoder encoder;
  MemoryDataSource base(coded->base);
  const auto encode = [&](const VariantLayout& layout, const TestBytes& data, size_t unit_size, DataSource* against,
                          std::vector<std::string>* units, ModelDigests* digests) {
    ModelDigester digester;
    for (size_t begin = 0; begin < data.size(); begin += unit_size) {
      const auto unit = absl::MakeConstSpan(data).subspan(begin, unit_size);
      digester.Update(DigestLeaf(unit));
      Check(encoder.Encode(layout, begin, unit, against, &units->emplace_back()).ok());
    }
    *digests = digester.Digests();
  };
  coded->chunks.clear();
  const VariantLayout base_layout(&coded->shared->tables());
  encode(base_layout, coded->base, coded->chunk_size, nullptr, &coded->chunks, &coded->base_digests);
  for (CodedVariant& v : coded->variants) {
    v.segments.clear();
    encode(*v.layout, v.data, coded->segment_size, &base, &v.segments, &v.digests);
    if (v.layout->is_base_layout() && v.data == coded->base) v.segments.clear();
  }
}

CodedModels Encode(const PlainModels& plain, uint32_t chunk_size, uint32_t segment_size, BaseProfile profile) {
  CodedModels coded;
  coded.chunk_size = chunk_size;
  coded.segment_size = segment_size;
  coded.specs = plain.specs;
  coded.base = plain.base;
  coded.base_digests = DigestsOf(plain.base);
  coded.base_header = "{\"role\":\"base\"}";
  Check(DataSize(plain.specs) == plain.base.size());

  DeltaStatistics statistics(plain.specs);
  const bool for_boards = profile != BaseProfile::kHost;
  const std::vector<uint64_t> offsets = OffsetsOf(plain.specs);
  for (const PlainVariant& v : plain.variants) {
    if (!v.ternary || !for_boards) continue;
    for (size_t t = 0; t < plain.specs.size(); ++t) {
      if (!statistics.Counts(t)) continue;
      const size_t size = static_cast<size_t>(plain.specs[t].size());
      statistics.AddVariant(t);
      statistics.Add(t, 0, absl::MakeConstSpan(plain.base).subspan(static_cast<size_t>(offsets[t]), size),
                     absl::MakeConstSpan(v.data).subspan(static_cast<size_t>(offsets[t]), size));
    }
  }
  MemoryDataSource base(coded.base);
  auto section = BuildSharedTables(plain.specs, &base, statistics, profile);
  Check(section.ok());
  auto shared = ParsedSharedTables::Parse(*std::move(section));
  Check(shared.ok());
  coded.shared = *std::move(shared);

  const BaseEncoder encoder(&coded.shared->tables(), chunk_size);
  for (uint64_t c = 0; c < encoder.chunk_count(); ++c) {
    const size_t begin = static_cast<size_t>(c * chunk_size);
    const size_t size = std::min<size_t>(chunk_size, coded.base.size() - begin);
    coded.chunks.push_back(encoder.Encode(c, absl::MakeConstSpan(coded.base).subspan(begin, size)));
  }
  for (const PlainVariant& v : plain.variants) {
    CodedVariant& out = coded.variants.emplace_back();
    out.name = v.name;
    out.data = v.data;
    out.digests = DigestsOf(v.data);
    out.header = absl::StrCat("{\"role\":\"", v.name, "\"}");
    out.layout = std::make_unique<VariantLayout>(&coded.shared->tables());
    const bool base_layout = v.layout.empty() && v.data.size() == plain.base.size();
    if (!base_layout) {
      out.stored_layout = SerializeLayout(v.layout, plain.specs.size());
      out.tensors.resize(v.layout.size());
      Check(out.layout->Parse(out.stored_layout.view(), out.tensors.data(), out.tensors.size()) == CoreStatus::kOk);
    } else if (v.data == plain.base) {
      continue;
    }
    Check(out.layout->data_size() == v.data.size());
    const SegmentEncoder segments(out.layout.get(), segment_size);
    MemoryDataSource data(out.data);
    for (uint64_t s = 0; s < segments.segment_count(); ++s) {
      auto segment = segments.Encode(s, &base, &data);
      Check(segment.ok());
      out.segments.push_back(*std::move(segment));
    }
  }
  if (profile == BaseProfile::kHost) EncodeForHosts(&coded);
  return coded;
}

absl::Status WriteCodedVault(FileSystem& file_system, const std::string& path, const CodedModels& models) {
  const VaultParams params = {.chunk_size = models.chunk_size,
                              .segment_size = models.segment_size,
                              .base_data_size = models.base.size(),
                              .tensor_count = static_cast<uint32_t>(models.specs.size()),
                              .host_codings = models.host_codings};
  auto writer = VaultWriter::Create(file_system, path, params, models.shared->section());
  if (!writer.ok()) return writer.status();
  for (const std::string& chunk : models.chunks) {
    if (absl::Status s = (*writer)->AppendBaseChunk(chunk); !s.ok()) return s;
  }
  if (absl::Status s = (*writer)->FinishBase(models.base_digests, models.base_header); !s.ok()) return s;
  if (!models.network.empty()) {
    if (absl::Status s = (*writer)->AddNetwork(models.network); !s.ok()) return s;
  }
  for (const CodedVariant& v : models.variants) {
    if (absl::Status s = (*writer)->BeginVariant(v.name, v.stored_layout, v.segments.size()); !s.ok()) return s;
    for (const std::string& segment : v.segments) {
      if (absl::Status s = (*writer)->AppendSegment(segment); !s.ok()) return s;
    }
    if (absl::Status s = (*writer)->FinishVariant(v.digests, v.header); !s.ok()) return s;
  }
  if (absl::Status s = (*writer)->Finish(); !s.ok()) return s;
  return (*writer)->Commit();
}

std::string CodedVaultBytes(const CodedModels& models) {
  const TempFolder folder;
  Check(WriteCodedVault(FileSystem::Default(), folder.File("v.mvlt"), models).ok());
  return folder.Read("v.mvlt");
}

std::vector<uint64_t> Borders(const VariantLayout& layout, uint32_t chunk_size, uint32_t segment_size) {
  const uint64_t size = layout.data_size();
  std::set<uint64_t> borders;
  auto add = [&](uint64_t at) {
    for (const uint64_t near : {at - 1, at, at + 1}) {
      if (near <= size) borders.insert(near);  // 0 - 1 is no place, either.
    }
  };
  for (StripCursor cursor(&layout, 0); !cursor.at_end(); cursor.Next()) add(cursor.strip().offset);
  for (uint64_t at = 0; at < size; at += segment_size) add(at);
  for (uint64_t at = 0; at < size; at += chunk_size) add(at);
  for (size_t t = 0; t < layout.tensor_count(); ++t) add(layout.tensor(t).offset);
  add(size);
  return std::vector<uint64_t>(borders.begin(), borders.end());
}

std::unique_ptr<RandomAccessFile> FileOf(const std::string& vault) {
  return std::make_unique<MemoryFile>(TestBytes(vault.begin(), vault.end()), "v.mvlt");
}

absl::StatusOr<std::unique_ptr<Restorer>> OpenBytes(const std::string& vault) {
  auto reader = VaultReader::FromFile(FileOf(vault));
  if (!reader.ok()) return reader.status();
  return Restorer::FromReader(*std::move(reader));
}

absl::StatusOr<std::unique_ptr<const VaultModel>> OpenModel(const Restorer& restorer, const std::string& name) {
  return name == "base" ? restorer.OpenBase() : restorer.OpenVariant(name);
}

void RepairEverything(std::string* vault) {
  RepairEverything(reinterpret_cast<uint8_t*>(vault->data()), vault->size());
}

}  // namespace modelvault
