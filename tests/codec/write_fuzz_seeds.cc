// Writes the seeds of the codec's fuzz targets with the real coders:
//
//   write_fuzz_seeds FOLDER      (tests/fuzz/corpus)
//
// Needed again only when the format (tests/regenerate runs it) or tests/fuzz/codec_targets.h change; fuzz_seeds_test.cc
// tells.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "codec/base_encoder.h"
#include "codec/prefix_coding.h"
#include "codec/varint.h"
#include "tests/codec/model_fixture.h"
#include "tests/fuzz/host_block_target.h"

namespace modelvault {
namespace {

constexpr uint8_t kBothPriors = kFlagRowPrior | kFlagColumnPrior;

class SeedWriter {
 public:
  explicit SeedWriter(std::string folder) : folder_(std::move(folder)) {}

  void Write(const std::string& target, const std::string& name, const std::string& bytes) {
    const std::filesystem::path folder = std::filesystem::path(folder_) / target;
    std::filesystem::create_directories(folder);
    std::ofstream out(folder / name, std::ios::binary);
    out << bytes;
    ok_ = ok_ && out.flush().good();
  }
  bool ok() const { return ok_; }

 private:
  std::string folder_;
  bool ok_ = true;
};

std::string Piece(const std::string& bytes) {
  return std::string{static_cast<char>(bytes.size()), static_cast<char>(bytes.size() >> 8)} + bytes;
}

// Trained-looking weights with repeated rows, floats and odds and ends; siblings give the weights a prior.
TestBase SmallModel(Random* random, uint64_t rows, uint64_t cols) {
  const std::vector<ModelTensor> specs = {
      {DType::kI8, rows, cols}, {DType::kF32, 1, 40}, {DType::kI8, 0, 5}, {DType::kF16, 3, 20}, {DType::kOpaque, 1, 9}};
  Bytes data = RandomData(random, specs);
  for (uint64_t row = 1; row < rows; ++row) {
    if (row % 3 == 0) continue;
    std::copy_n(data.begin(), cols, data.begin() + static_cast<std::ptrdiff_t>(row * cols));
  }
  const std::vector<double> density = RankOneDensity(random, rows, cols, 5, 0.15);
  std::vector<Bytes> siblings(40, data);
  for (Bytes& sibling : siblings) {
    const Bytes weights = Ternary(
        random, absl::MakeConstSpan(data).first(rows * cols), [&](size_t i) { return density[i]; },
        [](size_t) { return 2; });
    std::copy(weights.begin(), weights.end(), sibling.begin());
  }
  TestBase base(specs, data, siblings);
  if ((base.shared().tensor(0).flags & (kFlagDictionary | kFlagRowPrior)) != (kFlagDictionary | kFlagRowPrior)) {
    std::fprintf(stderr, "the small model has no dictionary or no prior\n");
    std::abort();
  }
  return base;
}

std::string Chunk(const TestBase& base, uint32_t chunk_size, uint64_t chunk) {
  const size_t begin = static_cast<size_t>(chunk) * chunk_size;
  const size_t size = std::min<size_t>(chunk_size, base.data().size() - begin);
  return BaseEncoder(&base.shared(), chunk_size).Encode(chunk, absl::MakeConstSpan(base.data()).subspan(begin, size));
}

// As FuzzVariant (tests/fuzz/codec_targets.h) reads it.
std::string LayoutBytes(const StoredLayout& layout) {
  std::string bytes;
  if (layout.form == LayoutForm::kFree) AppendVarint(&bytes, layout.tensor_count);
  return bytes + layout.bytes;
}

void WriteModels(SeedWriter* out) {
  Random random(1);
  out->Write("model", "empty", WriteModel({}, {}));
  out->Write("model", "built", SmallModel(&random, 60, 50).section());
  out->Write("model", "wide_prior", WriteModel({}, {RandomPrior(&random, 3, 3000, kBothPriors)}));
  out->Write("model", "every_dtype", [] {
    std::vector<RecordFields> records;
    for (uint8_t d = 0; d < kDTypeCount; ++d) records.push_back(RawRecord(static_cast<DType>(d), 1, d));
    return WriteModel({}, records);
  }());
}

void WriteLayouts(SeedWriter* out) {
  Random random(2);
  const std::string shared = Piece(WriteModel(
      {}, {RandomPrior(&random, 3, 300, kFlagRowPrior), RawRecord(DType::kF32, 5, 70), RawRecord(DType::kI8, 0, 4),
           RawRecord(DType::kOpaque, 1, 600), RandomPrior(&random, 9, 20, kFlagColumnPrior)}));
  const auto layout_of = [](const std::vector<LayoutEntry>& tensors) {
    return LayoutBytes(SerializeLayout(tensors, 5));
  };
  out->Write("layout", "same_order",
             shared + layout_of({{0, DType::kI8, 0},
                                 {1, DType::kF32, 0},
                                 {2, DType::kI8, 0},
                                 {3, DType::kOpaque, 600},
                                 {4, DType::kI8, 0}}));
  out->Write("layout", "retyped",
             shared + layout_of({{4, DType::kF16, 0},
                                 {3, DType::kOpaque, 70000},
                                 {2, DType::kF64, 0},
                                 {0, DType::kU8, 0},
                                 {1, DType::kBf16, 0}}));
  out->Write("layout", "opaque",
             shared + layout_of({{3, DType::kOpaque, 0},
                                 {0, DType::kOpaque, 900},
                                 {4, DType::kOpaque, 181},
                                 {1, DType::kOpaque, 1},
                                 {2, DType::kOpaque, 3}}));
  out->Write("layout", "free",
             shared + layout_of({{kNoBaseTensor, DType::kI8, 700},
                                 {4, DType::kI8, 0},
                                 {0, DType::kI8, 0},
                                 {kNoBaseTensor, DType::kF64, 0},
                                 {0, DType::kI8, 0},
                                 {3, DType::kOpaque, 600},
                                 {0, DType::kF16, 0},
                                 {kNoBaseTensor, DType::kOpaque, 70000}}));
  out->Write("layout", "no_tensors", Piece(WriteModel({}, {})));
}

void WriteChunks(SeedWriter* out) {
  Random random(3);
  const TestBase small = SmallModel(&random, 60, 50);
  const auto input = [](const TestBase& base, uint8_t size_code, uint8_t chunk) {
    return std::string{static_cast<char>(size_code), static_cast<char>(chunk)} + Piece(base.section()) +
           Chunk(base, 256u << size_code, chunk);
  };
  out->Write("base_chunk", "dictionary", input(small, 0, 1));
  out->Write("base_chunk", "several_tensors", input(small, 0, 4));
  out->Write("base_chunk", "whole", input(small, 3, 0));
  out->Write("base_chunk", "raw", input(RandomBase(&random, {RawRecord(DType::kU16, 2, 100)}), 1, 0));
  // Three tables in turn.
  std::vector<std::string> tables;
  for (unsigned t = 0; t < 3; ++t) {
    CodeLengths lengths;
    for (unsigned s = 0; s < 16; ++s) lengths.length[16 * t + s] = 4;
    tables.push_back(SerializeCodeLengths(lengths));
  }
  RecordFields planes = RawRecord(DType::kF64, 1, 40);
  planes.tables = {0, 1, 2, kRawPlane, 2, 1, 0, kRawPlane};
  Bytes data = random.Uniform(320);
  for (size_t i = 0; i < data.size(); ++i) {
    if (planes.tables[i % 8] != kRawPlane) data[i] = static_cast<uint8_t>(16 * planes.tables[i % 8] + data[i] % 16);
  }
  out->Write("base_chunk", "planes", input(TestBase(WriteModel(tables, {planes}), data), 1, 0));
}

void WriteSegments(SeedWriter* out) {
  constexpr uint32_t kSegmentSize = 4096;
  Random random(4);
  const auto write = [&](const std::string& name, const TestBase& base, const TestVariant& variant, uint8_t segment) {
    const CodedVariant coded = EncodeVariant(base, variant, kSegmentSize);
    out->Write("segment", name,
               std::string(1, static_cast<char>(segment)) + Piece(base.section()) + Piece(LayoutBytes(coded.layout)) +
                   coded.segments[segment]);
  };
  const auto join = [](std::initializer_list<Bytes> tensors) {
    Bytes data;
    for (const Bytes& t : tensors) data.insert(data.end(), t.begin(), t.end());
    return data;
  };
  {
    RecordFields prior = RandomPrior(&random, 12, 60, kBothPriors);
    prior.level = 4;
    const TestBase base = RandomBase(&random, {prior, RandomPrior(&random, 2, 300, kFlagRowPrior)});
    Bytes first = Ternary(&random, base.tensor(0), 0.1, 3);
    first[100] = static_cast<uint8_t>(first[100] + 9);  // An escape.
    first[101] = static_cast<uint8_t>(first[101] - 7);
    write("gaps", base, {join({first, Ternary(&random, base.tensor(1), 0.3, 100)}), {}}, 0);
  }
  {
    const TestBase base = RandomBase(&random, {RawRecord(DType::kI8, 1, 900)});
    Bytes signs(base.data());
    for (uint8_t& w : signs) w = static_cast<uint8_t>(w + (random.Chance(0.5) ? 2 : -2));
    write("signs", base, {signs, {}}, 0);
    write("raw", base, {random.Uniform(900), {}}, 0);
    write("same", base, {base.data(), {}}, 0);
  }
  {
    const TestBase base = RandomBase(&random, {RawRecord(DType::kF32, 1, 90), RawRecord(DType::kF16, 2, 40),
                                               RawRecord(DType::kI8, 3, 30), RawRecord(DType::kOpaque, 1, 25)});
    Bytes narrowed(180), widened(320), opaque(40, 7);
    for (size_t i = 0; i < 90; ++i) {
      StoreLe16(&narrowed[2 * i], static_cast<uint16_t>(F32ToF16(LoadLe32(&base.tensor(0)[4 * i])) + random.Below(4)));
    }
    for (size_t i = 0; i < 80; ++i) StoreLe32(&widened[4 * i], F16ToF32(LoadLe16(&base.tensor(1)[2 * i])));
    const Bytes weights = Ternary(&random, base.tensor(2), 0.2, 1);
    write("own_layout", base,
          {join({opaque, weights, narrowed, widened}),
           {{3, DType::kOpaque, 40}, {2, DType::kI8, 0}, {0, DType::kF16, 0}, {1, DType::kF32, 0}}},
          0);
  }
  {
    // The second segment begins inside a row.
    const TestBase base =
        RandomBase(&random, {RandomPrior(&random, 20, 300, kFlagColumnPrior), RawRecord(DType::kI64, 1, 60)});
    Bytes integers(base.tensor(1).begin(), base.tensor(1).end());
    for (size_t i = 0; i < 60; ++i) StoreLe64(&integers[8 * i], LoadLe64(&integers[8 * i]) + random.Below(100));
    write("second_segment", base, {join({Ternary(&random, base.tensor(0), 0.02, 5), integers}), {}}, 1);
  }
  {
    RecordFields prior = RandomPrior(&random, 6, 60, kBothPriors);
    prior.level = 8;
    const TestBase base = RandomBase(&random, {prior, RawRecord(DType::kF32, 1, 30)});
    const Bytes weights(base.tensor(0).begin(), base.tensor(0).end());
    write("free_layout", base,
          {join({random.Uniform(90), Ternary(&random, base.tensor(0), 0.1, 2), weights, Bytes(64, 3)}),
           {{kNoBaseTensor, DType::kI8, 90}, {0, DType::kI8, 0}, {0, DType::kI8, 0}, {kNoBaseTensor, DType::kI16, 32}}},
          0);
  }
}

// As FuzzHostBlock (tests/fuzz/host_block_target.h) reads it. The reference is what that makes up.
void WriteHostBlocks(SeedWriter* out) {
  Random random(5);
  BlockScratch scratch;
  const auto write = [&](const std::string& name, DType dtype, const Bytes& data, bool with_reference) {
    const uint8_t flags = kHostBlockCompare | (with_reference ? kHostBlockReference : 0);
    std::string seed = {static_cast<char>(dtype), static_cast<char>(flags), static_cast<char>(data.size() & 0xFF),
                        static_cast<char>(data.size() >> 8)};
    Bytes reference(with_reference ? data.size() : 0);
    MadeUpBase(0, reference.size(), reference.data());
    EncodeBlock(dtype, data, reference, &scratch, &seed);
    out->Write("host_block", name, seed);
  };
  const auto moved = [&](size_t size, size_t element, double density, int most) {
    Bytes data(size);
    MadeUpBase(0, size, data.data());
    for (size_t i = 0; i + 1 < size; i += element) {
      if (random.Chance(density)) data[i] = static_cast<uint8_t>(data[i] + random.Between(-most, most));
    }
    return data;
  };
  write("raw", DType::kF64, random.Uniform(77), false);
  write("constant", DType::kF32, Bytes(1000, 7), false);
  write("value", DType::kI8, moved(3000, 1, 0, 0), false);
  write("classes", DType::kBf16, moved(12'000, 2, 0.6, 3), true);
  write("difference", DType::kF32, moved(4001, 4, 0.6, 100), true);
  write("sparse", DType::kF16, moved(9000, 2, 0.01, 2), true);
  write(
      "exceptions", DType::kU8,
      [&] {
        Bytes data(5000, 3);
        for (int i = 0; i < 60; ++i) data[random.Below(data.size())] = random.Byte();
        return data;
      }(),
      false);
  {
    Bytes data(4000);
    MadeUpBase(0, data.size(), data.data());
    for (size_t i = 0; i < data.size(); ++i) {
      const int step = static_cast<int>(2 + i / 128 % 5);
      if (random.Chance(0.03)) data[i] = static_cast<uint8_t>(data[i] + (random.Chance(0.5) ? step : -step));
    }
    write("ternary", DType::kI8, data, true);
  }
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 64;
  }
  modelvault::SeedWriter out(argv[1]);
  modelvault::WriteModels(&out);
  modelvault::WriteLayouts(&out);
  modelvault::WriteChunks(&out);
  modelvault::WriteSegments(&out);
  modelvault::WriteHostBlocks(&out);
  if (!out.ok()) std::fprintf(stderr, "%s: cannot be written\n", argv[1]);
  return out.ok() ? 0 : 1;
}
