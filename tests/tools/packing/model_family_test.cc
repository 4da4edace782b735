// Models that share a base are found from samples: which, at what cost, and with how little read.
#include "tools/packing/model_family.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <set>

#include "absl/strings/str_cat.h"
#include "codec/core/bytes.h"
#include "codec/core/prediction.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"
#include "tools/packing/base_choice.h"
#include "tools/packing/family_plan.h"
#include "tools/packing/sample_bits.h"

namespace modelvault {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Reads, and how many.
class CountingCalls : public SystemCalls {
 public:
  ssize_t ReadAt(int fd, void* data, size_t size, off_t offset) override {
    const ssize_t got = SystemCalls::ReadAt(fd, data, size, offset);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (got > 0) bytes_ += static_cast<uint64_t>(got);
    return got;
  }
  uint64_t bytes() const { return bytes_; }

 private:
  std::mutex mutex_;
  uint64_t bytes_ = 0;
};

// BF16 as of a normal distribution: four uniform numbers added.
std::string Normal(uint64_t count, TestRandom* random) {
  std::string data(static_cast<size_t>(2 * count), '\0');
  for (uint64_t i = 0; i < count; ++i) {
    float sum = 0;
    for (int k = 0; k < 4; ++k) sum += static_cast<float>(random->Below(2001)) / 1000 - 1;
    uint32_t bits;
    sum *= 0.02f;
    std::memcpy(&bits, &sum, sizeof(bits));
    StoreLe16(reinterpret_cast<uint8_t*>(&data[2 * i]), F32ToBf16(bits));
  }
  return data;
}

// Every element moved by at most a unit in the last place.
std::string Moved(std::string data, TestRandom* random) {
  for (size_t i = 0; i + 1 < data.size(); i += 2) {
    uint8_t* const at = reinterpret_cast<uint8_t*>(&data[i]);
    StoreLe16(at, static_cast<uint16_t>(LoadLe16(at) + random->Below(3) - 1));
  }
  return data;
}

FileModel Network(uint64_t seed) {
  TestRandom random(seed);
  FileModel model;
  for (const char* name : {"a", "b", "c", "d"}) {
    model.tensors.push_back({absl::StrCat(name, ".weight"), "BF16", {96, 64}, Normal(96 * 64, &random)});
  }
  model.tensors.push_back({"norm", "F32", {64}, std::string(256, '\x3f')});
  return model;
}

FileModel FineTune(const FileModel& base, uint64_t seed) {
  TestRandom random(seed);
  FileModel model = base;
  for (FileTensor& tensor : model.tensors) {
    if (tensor.dtype == "BF16") tensor.data = Moved(tensor.data, &random);
  }
  return model;
}

// Two families, a stranger of their shape, one of another shape, and a fine-tune without its last layer.
class ModelFamilyTest : public testing::Test {
 protected:
  ModelFamilyTest() {
    const FileModel one = Network(1), two = Network(2);
    Add("alpha", one);
    Add("alpha-1", FineTune(one, 11));
    Add("alpha-2", FineTune(one, 12));
    FileModel pruned = FineTune(one, 13);
    pruned.tensors.erase(pruned.tensors.begin() + 3);
    Add("alpha-pruned", pruned);
    Add("beta", two);
    Add("beta-1", FineTune(two, 21));
    Add("beta-2", FineTune(two, 22));
    Add("stranger", Network(3));
    TestRandom random(4);
    FileModel other;
    other.tensors.push_back({"conv", "BF16", {512, 32}, Normal(512 * 32, &random)});
    Add("zebra", other);
  }

  void Add(const std::string& name, const FileModel& model) {
    models_.push_back({name, folder_.Write(name + ".safetensors", Serialize(model))});
  }

  // The names of each family, its base first.
  std::vector<std::vector<std::string>> Names(const ModelFamilies& found) const {
    std::vector<std::vector<std::string>> names;
    for (const ModelFamily& family : found.families) {
      std::vector<std::string>& list = names.emplace_back();
      list.push_back(models_[family.base.model].name);
      for (const FamilyMember& variant : family.variants) list.push_back(models_[variant.model].name);
    }
    return names;
  }

  TempFolder folder_;
  std::vector<VariantInput> models_;
};

TEST_F(ModelFamilyTest, EachModelIsPutWithItsBase) {
  for (const uint64_t sample : {uint64_t{16} << 10, kDefaultSampleSize}) {
    SCOPED_TRACE(sample);
    FamilyOptions options;
    options.sample_size = sample;
    ASSERT_OK_AND_ASSIGN(const ModelFamilies found, FindFamilies(FileSystem::Default(), models_, options));
    EXPECT_THAT(Names(found),
                ElementsAre(ElementsAre("alpha", "alpha-1", "alpha-2", "alpha-pruned"),
                            ElementsAre("beta", "beta-1", "beta-2"), ElementsAre("stranger"), ElementsAre("zebra")));
    const ModelFamily& alpha = found.families[0];
    EXPECT_LT(alpha.bytes(), alpha.bytes_apart() / 2);
    for (const FamilyMember& variant : alpha.variants) {
      EXPECT_LT(variant.as_variant.bytes, variant.alone.bytes / 2);
      EXPECT_GT(variant.as_variant.differing_bits, 0.02);
      EXPECT_LT(variant.as_variant.differing_bits, 0.12);
    }
  }
}

TEST_F(ModelFamilyTest, ThreadsChangeNothing) {
  FamilyOptions options;
  options.sample_size = 16 << 10;
  options.threads = 1;
  ASSERT_OK_AND_ASSIGN(const ModelFamilies one, FindFamilies(FileSystem::Default(), models_, options));
  options.threads = 4;
  ASSERT_OK_AND_ASSIGN(const ModelFamilies four, FindFamilies(FileSystem::Default(), models_, options));
  EXPECT_EQ(Names(one), Names(four));
  EXPECT_EQ(one.sampled_size, four.sampled_size);
  ASSERT_EQ(one.families.size(), four.families.size());
  for (size_t f = 0; f < one.families.size(); ++f) EXPECT_EQ(one.families[f].bytes(), four.families[f].bytes());
}

TEST_F(ModelFamilyTest, OfAnotherFloatTypeIsStillAVariant) {
  FileModel wide = FineTune(Network(1), 14);
  for (FileTensor& tensor : wide.tensors) {
    if (tensor.dtype != "BF16") continue;
    std::string data;
    for (size_t i = 0; i < tensor.data.size(); i += 2) data += std::string(2, '\0') + tensor.data.substr(i, 2);
    tensor.dtype = "F32";
    tensor.data = data;
  }
  models_ = {models_[0]};
  Add("wide", wide);
  ASSERT_OK_AND_ASSIGN(const ModelFamilies found, FindFamilies(FileSystem::Default(), models_, {}));
  ASSERT_EQ(found.families.size(), 1u);
  EXPECT_EQ(found.families[0].variants.size(), 1u);
  double now = 0;
  ASSERT_OK_AND_ASSIGN(const FamilyPlan plan,
                       PlanFamily(FileSystem::Default(), models_[0].path, {models_[1]}, {}, [&] { return ++now; }));
  EXPECT_NEAR(plan.variant_rate, 4 * 96 * 64 * 4 + 256, 1);
}

TEST_F(ModelFamilyTest, EstimatesAreNearWhatPackWrites) {
  const std::vector<VariantInput> variants = {models_[1], models_[2], models_[3]};
  double now = 0;
  ASSERT_OK_AND_ASSIGN(const FamilyPlan plan,
                       PlanFamily(FileSystem::Default(), models_[0].path, variants, {}, [&] { return now += 0.5; }));
  CountingCalls calls;
  FileSystem disk(calls);
  PackOptions options;
  options.threads = 1;
  ASSERT_OK_AND_ASSIGN(const PackReport report,
                       PackVault(disk, models_[0].path, variants, folder_.File("all.mvlt"), options));
  const double packed = static_cast<double>(report.bytes.file);
  EXPECT_NEAR(static_cast<double>(plan.vault_bytes), packed, 0.15 * packed);
  EXPECT_EQ(plan.disk_bytes, plan.vault_bytes);
  const double read = static_cast<double>(calls.bytes());
  EXPECT_NEAR(static_cast<double>(plan.read_bytes), read, 0.25 * read);
  EXPECT_EQ(plan.file_size, report.input_size);
}

TEST_F(ModelFamilyTest, TimeFollowsFromTheMeasuredRates) {
  // Each look at the clock is half a second after the one before, so coding a sample takes that.
  double now = 0;
  FamilyOptions options;
  options.threads = 2;
  ASSERT_OK_AND_ASSIGN(const FamilyPlan plan, PlanFamily(FileSystem::Default(), models_[0].path, {models_[1]}, options,
                                                         [&] { return now += 0.5; }));
  const double data = 4 * 96 * 64 * 2 + 256;
  EXPECT_NEAR(plan.base_rate, data / 0.5, 1);
  EXPECT_NEAR(plan.variant_rate, data / 0.5, 1);
  EXPECT_NEAR(plan.seconds, (0.5 + 0.5) / 2, 1e-6);
}

TEST_F(ModelFamilyTest, AModelOfAnotherShapeIsNamed) {
  EXPECT_THAT(PlanFamily(FileSystem::Default(), models_[0].path, {models_.back()}, {}, [] { return 0.0; }),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("zebra.safetensors: is no variant of ")));
}

TEST_F(ModelFamilyTest, ADamagedModelIsNamed) {
  const std::string whole = folder_.Read("beta.safetensors");
  folder_.Write("beta.safetensors", whole.substr(0, whole.size() - 1));
  EXPECT_THAT(FindFamilies(FileSystem::Default(), models_, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("beta.safetensors")));
}

// A model of one tensor of `elements` BF16 elements, all zero but for the blocks that are sampled.
std::string WriteSparse(const TempFolder& folder, const std::string& name, uint64_t elements, uint64_t sample_size,
                        const std::function<std::string(uint64_t block)>& block_data) {
  std::string header =
      absl::StrCat(R"({"w":{"dtype":"BF16","shape":[)", elements, R"(],"data_offsets":[0,)", 2 * elements, "]}}");
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string size(8, '\0');
  StoreLe64(reinterpret_cast<uint8_t*>(size.data()), header.size());
  const std::string path = folder.Write(name + ".safetensors", size + header);
  const uint64_t data = 8 + header.size();
  std::filesystem::resize_file(path, data + 2 * elements);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const ModelTensor tensor("w", DType::kBf16, {elements});
  uint64_t cursor = 0;
  for (uint64_t i = 0; i < SampledBlocks(tensor, 2 * elements, sample_size); ++i) {
    const uint64_t block = NextBlock(SampleBlocks(tensor), &cursor);
    file.seekp(static_cast<std::streamoff>(data + block * kSampleBlock * 2));
    file << block_data(block);
  }
  file.close();
  std::filesystem::resize_file(path, data + 2 * elements);  // The last block may be shorter.
  return path;
}

TEST(ModelSampleTest, OfTensorsAboveFourGigabytesOnlyTheSampledBlocksAreRead) {
  constexpr uint64_t kElements = (uint64_t{8} << 30) / 2 + 777;
  constexpr uint64_t kSample = 64 << 10;
  const TempFolder folder;
  std::set<uint64_t> blocks;
  const auto base = [&](uint64_t block) {
    blocks.insert(block);
    TestRandom random(block);
    return Normal(kSampleBlock, &random);
  };
  const auto variant = [&](uint64_t block) {
    TestRandom random(block + 1);
    return Moved(base(block), &random);
  };
  const std::vector<VariantInput> models = {{"base", WriteSparse(folder, "base", kElements, kSample, base)},
                                            {"tuned", WriteSparse(folder, "tuned", kElements, kSample, variant)}};
  // Blocks lie beyond what 32 bits can say, too.
  EXPECT_GT(*blocks.rbegin() * kSampleBlock * 2, uint64_t{1} << 32);
  CountingCalls calls;
  FileSystem disk(calls);
  FamilyOptions options;
  options.sample_size = kSample;
  ASSERT_OK_AND_ASSIGN(const ModelFamilies found, FindFamilies(disk, models, options));
  ASSERT_EQ(found.families.size(), 1u);
  // Zeros would take nothing at all.
  EXPECT_GT(found.families[0].base.alone.element_bits, 8);
  EXPECT_GT(found.families[0].base.alone.bytes, uint64_t{4} << 30);
  EXPECT_LT(found.families[0].variants[0].as_variant.bytes, uint64_t{3} << 30);
  EXPECT_LE(found.sampled_size, 2 * (kSample + kSampleBlock * 2));
  EXPECT_LE(calls.bytes(), found.sampled_size + 2 * 4096);
}

TEST(ModelSampleTest, BlocksAreSpreadAndNoneComesTwice) {
  for (const uint64_t count : {1, 2, 3, 7, 64, 1000}) {
    std::set<uint64_t> seen;
    uint64_t cursor = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t block = NextBlock(count, &cursor);
      EXPECT_LT(block, count);
      EXPECT_TRUE(seen.insert(block).second);
      if (count == 1000 && i == 15) {
        // Sixteen of a thousand: no two neighbours are further apart than twice the mean.
        uint64_t before = *seen.rbegin() - count;
        for (const uint64_t at : seen) {
          EXPECT_LE(at - before, 2 * count / 16 + 1);
          before = at;
        }
      }
    }
  }
}

TEST(SampleBitsTest, BitsAreThoseOfTheDistribution) {
  TestRandom random(5);
  const std::string noise = random.Bytes(1 << 16);
  const auto bytes = [](const std::string& s) {
    return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(s.data()), s.size());
  };
  EXPECT_NEAR(BitsAlone(DType::kI8, bytes(noise)).bits, 8, 0.01);
  EXPECT_EQ(BitsAlone(DType::kI8, bytes(std::string(999, 'x'))).bits, 0);
  EXPECT_EQ(BitsAlone(DType::kF32, bytes("abc")).elements, 0u);
  // Differences of -1, 0 and 1, equally likely.
  std::string other = noise;
  for (char& c : other) c = static_cast<char>(c + static_cast<char>(random.Below(3)) - 1);
  const SampleDifference difference = BitsOfDifference(DType::kI8, bytes(noise), bytes(other));
  EXPECT_EQ(difference.elements, noise.size());
  EXPECT_NEAR(difference.bits, std::log2(3), 0.01);
  const SampleDifference same = BitsOfDifference(DType::kF64, bytes(noise), bytes(noise));
  EXPECT_EQ(same.bits, 0);
  EXPECT_EQ(same.differing_bits, 0u);
}

TEST(BaseChoiceTest, TakesTheCheapestBases) {
  // 0 is nearest to all; 3 is near to nobody.
  PackingCosts costs;
  costs.alone = {100, 100, 100, 100};
  costs.as_variant = {{kNoVariant, 50, 50, kNoVariant},
                      {20, kNoVariant, 60, kNoVariant},
                      {20, 60, kNoVariant, kNoVariant},
                      {kNoVariant, kNoVariant, kNoVariant, kNoVariant}};
  EXPECT_THAT(ChooseBases(costs), ElementsAre(0, 0, 0, 3));
  // Of equal ones the first.
  costs.as_variant = std::vector<std::vector<uint64_t>>(4, std::vector<uint64_t>(4, 10));
  EXPECT_THAT(ChooseBases(costs), ElementsAre(0, 0, 0, 0));
  EXPECT_TRUE(ChooseBases({}).empty());
}

TEST(BaseChoiceTest, TakesAStepBackWhereTheFirstBaseWasNoneOfTheBest) {
  // 4 is the best base of all where there is one, and no longer needed once 0 and 2 are bases.
  PackingCosts costs;
  costs.alone = {30, 30, 30, 30, 30};
  costs.as_variant = {{kNoVariant, 1, 28, 28, 16},
                      {1, kNoVariant, 28, 28, 16},
                      {28, 28, kNoVariant, 1, 16},
                      {28, 28, 1, kNoVariant, 16},
                      {20, 21, 21, 21, kNoVariant}};
  const std::vector<size_t> bases = ChooseBases(costs);
  EXPECT_THAT(bases, ElementsAre(0, 0, 2, 2, 0));
}

}  // namespace
}  // namespace modelvault
