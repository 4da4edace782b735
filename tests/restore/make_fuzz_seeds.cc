// Writes the seeds of the fuzz targets variant_stream and vault_file (tests/fuzz/restore_targets.h), network and
// tokenizer (tests/fuzz/infer_targets.h) anew, for when the format changes (tests/regenerate):
//
//   make_restore_fuzz_seeds tests/fuzz/corpus
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "codec/varint.h"
#include "restore/described_frame.h"
#include "tests/fuzz/seeds_main.h"
#include "tests/restore/coded_models.h"
#include "tests/restore/infer/network_fixture.h"

namespace modelvault {
namespace {

// Small models with all kinds of coding.
PlainModels SeedModels() {
  TestRandom random(60);
  PlainModels plain;
  plain.specs = {{DType::kI8, 12, 100}, {DType::kF32, 1, 7}, {DType::kOpaque, 1, 5},
                 {DType::kI8, 1, 0},    {DType::kI8, 6, 40}, {DType::kF16, 1, 3}};
  plain.base = RandomData(plain.specs, &random);
  for (size_t i = 1200 + 28 + 5; i < 1200 + 28 + 5 + 240; ++i) {
    plain.base[i] = static_cast<uint8_t>(i % 40 % 5 + (random.Below(20) == 0 ? 1 : 0));
  }
  const auto add = [&](const std::string& name, bool ternary, auto change) {
    TestBytes data = plain.base;
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(data[i] + change(i));
    plain.variants.push_back({name, {}, data, ternary});
  };
  add("same", false, [](size_t) { return 0u; });
  add("ternary", true, [&](size_t i) { return i % 3 == 0 && random.Below(6) == 0 ? 1u : 0u; });
  add("dense", false, [&](size_t i) { return i >= 1200 ? 0u : random.Below(2) == 0 ? 2u : 254u; });
  add("residual", false,
      [&](size_t i) { return i < 1200 && i % 4 == 0 ? static_cast<uint32_t>(random.Below(5)) : 0u; });
  PlainVariant retyped{"retyped", {}, {}, false};
  retyped.layout = {{1, DType::kF16, 0}, {2, DType::kOpaque, 9}, {0, DType::kI8, 0},
                    {4, DType::kI8, 0},  {5, DType::kF32, 0},    {3, DType::kI8, 0}};
  retyped.data.resize(14 + 9 + 1200 + 240 + 12);
  for (size_t i = 0; i < 23; ++i) retyped.data[i] = static_cast<uint8_t>(random.Next());
  std::copy_n(plain.variants[1].data.begin(), 1200, retyped.data.begin() + 23);
  std::copy_n(plain.base.begin() + 1233, 240, retyped.data.begin() + 1223);
  plain.variants.push_back(retyped);
  return plain;
}

// The same base, with tensors left out, repeated and added.
PlainModels FreeModels() {
  PlainModels plain = SeedModels();
  TestRandom random(62);
  PlainVariant free{"free", {}, {}, false};
  free.layout = {{kNoBaseTensor, DType::kF32, 10},
                 {4, DType::kI8, 0},
                 {0, DType::kI8, 0},
                 {kNoBaseTensor, DType::kOpaque, 5},
                 {4, DType::kI8, 0}};
  const TestBytes& ternary = plain.variants[1].data;
  const auto append = [&](const TestBytes& from, size_t begin, size_t size) {
    free.data.insert(free.data.end(), from.begin() + static_cast<ptrdiff_t>(begin),
                     from.begin() + static_cast<ptrdiff_t>(begin + size));
  };
  for (size_t i = 0; i < 40; ++i) free.data.push_back(static_cast<uint8_t>(random.Next()));
  append(plain.base, 1233, 240);
  append(ternary, 0, 1200);
  append(ternary, 0, 5);
  append(ternary, 1233, 240);
  plain.variants = {free};
  return plain;
}

// A classifier, which the vault says to be one.
PlainModels TalkingModels() {
  TestRandom random(63);
  PlainModels plain;
  plain.specs = {{DType::kI8, 4, 3}, {DType::kF32, 1, 4}, {DType::kI8, 2, 4}, {DType::kF32, 1, 2}};
  plain.base = RandomData(plain.specs, &random);
  plain.variants = {{"talks", {}, plain.base, true}};
  for (const size_t i : {1, 7, 30}) plain.variants[0].data[i] = static_cast<uint8_t>(plain.base[i] ^ 1);
  return plain;
}

// Several segments.
PlainModels LongModels() {
  TestRandom random(61);
  PlainModels plain;
  plain.specs = {{DType::kI8, 3, 3}, {DType::kI8, 60, 150}};
  plain.base.assign(9009, 3);
  for (size_t i = 0; i < 100; ++i) plain.base[random.Below(9009)] = 4;
  plain.variants = {{"long", {}, plain.base, true}};
  for (size_t i = 0; i < 60; ++i) plain.variants[0].data[random.Below(9009)] = 5;
  return plain;
}

std::string Piece(const std::string& bytes) {
  std::string piece(2, '\0');
  Store<uint16_t>(&piece, 0, static_cast<uint16_t>(bytes.size()));
  return piece + bytes;
}

std::string StreamSeed(const CodedModels& models, const CodedVariant& variant, unsigned chunk_shift) {
  // As FuzzVariant (tests/fuzz/codec_targets.h) reads it.
  std::string layout;
  if (variant.stored_layout.form == LayoutForm::kFree) AppendVarint(&layout, variant.stored_layout.tensor_count);
  std::string seed;
  seed += static_cast<char>(chunk_shift);
  seed += '\x40';
  seed += Piece(models.shared->section()) + Piece(layout + variant.stored_layout.bytes);
  seed += static_cast<char>(models.chunks.size());
  for (const std::string& chunk : models.chunks) seed += Piece(chunk);
  for (const std::string& segment : variant.segments) seed += Piece(segment);
  return seed;
}

// As FuzzNetwork (tests/fuzz/infer_targets.h) reads it.
std::string NetworkSeed(const NetworkParts& network, const ShapeList& list) {
  const TensorShapes shapes = list.shapes();
  std::string seed(1, static_cast<char>(shapes.count));
  for (size_t i = 0; i < shapes.count; ++i) {
    const TensorShape shape = shapes.shape(shapes.context, i);
    Put(&seed, static_cast<uint8_t>(shape.dtype), 1);
    Put(&seed, shape.rows, 2);
    Put(&seed, shape.cols, 2);
  }
  return seed + network.Bytes();
}

// Two of the three letters of its text are pieces.
std::string ByteTokenizer() {
  TokenizerParts parts = SmallTokenizer();
  parts.first_byte = 6;
  parts.flags = 1;
  for (int byte = 0; byte < 256; ++byte) {
    parts.tokens.push_back({static_cast<uint32_t>(parts.text.size()), 1});
    parts.text.push_back(static_cast<char>(byte));
  }
  return parts.Bytes();
}

// A frame with these tensors one after the other, of which the data section begins with `gap` opaque bytes.
std::string FrameSeed(ModelStructure structure, uint64_t gap, const std::string& opaque) {
  uint64_t end = 0;
  for (ModelTensor& tensor : structure.tensors) {
    tensor.end = end + tensor.size();
    tensor.begin = std::exchange(end, tensor.end);
  }
  if (gap > 0) structure.pieces.push_back({0, gap});
  if (opaque.size() > gap) structure.pieces.push_back({end, opaque.size() - gap});
  std::string data_size(sizeof(uint64_t), '\0');
  Store<uint64_t>(&data_size, 0, end);
  return data_size + EncodeDescription(structure, "seed").value() + opaque;
}

ModelTensor OpaqueTensor(const std::string& name, uint64_t size, uint32_t bits) {
  ModelTensor tensor;
  tensor.name = name;
  tensor.shape = {size * 8 / bits};
  tensor.opaque_type = "I4";
  tensor.opaque_bits = bits;
  tensor.end = size;
  return tensor;
}

bool Put(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary);
  out << bytes;
  return static_cast<bool>(out.flush());
}

bool WriteFrames(const std::string& folder) {
  ModelStructure plain;
  plain.format = "seed";
  plain.tensors = {{"embed", DType::kI8, {4, 16}}, {"norm", DType::kF32, {4}}, {"empty", DType::kF16, {0, 3}}};
  ModelStructure woven = plain;
  woven.tensors = {{"scales", DType::kF16, {3}}, {"q", DType::kI8, {3, 32}}, OpaqueTensor("packed", 7, 4)};
  woven.weaves = {{0, 3, {2, 32}}};
  ModelStructure files = plain;
  files.files = {{"model.index", 5}, {"part/one.bin", 60}, {"part/two.bin", 24}};
  ModelStructure whole = plain;
  whole.whole_file = true;
  return Put(folder + "/plain", FrameSeed(plain, 4, "HEADTAIL!")) &&
         Put(folder + "/woven", FrameSeed(woven, 2, "abcdefg")) &&
         Put(folder + "/files", FrameSeed(files, 5, "INDEXTAIL")) && Put(folder + "/whole", FrameSeed(whole, 0, ""));
}

bool Write(const std::string& corpus) {
  bool done = WriteFrames(corpus + "/described_frame");
  const CodedModels small = Encode(SeedModels(), 512, 4096);
  for (const CodedVariant& v : small.variants) {
    done = done && Put(corpus + "/variant_stream/" + v.name, StreamSeed(small, v, 1));
  }
  const CodedModels long_models = Encode(LongModels(), 1024, 4096);
  done = done && Put(corpus + "/variant_stream/long", StreamSeed(long_models, long_models.variants[0], 2));

  const std::string classifier = NetworkSeed(SmallClassifier(), SmallClassifierShapes());
  done = done && Put(corpus + "/network/classifier", classifier);
  const std::string language = NetworkSeed(SmallLanguageModel(), SmallLanguageModelShapes());
  done = done && Put(corpus + "/network/language", language);
  done = done && Put(corpus + "/tokenizer/pieces", Piece(SmallTokenizer().Bytes()) + "abbabaab");
  done = done && Put(corpus + "/tokenizer/bytes", Piece(ByteTokenizer()) + "ab\xC3\xA9 ab");

  const CodedModels free = Encode(FreeModels(), 512, 4096);
  done = done && Put(corpus + "/variant_stream/free", StreamSeed(free, free.variants[0], 1));
  done = done && Put(corpus + "/vault_file/free_repaired", '\1' + CodedVaultBytes(free));

  done = done && Put(corpus + "/vault_file/all", '\0' + CodedVaultBytes(small));
  done = done && Put(corpus + "/vault_file/all_repaired", '\1' + CodedVaultBytes(small));
  const CodedModels fast = Encode(SeedModels(), 512, 4096, BaseProfile::kFast);
  done = done && Put(corpus + "/vault_file/fast_repaired", '\1' + CodedVaultBytes(fast));
  done = done && Put(corpus + "/vault_file/long_repaired", '\1' + CodedVaultBytes(long_models));
  const CodedModels host = Encode(SeedModels(), 512, 4096, BaseProfile::kHost);
  done = done && Put(corpus + "/vault_file/host_repaired", '\1' + CodedVaultBytes(host));
  const CodedModels free_host = Encode(FreeModels(), 1024, 4096, BaseProfile::kHost);
  done = done && Put(corpus + "/vault_file/free_host_repaired", '\1' + CodedVaultBytes(free_host));
  CodedModels talking = Encode(TalkingModels(), 256, 4096);
  talking.network = SmallClassifier().Bytes();
  done = done && Put(corpus + "/vault_file/talking_repaired", '\1' + CodedVaultBytes(talking));
  const CodedModels empty = Encode({{}, {}, {{"none", {}, {}, false}}}, 256, 4096);
  return done && Put(corpus + "/vault_file/empty_repaired", '\1' + CodedVaultBytes(empty));
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) { return modelvault::WriteSeeds(argc, argv, modelvault::Write); }
