// From files to vaults and back, byte for byte: models of every kind, every error, and what is kept of a vault that
// variants are added to.
#include "tools/packing/pack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/core/prediction.h"
#include "restore/restorer.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"
#include "tests/tools/packing/pack_fixture.h"
#include "tests/vault/faulty_file_system.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

PackOptions Options(uint32_t chunk_size, uint32_t segment_size, int threads) {
  PackOptions options;
  options.chunk_size = chunk_size;
  options.segment_size = segment_size;
  options.threads = threads;
  return options;
}
// Many chunks and segments even in small models.
const PackOptions kSmallPieces = Options(256, 4096, 1);

class PackTest : public PackFixture {
 protected:
  absl::StatusOr<PackReport> Pack(const std::vector<VariantInput>& variants,
                                  const PackOptions& options = kSmallPieces) {
    return PackFixture::Pack(variants, options);
  }
  absl::StatusOr<PackReport> Add(const std::vector<VariantInput>& variants, const PackOptions& options = kSmallPieces) {
    return AddVariants(files_, vault_, variants, false, options);
  }
  absl::StatusOr<PackReport> Replace(const std::vector<VariantInput>& variants) {
    return AddVariants(files_, vault_, variants, true, kSmallPieces);
  }
  uint64_t StoredSize(const std::string& name) {
    const auto reader = VaultReader::Open(files_, vault_);
    EXPECT_THAT(reader, IsOk());
    return (*(*reader)->Find(name))->stored_size;
  }
};

// --- Round trips.

TEST_F(PackTest, RandomModelsComeBackByteForByteAndTheSameOnAnyNumberOfThreads) {
  constexpr uint32_t kChunkSizes[] = {0, 256, 512, 4096};
  constexpr uint32_t kSegmentSizes[] = {4096, 4352, 16384, 1u << 20};
  int many_segments = 0, own_layouts = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    TestRandom random(seed);
    files_of_.clear();
    const FileModel base = RandomModel(&random, 12);
    Put("base", SerializeOddly(base, &random));
    std::vector<VariantInput> variants;
    for (uint64_t v = random.Below(7); v > 0; --v) {
      const FileModel variant = RandomVariant(base, &random);
      variants.push_back(PutVariant(absl::StrCat("dept-", v * 7 % 5, v),
                                    random.Below(2) == 0 ? Serialize(variant) : SerializeOddly(variant, &random)));
    }
    const PackOptions options = Options(kChunkSizes[random.Below(4)], kSegmentSizes[random.Below(4)], 1);
    const auto report = Pack(variants, options);
    ASSERT_THAT(report, IsOk());
    ExpectAllBack();
    const std::string bytes = Vault();

    EXPECT_EQ(report->bytes.file, bytes.size());
    EXPECT_EQ(report->base_file_size, files_of_["base"].size());
    ASSERT_EQ(report->variants.size(), variants.size());
    uint64_t input_size = files_of_["base"].size();
    for (size_t i = 0; i < variants.size(); ++i) {
      EXPECT_EQ(report->variants[i].name, variants[i].name);
      EXPECT_EQ(report->variants[i].file_size, files_of_[variants[i].name].size());
      EXPECT_EQ(report->variants[i].stored_size, StoredSize(variants[i].name));
      input_size += report->variants[i].file_size;
    }
    EXPECT_EQ(report->input_size, input_size);

    for (const int threads : {2, 4}) {
      PackOptions parallel = options;
      parallel.threads = threads;
      ASSERT_THAT(Pack(variants, parallel), IsOk());
      ASSERT_TRUE(Vault() == bytes) << threads;
    }
    // That the above was about something.
    const auto reader = VaultReader::Open(files_, vault_);
    for (const VaultVariant& v : (*reader)->variants()) {
      const auto blob = (*reader)->OpenBlob(v);
      if (blob->segment_count() > 1) ++many_segments;
      if (blob->has_own_layout()) ++own_layouts;
    }
  }
  EXPECT_GT(many_segments, 20);
  EXPECT_GT(own_layouts, 20);
}

TEST_F(PackTest, AddingVariantsOneByOneGivesAllOfThemBackAndKeepsTheOthersBytes) {
  for (uint64_t seed = 101; seed <= 125; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    TestRandom random(seed);
    files_of_.clear();
    const FileModel base = RandomModel(&random, 10);
    Put("base", SerializeOddly(base, &random));
    std::vector<VariantInput> first;
    if (seed % 2 == 0) first.push_back(PutVariant("first", Serialize(RandomVariant(base, &random))));
    ASSERT_THAT(Pack(first), IsOk());
    for (int v = 0; v < 4; ++v) {
      std::map<std::string, std::string> blobs;
      {
        const std::string bytes = Vault();
        ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::Open(files_, vault_));
        for (const VaultVariant& kept : reader->variants()) {
          blobs[kept.name] = absl::StrCat(kept.offset, " ", bytes.substr(kept.offset, kept.stored_size));
        }
      }
      const std::string name = absl::StrCat("added-", v);
      const VariantInput input = PutVariant(name, SerializeOddly(RandomVariant(base, &random), &random));
      const auto report = Add({input}, Options(0, 1 << 20, 1 + v % 3));  // Sizes are the vault's.
      ASSERT_THAT(report, IsOk());
      EXPECT_EQ(report->base_file_size, 0u);
      EXPECT_EQ(report->input_size, files_of_[name].size());
      EXPECT_EQ(report->bytes.file, Vault().size());
      ASSERT_EQ(report->variants.size(), 1u);
      EXPECT_EQ(report->variants[0].name, name);
      ExpectAllBack();
      const std::string bytes = Vault();
      ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::Open(files_, vault_));
      EXPECT_EQ(reader->header().chunk_size, 256u);
      EXPECT_EQ(reader->header().segment_size, 4096u);
      for (const auto& [kept, blob] : blobs) {
        ASSERT_OK_AND_ASSIGN(const VaultVariant* now, reader->Find(kept));
        EXPECT_EQ(absl::StrCat(now->offset, " ", bytes.substr(now->offset, now->stored_size)), blob) << kept;
      }
    }
  }
}

TEST_F(PackTest, ReplacingGivesTheNewFileBackAndKeepsTheOthersBytes) {
  TestRandom random(7);
  const FileModel base = RandomModel(&random, 10);
  Put("base", Serialize(base));
  std::vector<VariantInput> inputs;
  for (const std::string name : {"a", "b", "c"})
    inputs.push_back(PutVariant(name, Serialize(Ternary(base, 5, &random))));
  ASSERT_THAT(Pack(inputs), IsOk());
  const std::string before = Vault();
  ASSERT_OK_AND_ASSIGN(
      const auto old_reader,
      VaultReader::FromFile(std::make_unique<MemoryFile>(std::vector<uint8_t>(before.begin(), before.end()))));
  for (int i = 0; i < 12; ++i) {
    const std::string name(1, "bbac"[i % 4]);
    ASSERT_THAT(Replace({PutVariant(name, SerializeOddly(RandomVariant(base, &random), &random))}), IsOk());
    ExpectAllBack();
    if (i < 2) {  // Only b has been touched.
      ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::Open(files_, vault_));
      for (const std::string kept : {"a", "c"}) {
        const VaultVariant old_place = **old_reader->Find(kept);
        const VaultVariant new_place = **reader->Find(kept);
        EXPECT_EQ(old_place.offset, new_place.offset);
        EXPECT_EQ(before.substr(old_place.offset, old_place.stored_size),
                  Vault().substr(new_place.offset, new_place.stored_size));
      }
    }
  }
  // All at once, by each other's files.
  std::swap(files_of_["a"], files_of_["c"]);
  ASSERT_THAT(Replace({{"a", folder_.File("c.safetensors")}, {"c", folder_.File("a.safetensors")}}), IsOk());
  ExpectAllBack();
}

TEST_F(PackTest, AddingNothingOrToAnEmptyVaultWorks) {
  Put("base", Serialize({}));
  ASSERT_THAT(Pack({}), IsOk());
  ExpectAllBack();
  const std::string bytes = Vault();
  ASSERT_THAT(Add({}), IsOk());
  EXPECT_TRUE(Vault() == bytes);
  ASSERT_THAT(Add({PutVariant("x", Serialize({{}, {{"only", "metadata"}}}))}), IsOk());
  ExpectAllBack();
  EXPECT_EQ(StoredSize("x"), 0u);
}

TEST_F(PackTest, ModelsOfEmptyTensorsAndScalarsComeBack) {
  TestRandom random(8);
  FileModel base;
  base.tensors = {MakeTensor("nothing", "F32", {3, 0, 2}, &random), MakeTensor("zero", "NEW_9", {0}, &random)};
  FileModel swapped = base;
  std::swap(swapped.tensors[0], swapped.tensors[1]);
  FileModel retyped = base;
  retyped.tensors[0].dtype = "I8";
  Put("base", Serialize(base));
  ASSERT_THAT(Pack({PutVariant("same", Serialize(base)), PutVariant("swapped", SerializeOddly(swapped, &random)),
                    PutVariant("retyped", Serialize(retyped))}),
              IsOk());
  ExpectAllBack();

  base.tensors.insert(base.tensors.begin() + 1, MakeTensor("scalar", "I8", {}, &random));
  base.tensors.push_back(MakeTensor("double", "F64", {}, &random));
  base.tensors.push_back(MakeTensor("deep", "I16", {1, 1, 1, 1, 1, 1, 1, 1, 2}, &random));
  files_of_.clear();
  Put("base", Serialize(base));
  ASSERT_THAT(Pack({PutVariant("other", Serialize(Ternary(base, 1, &random)))}), IsOk());
  ExpectAllBack();
}

// Every kind of float: zeros, subnormal numbers, infinities and numbers that are none, of either sign, in every type
// beside every other.
TEST_F(PackTest, FloatsThatAreNoNumbersComeBackBitForBit) {
  const auto floats = [](const std::string& dtype) {
    const unsigned exponent_bits = dtype == "F16" ? 5 : dtype == "F64" ? 11 : 8;
    const unsigned size = dtype == "F64" ? 8 : dtype == "F32" ? 4 : 2;
    const unsigned mantissa_bits = 8 * size - 1 - exponent_bits;
    std::string data;
    for (const uint64_t exponent : {uint64_t{0}, uint64_t{1}, uint64_t{1} << (exponent_bits - 1),
                                    (uint64_t{1} << exponent_bits) - 2, (uint64_t{1} << exponent_bits) - 1}) {
      for (const uint64_t mantissa : {uint64_t{0}, uint64_t{1}, uint64_t{1} << (mantissa_bits - 1),
                                      (uint64_t{1} << mantissa_bits) - 2, (uint64_t{1} << mantissa_bits) - 1}) {
        for (const uint64_t sign : {0, 1}) {
          const uint64_t bits = (sign << (8 * size - 1)) | (exponent << mantissa_bits) | mantissa;
          for (unsigned i = 0; i < size; ++i) data.push_back(static_cast<char>(bits >> (8 * i)));
        }
      }
    }
    return data;
  };
  const std::vector<std::string> dtypes = {"F16", "BF16", "F32", "F64"};
  for (const std::string& of_base : dtypes) {
    files_of_.clear();
    FileModel base;
    base.tensors = {{"f", of_base, {50}, floats(of_base)}};
    Put("base", Serialize(base));
    std::vector<VariantInput> inputs;
    for (const std::string& dtype : dtypes) {
      FileModel variant = base;
      variant.tensors[0] = {"f", dtype, {50}, floats(dtype)};
      inputs.push_back(PutVariant("as-" + dtype, Serialize(variant)));
      std::string& data = variant.tensors[0].data;
      std::reverse(data.begin(), data.end());
      inputs.push_back(PutVariant("reversed-" + dtype, Serialize(variant)));
    }
    ASSERT_THAT(Pack(inputs), IsOk());
    ExpectAllBack();
  }
}

TEST_F(PackTest, FilesMayShareNamesOnlyThroughTheirTensors) {
  TestRandom random(9);
  FileModel base;
  base.tensors = {MakeTensor("w", "I8", {20, 30}, &random)};
  // Names of all kinds of characters, up to the longest.
  const std::vector<std::string> names = {"a", "a b",  "\xC3\xA9\xE2\x82\xAC", "a.b",
                                          "A", "BASE", std::string(255, 'n')};
  Put("base", Serialize(base));
  std::vector<VariantInput> inputs;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string file = Serialize(Ternary(base, 3, &random));
    files_of_[names[i]] = file;
    inputs.push_back({names[i], folder_.Write(absl::StrCat("file", i), file)});
  }
  ASSERT_THAT(Pack(inputs), IsOk());
  ExpectAllBack();
}

// --- Sizes.

TEST_F(PackTest, AVariantLikeTheBaseCostsAFewBytes) {
  TestRandom random(10);
  FileModel base;
  base.tensors = {MakeTensor("w", "I8", {200, 300}, &random), MakeTensor("n", "F32", {300}, &random)};
  Put("base", Serialize(base));
  ASSERT_THAT(Pack({}), IsOk());
  const size_t without = Vault().size();
  ASSERT_THAT(Pack({PutVariant("same", Serialize(base))}), IsOk());
  ExpectAllBack();
  EXPECT_EQ(StoredSize("same"), 0u);
  EXPECT_LE(Vault().size(), without + 40 + 4 + 1 + 32);  // An entry, its name, what MANIFEST says of it, padding.
  // Only the header differs.
  FileModel titled = base;
  titled.metadata = {{"department", "claims"}};
  ASSERT_THAT(Add({PutVariant("titled", Serialize(titled))}), IsOk());
  ExpectAllBack();
  EXPECT_EQ(StoredSize("titled"), 0u);
  // In another order the same tensors are a few bytes of layout and a mode each.
  FileModel swapped = base;
  std::swap(swapped.tensors[0], swapped.tensors[1]);
  ASSERT_THAT(Add({PutVariant("swapped", Serialize(swapped))}, Options(0, 1 << 20, 1)), IsOk());
  ExpectAllBack();
  EXPECT_LE(StoredSize("swapped"), 1 + 4 + 2 + 16 * 12u);  // flags, layout, count, segments
}

TEST_F(PackTest, AnUnrelatedVariantCostsHardlyMoreThanItsBytes) {
  for (const uint32_t segment_size : {4096u, 1u << 20}) {
    for (uint64_t seed = 200; seed < 210; ++seed) {
      TestRandom random(seed);
      files_of_.clear();
      const FileModel base = RandomModel(&random, 8);
      FileModel unrelated = base;
      size_t raw = 0;
      for (FileTensor& t : unrelated.tensors) {
        t.data = random.Bytes(t.data.size());
        raw += t.data.size();
      }
      Put("base", Serialize(base));
      ASSERT_THAT(Pack({PutVariant("unrelated", Serialize(unrelated))}, Options(0, segment_size, 2)), IsOk());
      ExpectAllBack();
      EXPECT_LE(StoredSize("unrelated"), raw + raw / 200 + 64) << "seed " << seed;
      const auto reader = VaultReader::Open(files_, vault_);
      EXPECT_LE((*reader)->BytesBySection().base, raw + raw / 200 + 64) << "seed " << seed;
    }
  }
}

TEST_F(PackTest, DenseSignsCostABitAWeight) {
  TestRandom random(11);
  FileModel base;
  base.tensors = {MakeTensor("w", "I8", {256, 512}, &random)};
  FileModel dense = base;
  for (char& w : dense.tensors[0].data) w = static_cast<char>(w + (random.Below(2) == 0 ? 2 : -2));
  Put("base", Serialize(base));
  ASSERT_THAT(Pack({PutVariant("dense", Serialize(dense))}, Options(0, 1 << 20, 2)), IsOk());
  ExpectAllBack();
  EXPECT_LE(StoredSize("dense"), 256u * 512 / 8 + 64);
}

TEST_F(PackTest, ARoundedCheckpointCostsAlmostNothing) {
  TestRandom random(12);
  FileModel base;
  for (int i = 0; i < 5; ++i) base.tensors.push_back(MakeTensor(absl::StrCat("w", i), "F32", {50, 70}, &random));
  Put("base", Serialize(base));
  std::vector<VariantInput> inputs;
  for (const bool half : {true, false}) {
    FileModel rounded = base;
    for (FileTensor& t : rounded.tensors) {
      std::string bytes(t.data.size() / 2, '\0');
      Predict(half ? Prediction::kF32ToF16 : Prediction::kF32ToBf16, reinterpret_cast<const uint8_t*>(t.data.data()),
              bytes.size() / 2, reinterpret_cast<uint8_t*>(bytes.data()));
      t.dtype = half ? "F16" : "BF16";
      t.data = bytes;
    }
    inputs.push_back(PutVariant(half ? "half" : "brain", Serialize(rounded)));
  }
  ASSERT_THAT(Pack(inputs, Options(0, 1 << 20, 2)), IsOk());
  ExpectAllBack();
  EXPECT_LE(StoredSize("half"), 40u);
  EXPECT_LE(StoredSize("brain"), 40u);
}

TEST_F(PackTest, TernaryVariantsCostLessTogetherWithThoseThatChangeTheSameWeights) {
  TestRandom random(13);
  FileModel base;
  base.tensors = {MakeTensor("w", "I8", {128, 256}, &random)};
  Put("base", Serialize(base));
  std::vector<VariantInput> inputs;
  for (int v = 0; v < 8; ++v) {
    FileModel variant = base;
    for (size_t i = 0; i < variant.tensors[0].data.size(); ++i) {
      char& w = variant.tensors[0].data[i];
      const bool busy = i / 256 % 4 == 0 && i % 8 < 3;
      if (random.Below(busy ? 2 : 200) == 0) w = static_cast<char>(w + (random.Below(2) == 0 ? 1 : -1));
    }
    inputs.push_back(PutVariant(absl::StrCat("v", v), Serialize(variant)));
  }
  ASSERT_THAT(Pack(inputs), IsOk());
  ExpectAllBack();
  const uint64_t together = StoredSize("v0");
  ASSERT_THAT(Pack({}), IsOk());
  ASSERT_THAT(Add({inputs[0]}), IsOk());  // MODEL knows of no variant.
  EXPECT_LT(together, StoredSize("v0") * 9 / 10);
}

// --- Errors.

class PackErrorTest : public PackTest {
 protected:
  void SetUp() override {
    TestRandom random(20);
    base_.tensors = {MakeTensor("embed", "I8", {40, 50}, &random), MakeTensor("norm", "F32", {50}, &random),
                     MakeTensor("head", "I8", {10, 50}, &random)};
    Put("base", Serialize(base_));
    good_ = PutVariant("good", Serialize(Ternary(base_, 4, &random)));
  }

  // Refused, with nothing at the output path nor beside it; and the same on the way into a vault that is there, which
  // stays as it is.
  void ExpectRefused(const std::vector<VariantInput>& variants, const testing::Matcher<absl::Status>& error,
                     const PackOptions& options = kSmallPieces) {
    std::filesystem::remove(vault_);
    const std::vector<std::string> names = folder_.Names();
    EXPECT_THAT(Pack(variants, options).status(), error);
    EXPECT_EQ(folder_.Names(), names);

    const std::string precious = "some other file";
    folder_.Write("v.mvlt", precious);
    EXPECT_THAT(Pack(variants, options).status(), error);
    EXPECT_EQ(Vault(), precious);

    std::filesystem::remove(vault_);
    ASSERT_THAT(Pack({}), IsOk());
    const std::string bytes = Vault();
    const std::vector<std::string> names_now = folder_.Names();
    EXPECT_THAT(Add(variants, options).status(), error);
    EXPECT_TRUE(Vault() == bytes);
    EXPECT_EQ(folder_.Names(), names_now);
  }

  FileModel base_;
  VariantInput good_;
};

TEST_F(PackErrorTest, VariantsOfAnotherBaseAreRefusedInOneMessage) {
  TestRandom random(21);
  FileModel wider = base_;
  wider.tensors[0] = MakeTensor("embed", "I8", {50, 40}, &random);
  FileModel flat = base_;
  flat.tensors[0] = MakeTensor("embed", "I8", {2000}, &random);
  FileModel renamed = base_;
  for (FileTensor& tensor : renamed.tensors) tensor.name = "module." + tensor.name;
  const std::vector<VariantInput> variants = {PutVariant("wider", Serialize(wider)), good_,
                                              PutVariant("flat", Serialize(flat)),
                                              PutVariant("renamed", Serialize(renamed))};
  ExpectRefused(variants,
                StatusIs(StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("3 of 4 variants do not match the base"), HasSubstr("wider.safetensors"),
                               HasSubstr("of another shape: 'embed' I8 [50, 40], in the base [40, 50]"),
                               HasSubstr("of another rank: 'embed' I8 [2000], in the base [40, 50]"),
                               HasSubstr("3 of 3 tensors match with --rename module.="))));
}

TEST_F(PackErrorTest, AVariantThatLacksTensorsOrHasOthersComesBack) {
  TestRandom random(21);
  std::vector<VariantInput> variants;
  const auto put = [&](const std::string& name, const FileModel& model) {
    variants.push_back(PutVariant(name, Serialize(model)));
  };
  FileModel model = base_;
  model.tensors.insert(model.tensors.begin() + 1, MakeTensor("adapter", "F16", {2, 3}, &random));
  put("extra", model);
  model = base_;
  model.tensors.erase(model.tensors.begin() + 1);
  put("missing", model);
  model = base_;
  model.tensors[2] = MakeTensor("head", "I8", {12, 50}, &random);
  put("grown", model);
  model = base_;
  model.tensors.push_back(base_.tensors[0]);
  model.tensors.back().name = "lm_head";
  put("tied", model);
  model = base_;
  model.tensors[1].name = "NORM";
  put("renamed", model);
  ASSERT_OK_AND_ASSIGN(const PackReport report, Pack(variants));
  files_of_.erase("good");
  ExpectAllBack();
  EXPECT_THAT(report.note,
              AllOf(HasSubstr("5 of 5 variants do not match the base entirely"), HasSubstr("'adapter' F16 [2, 3]"),
                    HasSubstr("1 of the base are missing: 'norm' F32 [50]"), HasSubstr("rows were added (2)"),
                    HasSubstr("tied to the embedding"), HasSubstr("--rename NORM=norm")));
  EXPECT_LT(StoredSize("tied"), StoredSize("grown") / 4);  // The head that is tied costs next to nothing.

  PackOptions options = kSmallPieces;
  options.names.renames = {{"NORM", "norm"}};
  std::filesystem::remove(vault_);
  ASSERT_OK_AND_ASSIGN(const PackReport with_rule, Pack({variants.back()}, options));
  EXPECT_EQ(with_rule.note, "");
  options.names = {{}, {"head"}};
  ASSERT_OK_AND_ASSIGN(const PackReport ignored, Pack({good_}, options));
  EXPECT_EQ(ignored.note, "");
  EXPECT_GT(ignored.variants.front().stored_size, 500u);  // All of the head.
  files_of_ = {{"base", Serialize(base_)}, {"good", folder_.Read("good.safetensors")}};
  ExpectAllBack();
}

TEST_F(PackErrorTest, NamesThatAreNoneAreRefused) {
  for (const std::string& name :
       {std::string(), std::string("base"), std::string("."), std::string(".."), std::string("a/b"), std::string("/"),
        std::string("a\\b"), std::string("-x"), std::string("a\0b", 3), std::string("a\nb"), std::string("\x7F"),
        std::string("\xC2\x85"), std::string("\xFF"), std::string(256, 'n'), std::string(300, 'n')}) {
    ExpectRefused({good_, {name, good_.path}}, StatusIs(StatusCode::kInvalidArgument));
  }
}

TEST_F(PackErrorTest, ANameGivenTwiceIsRefused) {
  ExpectRefused({good_, {"other", good_.path}, good_},
                StatusIs(StatusCode::kAlreadyExists, AllOf(HasSubstr("'good'"), HasSubstr("twice"))));
}

TEST_F(PackErrorTest, FilesThatAreNoModelsAreRefused) {
  const std::string whole = folder_.Read("good.safetensors");
  ExpectRefused({{"none", folder_.File("none")}}, StatusIs(StatusCode::kNotFound, HasSubstr(folder_.File("none"))));
  ExpectRefused({{"folder", folder_.path()}}, StatusIs(StatusCode::kInvalidArgument, HasSubstr(folder_.path())));
  for (const size_t size : {size_t{0}, size_t{7}, size_t{8}, size_t{100}, whole.size() - 1}) {
    ExpectRefused({good_, PutVariant("short", whole.substr(0, size))},
                  StatusIs(StatusCode::kInvalidArgument, HasSubstr("short.safetensors")));
  }
  ExpectRefused({PutVariant("long", whole + "x")},
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("long.safetensors")));
}

TEST_F(PackErrorTest, ABaseThatIsNoModelIsRefused) {
  EXPECT_THAT(PackVault(files_, folder_.File("none"), {good_}, vault_, {}),
              StatusIs(StatusCode::kNotFound, HasSubstr(folder_.File("none"))));
  EXPECT_THAT(PackVault(files_, folder_.Write("empty", ""), {good_}, vault_, {}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_FALSE(std::filesystem::exists(vault_));
}

TEST_F(PackErrorTest, OutputsThatCannotBeWrittenAreRefused) {
  const std::string base = folder_.File("base.safetensors");
  EXPECT_THAT(PackVault(files_, base, {good_}, folder_.File("no/such/v.mvlt"), {}),
              StatusIs(StatusCode::kNotFound, HasSubstr("no/such/v.mvlt")));
  EXPECT_THAT(PackVault(files_, base, {good_}, folder_.path(), {}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr(folder_.path())));
}

TEST_F(PackErrorTest, SizesTheFormatDoesNotHaveAreRefused) {
  for (const uint32_t size : {100u, 255u, 257u, (1u << 24) + 256}) {
    EXPECT_THAT(Pack({good_}, Options(size, 4096, 1)),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(absl::StrCat("chunk size ", size))));
  }
  for (const uint32_t size : {256u, 4095u, 4097u, (1u << 24) + 256}) {
    EXPECT_THAT(Pack({good_}, Options(256, size, 1)),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(absl::StrCat("segment size ", size))));
  }
  EXPECT_FALSE(std::filesystem::exists(vault_));
}

TEST_F(PackErrorTest, AddingWhatIsThereOrReplacingWhatIsNotIsRefused) {
  ASSERT_THAT(Pack({good_}), IsOk());
  const std::string bytes = Vault();
  const VariantInput other = {"other", good_.path};
  EXPECT_THAT(Add({other, good_}),
              StatusIs(StatusCode::kAlreadyExists, AllOf(HasSubstr("v.mvlt"), HasSubstr("'good'"))));
  EXPECT_THAT(Replace({good_, other}),
              StatusIs(StatusCode::kNotFound, AllOf(HasSubstr("v.mvlt"), HasSubstr("'other'"))));
  EXPECT_THAT(AddVariants(files_, folder_.File("none"), {good_}, false, {}),
              StatusIs(StatusCode::kNotFound, HasSubstr(folder_.File("none"))));
  EXPECT_THAT(AddVariants(files_, good_.path, {good_}, false, {}),
              StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr(good_.path), HasSubstr("not a vault"))));
  EXPECT_TRUE(Vault() == bytes);
  EXPECT_THAT(folder_.Names(), ElementsAre("base.safetensors", "good.safetensors", "v.mvlt"));
}

TEST_F(PackErrorTest, AddingAgainstADamagedBaseIsRefused) {
  ASSERT_THAT(Pack({}), IsOk());
  std::string damaged = Vault();
  const size_t place = SectionOffset(damaged, 2) + SectionSize(damaged, 2) / 2;
  damaged[place] = static_cast<char>(damaged[place] ^ 4);
  folder_.Write("v.mvlt", damaged);
  EXPECT_THAT(Add({good_}), StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("v.mvlt"), HasSubstr("base chunk"))));
  EXPECT_TRUE(Vault() == damaged);
}

// A vault whose MANIFEST describes another base than MODEL does, with right checksums.
TEST_F(PackErrorTest, AddingToAVaultThatContradictsItselfIsRefused) {
  ASSERT_THAT(Pack({}), IsOk());
  const auto with_header_of = [&](const FileModel& other) {
    const std::string bytes = Vault();
    const auto reader = VaultReader::Open(files_, vault_);
    const auto file = Serialize(other);
    const std::string header = file.substr(0, 8 + Load<uint64_t>(file, 0));
    const std::string manifest = *EncodeManifest({header, {}});
    std::string forged = bytes.substr(0, SectionOffset(bytes, 4)) + manifest;
    Store<uint64_t>(&forged, SectionField(4) + 8, manifest.size());
    Store<uint64_t>(&forged, 16, forged.size());
    RepairChecksums(&forged);
    return forged;
  };
  TestRandom random(22);
  const std::string honest = Vault();
  std::vector<FileModel> others(5, base_);
  std::swap(others[0].tensors[0], others[0].tensors[2]);
  others[1].tensors[1] = MakeTensor("norm", "I32", {50}, &random);
  others[2].tensors.erase(others[2].tensors.begin());
  others[3].tensors[0] = MakeTensor("embed", "I8", {50, 40}, &random);
  others[4].tensors = {MakeTensor("all", "I8", {54, 50}, &random)};
  for (const FileModel& other : others) {
    folder_.Write("v.mvlt", honest);
    const std::string forged = with_header_of(other);
    folder_.Write("v.mvlt", forged);
    const VariantInput input = PutVariant("input", Serialize(other));
    EXPECT_THAT(Add({input}), StatusIs(StatusCode::kDataLoss, HasSubstr("v.mvlt: ")));
    EXPECT_TRUE(Vault() == forged);
  }
}

// --- Two writers.

TEST_F(PackErrorTest, AVaultThatAnotherIsWritingIsRefused) {
  ASSERT_THAT(Pack({}), IsOk());
  const std::string bytes = Vault();
  FaultyFileSystem patient;  // Waits without waiting.
  ASSERT_OK_AND_ASSIGN(const auto lock, files_.Lock(vault_));
  const auto aborted = StatusIs(StatusCode::kAborted, HasSubstr(vault_));
  EXPECT_THAT(AddVariants(patient, vault_, {good_}, false, kSmallPieces), aborted);
  EXPECT_THAT(PackVault(patient, folder_.File("base.safetensors"), {good_}, vault_, kSmallPieces), aborted);
  EXPECT_GT(patient.pauses(), 1);
  EXPECT_TRUE(Vault() == bytes);
}

TEST_F(PackErrorTest, WritersAtOnceWaitForEachOther) {
  ASSERT_THAT(Pack({}), IsOk());
  TestRandom random(26);
  std::vector<VariantInput> inputs;
  for (int i = 0; i < 4; ++i) {
    inputs.push_back(PutVariant(absl::StrCat("by-", i), Serialize(Ternary(base_, 5, &random))));
  }
  std::vector<std::thread> writers;
  std::atomic<int> done{0};
  for (const VariantInput& input : inputs) {
    writers.emplace_back([this, &done, input] {
      if (AddVariants(files_, vault_, {input}, false, kSmallPieces).ok()) ++done;
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(done, 4);
  files_of_.erase("good");
  ExpectAllBack();
}

// --- Budget.

TEST_F(PackErrorTest, AVaultOverBudgetIsRefusedWithWhatWouldFit) {
  TestRandom random(23);
  std::vector<VariantInput> inputs = {good_};
  for (int v = 0; v < 8; ++v) {
    FileModel variant = Ternary(base_, 20 + 5 * v, &random);
    if (v == 3) variant.tensors[0].data = random.Bytes(variant.tensors[0].data.size());
    inputs.push_back(PutVariant(absl::StrCat("v", v), Serialize(variant)));
  }
  const auto report = Pack(inputs);
  ASSERT_THAT(report, IsOk());
  ExpectAllBack();
  const uint64_t size = report->bytes.file;
  std::vector<PackedVariant> by_size = report->variants;
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const PackedVariant& a, const PackedVariant& b) { return a.stored_size > b.stored_size; });
  ASSERT_EQ(by_size[0].name, "v3");
  std::filesystem::remove(vault_);

  PackOptions options = kSmallPieces;
  options.budget = size;
  ASSERT_THAT(Pack(inputs, options), IsOk());
  EXPECT_EQ(Vault().size(), size);
  std::filesystem::remove(vault_);
  const std::vector<std::string> names = folder_.Names();

  options.budget = size - 1;
  std::vector<std::string> costliest;
  for (size_t i = 0; i < 5; ++i)
    costliest.push_back(absl::StrCat("'", by_size[i].name, "' (", by_size[i].stored_size, ")"));
  EXPECT_THAT(Pack(inputs, options),
              StatusIs(StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("v.mvlt: over budget"),
                             HasSubstr(absl::StrCat(size, " bytes, budget ", size - 1, ", 1 too many")),
                             HasSubstr(absl::StrJoin(costliest, ", ")), Not(HasSubstr(by_size[5].name)),
                             HasSubstr("without the 1 costliest, 8 of 9 variants would fit"))));
  EXPECT_EQ(folder_.Names(), names);
  // What it says is true.
  std::vector<VariantInput> fewer;
  for (const VariantInput& input : inputs) {
    if (input.name != "v3") fewer.push_back(input);
  }
  EXPECT_THAT(Pack(fewer, options), IsOk());

  options.budget = 300;
  EXPECT_THAT(Pack(inputs, options),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("even without variants about")));
  EXPECT_THAT(Pack({}, options), StatusIs(StatusCode::kResourceExhausted,
                                          AllOf(HasSubstr("even without variants"), Not(HasSubstr("costliest")))));
  options.budget = 0;
  EXPECT_THAT(Pack(inputs, options), StatusIs(StatusCode::kResourceExhausted));
}

// --- Profiles.

TEST_F(PackErrorTest, TheFastProfileIsTakenWhereItFitsTheBudgetAndBothSizesAreTold) {
  PackOptions options = kSmallPieces;
  std::map<BaseProfile, uint64_t> sizes;
  for (const BaseProfile profile : {BaseProfile::kSmall, BaseProfile::kFast}) {
    options.profile = profile;
    const auto report = Pack({good_}, options);
    ASSERT_THAT(report, IsOk());
    ExpectAllBack();
    ASSERT_TRUE(report->profile.has_value());
    EXPECT_EQ(report->profile->profile, profile);
    sizes[profile] = report->bytes.file;
    if (profile == BaseProfile::kFast) {
      EXPECT_EQ(report->profile->other_size, sizes[BaseProfile::kSmall]);
    }
  }
  ASSERT_GT(sizes[BaseProfile::kFast], sizes[BaseProfile::kSmall]);
  const auto packed = [&](std::optional<uint64_t> budget) {
    options.profile = std::nullopt;
    options.budget = budget;
    const auto report = Pack({good_}, options);
    EXPECT_THAT(report, IsOk());
    ExpectAllBack();
    EXPECT_EQ(Vault().size(), report->bytes.file);
    return *report->profile;
  };
  for (const std::optional<uint64_t> budget :
       {std::optional<uint64_t>(), std::optional<uint64_t>(sizes[BaseProfile::kFast] - 1),
        std::optional<uint64_t>(sizes[BaseProfile::kSmall])}) {
    const ProfileBill bill = packed(budget);
    EXPECT_EQ(bill.profile, BaseProfile::kSmall);
    EXPECT_EQ(bill.other_size, sizes[BaseProfile::kFast]);
  }
  EXPECT_EQ(packed(sizes[BaseProfile::kFast]).profile, BaseProfile::kFast);
  options.profile = BaseProfile::kFast;
  options.budget = sizes[BaseProfile::kFast] - 1;
  EXPECT_THAT(Pack({good_}, options), StatusIs(StatusCode::kResourceExhausted, HasSubstr("over budget")));
}

TEST_F(PackErrorTest, AVaultThatIsEditedKeepsItsProfile) {
  for (const BaseProfile profile : {BaseProfile::kSmall, BaseProfile::kFast}) {
    std::filesystem::remove(vault_);
    PackOptions options = kSmallPieces;
    options.profile = profile;
    ASSERT_THAT(Pack({good_}, options), IsOk());
    const auto report = Add({PutVariant("again", folder_.Read("good.safetensors"))});
    ASSERT_THAT(report, IsOk());
    EXPECT_FALSE(report->profile.has_value());
    ASSERT_OK_AND_ASSIGN(const auto restorer, Restorer::Open(files_, vault_));
    EXPECT_EQ(ProfileOf(restorer->shared()), profile);
    ExpectAllBack();
    files_of_.erase("again");
  }
}

TEST_F(PackErrorTest, AddingPastTheBudgetLeavesTheVaultAsItWas) {
  TestRandom random(24);
  ASSERT_THAT(Pack({good_}), IsOk());
  const std::string bytes = Vault();
  FileModel unrelated = base_;
  unrelated.tensors[0].data = random.Bytes(unrelated.tensors[0].data.size());
  const VariantInput large = PutVariant("large", Serialize(unrelated));
  PackOptions options = kSmallPieces;
  options.budget = bytes.size() + 10;
  EXPECT_THAT(Add({large}, options), StatusIs(StatusCode::kResourceExhausted,
                                              AllOf(HasSubstr("v.mvlt"), HasSubstr("'large'"), HasSubstr("'good'"))));
  EXPECT_TRUE(Vault() == bytes);
  EXPECT_THAT(AddVariants(files_, vault_, {{"good", large.path}}, true, options),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_TRUE(Vault() == bytes);
  options.budget = 100000;
  EXPECT_THAT(Add({large}, options), IsOk());
  files_of_["good"] = folder_.Read("good.safetensors");
  ExpectAllBack();
}

// --- Progress.

TEST_F(PackTest, ProgressRunsToTheEndOfEachStageOnTheCallingThread) {
  TestRandom random(30);
  const FileModel base = RandomModel(&random, 8);
  Put("base", Serialize(base));
  std::vector<VariantInput> inputs;
  for (int v = 0; v < 5; ++v) inputs.push_back(PutVariant(absl::StrCat("v", v), Serialize(Ternary(base, 3, &random))));
  for (const int threads : {1, 3}) {
    std::vector<std::string> stages;
    std::map<std::string, std::pair<uint64_t, uint64_t>> last;
    PackOptions options = Options(256, 4096, threads);
    const std::thread::id caller = std::this_thread::get_id();
    options.progress = [&](absl::string_view stage, uint64_t done, uint64_t total) {
      EXPECT_EQ(std::this_thread::get_id(), caller);
      const std::string name(stage);
      if (stages.empty() || stages.back() != name) stages.push_back(name);
      EXPECT_LE(done, total);
      EXPECT_GE(done, last[name].first);
      last[name] = {done, total};
    };
    ASSERT_THAT(Pack(inputs, options), IsOk());
    EXPECT_THAT(stages, ElementsAre("analyse", "encode base", "encode variants", "verify"));
    for (const auto& [stage, progress] : last) EXPECT_EQ(progress.first, progress.second) << stage;
  }
}

// --- Files that change while they are packed.

// Serves other bytes from some file from its n-th read on, or at that read only.
class ChangingCalls : public SystemCalls {
 public:
  // Counts the reads of the file whose path ends so.
  void Watch(std::string suffix) {
    suffix_ = std::move(suffix);
    change_at_ = 0;
    reads_ = 0;
  }
  void ChangeAt(int n, bool for_good) {
    change_at_ = n;
    for_good_ = for_good;
    reads_ = 0;
  }
  int reads() const { return reads_; }

  int Open(const std::string& path, int flags, mode_t mode) override {
    const int fd = SystemCalls::Open(path, flags, mode);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (fd >= 0 && absl::EndsWith(path, suffix_)) watched_ = fd;
    return fd;
  }
  int Close(int fd) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (fd == watched_) watched_ = -1;
    return SystemCalls::Close(fd);
  }
  ssize_t ReadAt(int fd, void* data, size_t size, off_t offset) override {
    const ssize_t done = SystemCalls::ReadAt(fd, data, size, offset);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (fd != watched_ || done <= 0) return done;
    ++reads_;
    if (change_at_ == 0 || reads_ < change_at_ || (reads_ > change_at_ && !for_good_)) return done;
    // One byte in a hundred of the file.
    for (ssize_t i = 0; i < done; ++i) {
      if ((offset + i) % 100 == 99) static_cast<uint8_t*>(data)[i] ^= 0x55;
    }
    return done;
  }

 private:
  std::mutex mutex_;
  std::string suffix_;
  int watched_ = -1;
  int reads_ = 0;
  int change_at_ = 0;
  bool for_good_ = false;
};

class ChangingFileSystem : public ChangingCalls, public FileSystem {
 public:
  ChangingFileSystem() : FileSystem(static_cast<ChangingCalls&>(*this)) {}
};

std::string Changed(std::string file) {
  for (size_t i = 99; i < file.size(); i += 100) file[i] = static_cast<char>(file[i] ^ 0x55);
  return file;
}

TEST_F(PackErrorTest, AFileThatChangesMeanwhileIsCaught) {
  TestRandom random(25);
  // A variant and a base of several segments, chunks and blocks, with bytes in the base that its tables do not have.
  FileModel base;
  base.tensors = {MakeTensor("w", "I8", {40, 500}, &random), MakeTensor("n", "F32", {50}, &random)};
  Put("base", Serialize(base));
  const VariantInput good = PutVariant("good", Serialize(Ternary(base, 4, &random)));
  const std::vector<std::string> names = folder_.Names();
  for (const std::string name : {"good", "base"}) {
    for (const bool add : {false, true}) {
      if (add && name == "base") continue;  // Not read again.
      ChangingFileSystem files;
      const std::string path = folder_.File(name + ".safetensors");
      const auto run = [&]() -> absl::Status {
        if (add) return AddVariants(files, vault_, {good}, false, kSmallPieces).status();
        return PackVault(files, folder_.File("base.safetensors"), {good}, vault_, kSmallPieces).status();
      };
      const auto restart = [&] {
        std::filesystem::remove(vault_);
        if (add) {
          ASSERT_THAT(Pack({}), IsOk());
        }
      };
      restart();
      const std::string before = folder_.ReadIfThere("v.mvlt");
      files.Watch(path);
      ASSERT_THAT(run(), IsOk());
      const int reads = files.reads();
      ASSERT_GE(reads, 10);
      int caught = 0;
      for (int n = 1; n <= reads; ++n) {
        for (const bool for_good : {false, true}) {
          SCOPED_TRACE(absl::StrCat(name, ", ", add ? "add" : "pack", ", changes at read ", n, " of ", reads,
                                    for_good ? " for good" : " once"));
          restart();
          files.ChangeAt(n, for_good);
          const absl::Status status = run();
          if (status.ok()) {
            // Packed as it is now, or as it was all along where the one other read did not matter.
            ModelFiles expected = files_of_;
            if (for_good) expected[name] = Changed(expected[name]);
            EXPECT_TRUE(VerifyVault(files_, vault_, &files_of_).ok() || VerifyVault(files_, vault_, &expected).ok());
            continue;
          }
          ++caught;
          // A variant coded against one state of the base and restored against another is the one that differs.
          EXPECT_THAT(status, StatusIs(testing::_, AnyOf(HasSubstr(path), HasSubstr(good.path))));
          EXPECT_TRUE(folder_.ReadIfThere("v.mvlt") == before);
        }
      }
      EXPECT_GE(caught, reads);
    }
  }
}

}  // namespace
}  // namespace modelvault
