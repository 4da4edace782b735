#include "tools/fitting/fit_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/status_matchers.h"
#include "tests/tools/eval/tiny_models.h"
#include "tests/tools/fitting/fitting_files.h"
#include "tests/tools/packing/model_files.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FitInputTest : public testing::Test {
 protected:
  void ExpectRefused(const FitFiles& files, const char* file, const std::string& problem) {
    EXPECT_THAT(models_.Open(files),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(file), HasSubstr(problem))));
  }

  FittingFiles models_;
  FitFiles files_ = models_.files();
};

TEST_F(FitInputTest, EveryTensorHasTheBestCurvatureThatIsGiven) {
  ASSERT_OK_AND_ASSIGN(const FitInput input, models_.Open(files_));
  for (const FitTensor& t : input.tensors()) {
    EXPECT_EQ(t.linear, t.shape.size() == 2) << t.name;
    EXPECT_EQ(t.use, t.linear && t.name != "embed" ? CurvatureUse::kKronecker : CurvatureUse::kDiagonal) << t.name;
  }
  files_.importance.clear();
  ASSERT_OK_AND_ASSIGN(const FitInput poorer, models_.Open(files_));
  for (const FitTensor& t : poorer.tensors()) {
    EXPECT_EQ(t.use, t.linear && t.name != "embed" ? CurvatureUse::kKronecker : CurvatureUse::kIdentity) << t.name;
  }
  EXPECT_NE(input.digest(), poorer.digest());
}

TEST_F(FitInputTest, TensorWeightsMultiplyEveryCurvature) {
  files_.importance.clear();  // embed and norms then count as much as the others do on average.
  CurvatureOptions weighted;
  weighted.tensor_weights = {{"wq", 4}, {"layers.1", 2}, {"embed", 8}};
  CurvatureOptions magnitude = weighted;
  magnitude.magnitude = true;
  CurvatureOptions plain;
  for (const CurvatureOptions& options : {weighted, magnitude}) {
    plain.magnitude = options.magnitude;
    ASSERT_OK_AND_ASSIGN(const FitInput without, FitInput::Open(FileSystem::Default(), files_, plain, 1));
    ASSERT_OK_AND_ASSIGN(const FitInput with, FitInput::Open(FileSystem::Default(), files_, options, 1));
    for (size_t t = 0; t < with.tensors().size(); ++t) {
      const FitTensor& tensor = with.tensors()[t];
      const double weight = (tensor.name.find("wq") != std::string::npos ? 4 : 1) *
                            (tensor.name.find("layers.1") != std::string::npos ? 2 : 1) *
                            (tensor.name == "embed" ? 8 : 1);
      EXPECT_EQ(tensor.weight, weight) << tensor.name;
      EXPECT_FLOAT_EQ(tensor.curvature.own(0), static_cast<float>(weight) * without.tensors()[t].curvature.own(0))
          << tensor.name;
    }
  }
}

TEST_F(FitInputTest, OneFileMayHoldAllThatIsKnown) {
  ASSERT_OK_AND_ASSIGN(const FitInput apart, models_.Open(files_));
  EXPECT_TRUE(apart.knows_importance());
  EXPECT_FALSE(apart.knows_tensor_weights());
  FloatTensors all = models_.curvature();
  for (const FitTensor& t : apart.tensors()) {
    FloatTensor importance{t.shape, std::vector<float>(t.base.size())};
    for (size_t i = 0; i < t.base.size(); ++i) importance.values[i] = 1 + static_cast<float>(i % 5);
    all[t.name + ".importance"] = importance;
  }
  all["layers.1.wq.tensor_weight"] = {{}, {4}};
  all["embed.tensor_weight"] = {{}, {0.5f}};
  all["no.such.importance"] = {{1}, {1}};
  all["layers.1.tensor_weight"] = {{}, {2}};  // Of exactly one tensor, which there is not.
  files_.curvature = models_.Write("all.safetensors", all);
  files_.importance.clear();
  ASSERT_OK_AND_ASSIGN(const FitInput one, models_.Open(files_));
  EXPECT_TRUE(one.knows_importance());
  EXPECT_TRUE(one.knows_tensor_weights());
  EXPECT_THAT(one.unused(), testing::UnorderedElementsAre("no.such.importance", "layers.1.tensor_weight"));
  for (size_t t = 0; t < one.tensors().size(); ++t) {
    const FitTensor& tensor = one.tensors()[t];
    const double weight = tensor.name == "layers.1.wq" ? 4 : tensor.name == "embed" ? 0.5 : 1;
    EXPECT_EQ(tensor.use, apart.tensors()[t].use) << tensor.name;
    EXPECT_EQ(tensor.weight, weight) << tensor.name;
    for (const size_t i : {size_t{0}, tensor.base.size() - 1}) {
      EXPECT_FLOAT_EQ(tensor.curvature.own(i), static_cast<float>(weight) * apart.tensors()[t].curvature.own(i));
    }
  }

  // What is given besides takes the place of the file's.
  CurvatureOptions options;
  options.tensor_weights = {{"wk", 3}};
  FloatTensors ones = models_.base();
  for (auto& [name, tensor] : ones) std::fill(tensor.values.begin(), tensor.values.end(), 1.0f);
  files_.importance = models_.Write("ones.safetensors", ones);
  ASSERT_OK_AND_ASSIGN(const FitInput other, FitInput::Open(FileSystem::Default(), files_, options, 1));
  for (const FitTensor& tensor : other.tensors()) {
    EXPECT_EQ(tensor.weight, tensor.name.find("wk") != std::string::npos ? 3 : 1) << tensor.name;
    if (tensor.use != CurvatureUse::kDiagonal) continue;
    EXPECT_EQ(tensor.curvature.own(0), tensor.curvature.own(1)) << tensor.name;
  }
  options = {};
  options.use_kronecker = false;
  files_.importance.clear();
  ASSERT_OK_AND_ASSIGN(const FitInput diagonal, FitInput::Open(FileSystem::Default(), files_, options, 1));
  for (const FitTensor& tensor : diagonal.tensors()) EXPECT_EQ(tensor.use, CurvatureUse::kDiagonal) << tensor.name;

  for (const std::vector<float>& bad : {std::vector<float>{0}, {-1}, {1, 1}}) {
    all["embed.tensor_weight"] = {{bad.size()}, bad};
    files_.curvature = models_.Write("odd.safetensors", all);
    ExpectRefused(files_, "odd.safetensors", "tensor embed.tensor_weight: expected one positive number");
  }
}

TEST_F(FitInputTest, WithoutABaseItIsTheMean) {
  files_.base.clear();
  files_.variants.resize(2);
  ASSERT_OK_AND_ASSIGN(const FitInput input, models_.Open(files_));
  ASSERT_OK_AND_ASSIGN(const auto alpha, input.ReadVariant(0));
  ASSERT_OK_AND_ASSIGN(const auto beta, input.ReadVariant(1));
  EXPECT_FLOAT_EQ(input.tensors()[0].base[3], (alpha[0][3] + beta[0][3]) / 2);
}

// All that a row of the grid is chosen by is held against the base that is fitted.
TEST_F(FitInputTest, ChangesOfRowsAreDifferencesFromTheBaseOrTheMean) {
  const auto write = [&](const char* name, float first) {
    return models_.Write(name, {{"w", {{2, 2}, {first, first, 0, 0}}}});
  };
  files_ = {};
  files_.variants = {
      {"a", write("a.safetensors", 1)}, {"b", write("b.safetensors", 2)}, {"c", write("c.safetensors", 6)}};
  ASSERT_OK_AND_ASSIGN(const FitInput mean, models_.Open(files_));
  EXPECT_THAT(mean.tensors()[0].base, testing::ElementsAre(3, 3, 0, 0));
  EXPECT_THAT(mean.tensors()[0].row_changes, testing::ElementsAre(3, 0));
  files_.base = files_.variants[0].path;
  ASSERT_OK_AND_ASSIGN(const FitInput first, models_.Open(files_));
  EXPECT_THAT(first.tensors()[0].row_changes, testing::ElementsAre(5, 0));
}

// "head" is ignored in the first variant, found under another name in two more, and not there in the last.
TEST_F(FitInputTest, WithoutABaseATensorThatAVariantLacksIsTheMeanOfTheOthers) {
  const auto write = [&](const std::string& name, const std::string& head, float value) {
    FloatTensors tensors{{"w", {{1, 2}, {1, 2}}}};
    if (!head.empty()) tensors[head] = {{1, 2}, {value, value}};
    return models_.Write(name, tensors);
  };
  files_ = {};
  files_.variants = {{"a", write("a.safetensors", "head", 100)},
                     {"b", write("b.safetensors", "module.head", 1)},
                     {"c", write("c.safetensors", "module.head", 3)},
                     {"d", write("d.safetensors", "", 0)}};
  files_.names = {{{"module.", ""}}, {"head"}};
  ASSERT_OK_AND_ASSIGN(const FitInput input, models_.Open(files_));
  ASSERT_EQ(input.tensors()[0].name, "head");
  EXPECT_THAT(input.tensors()[0].base, testing::ElementsAre(2, 2));
  EXPECT_THAT(input.tensors()[0].row_changes, testing::ElementsAre(1));
  ASSERT_OK_AND_ASSIGN(const Weights last, input.ReadVariant(3));
  EXPECT_THAT(last[0], testing::ElementsAre(2, 2));
  files_.variants.erase(files_.variants.begin() + 1, files_.variants.begin() + 3);  // Nobody's.
  EXPECT_THAT(models_.Open(files_), StatusIs(absl::StatusCode::kNotFound, HasSubstr("--rename module.=")));
  files_.names.renames.clear();
  ASSERT_OK_AND_ASSIGN(const FitInput ignored, models_.Open(files_));
  EXPECT_THAT(ignored.tensors()[0].base, testing::ElementsAre(100, 100));
}

TEST_F(FitInputTest, WhatNoNameFitsIsRefusedWithTheNearest) {
  files_.names.ignore = {"layers.9.wq"};
  EXPECT_THAT(models_.Open(files_),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("--ignore layers.9.wq: no tensor has such a name; there is 'layers.0.wq'")));
  files_.names.ignore.clear();
  CurvatureOptions options;
  options.tensor_weights = {{"embde", 2}};
  EXPECT_THAT(FitInput::Open(FileSystem::Default(), files_, options, 1),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("has 'embde' in its name; there is 'embed'")));
}

TEST_F(FitInputTest, NoVariantsAreRefused) {
  files_.variants.clear();
  ExpectRefused(files_, "", "no variants");
}

TEST_F(FitInputTest, VariantsUnlikeTheBaseAreRefusedWithAllThatDiffers) {
  FloatTensors odd = models_.base();
  odd.erase("norm");
  odd["more"] = odd["layers.0.attn_norm"];
  odd["layers.1.attn_norm"] = {{2}, {1, 2}};
  files_.variants[1].path = models_.Write("odd.safetensors", odd);
  files_.variants[2].path = models_.Write("other.safetensors", {{"x", {{2, 2}, {1, 2, 3, 4}}}});
  for (const char* problem : {"2 of 4 variants do not match the base", "norm", "more", "layers.1.attn_norm"}) {
    ExpectRefused(files_, "odd.safetensors", problem);
    ExpectRefused(files_, "other.safetensors", problem);
  }
}

TEST_F(FitInputTest, RulesMatchNamesThatDiffer) {
  FloatTensors renamed;
  for (const auto& [name, tensor] : models_.base()) {
    FloatTensor changed = tensor;
    for (float& w : changed.values) w += 1;
    if (name != "norm") renamed["module." + name] = changed;
  }
  renamed["module.more"] = {{2}, {1, 2}};
  files_.variants.resize(1);
  files_.variants[0].path = models_.Write("renamed.safetensors", renamed);
  ExpectRefused(files_, "renamed.safetensors", "--rename");
  files_.names.renames = {{"module.", ""}};
  ExpectRefused(files_, "renamed.safetensors", "--ignore");
  ASSERT_OK_AND_ASSIGN(const FitInput before, models_.Open(models_.files()));
  files_.names.ignore = {"norm", "*more"};
  ASSERT_OK_AND_ASSIGN(const FitInput input, models_.Open(files_));
  EXPECT_NE(input.digest(), before.digest());
  EXPECT_THAT(input.ignored(), testing::ElementsAre("module.more", "norm"));
  ASSERT_OK_AND_ASSIGN(const Weights weights, input.ReadVariant(0));
  for (size_t t = 0; t < weights.size(); ++t) {
    const FitTensor& tensor = input.tensors()[t];
    EXPECT_EQ(weights[t][0], tensor.base[0] + (tensor.name == "norm" ? 0 : 1)) << tensor.name;
  }
}

// Found out when the result is written, it would cost the whole search.
TEST_F(FitInputTest, ATensorNamedLikeTheStepsOfAnotherIsRefused) {
  const std::string problem = "tensor w.scale has the name that the INT8 steps of tensor w get";
  files_.curvature.clear();
  files_.importance.clear();
  files_.variants.resize(1);
  const auto use = [&](const std::string& bytes) {
    files_.base = models_.folder().Write("scaled.safetensors", bytes);
    files_.variants[0].path = files_.base;
  };
  use(FloatFile({{"w", {{2, 2}, {1, 2, 3, 4}}}, {"w.scale", {{2}, {1, 2}}}}));
  ExpectRefused(files_, "scaled.safetensors", problem);
  files_.names.ignore = {"w.scale"};  // The base's tensors are in the result all the same.
  ExpectRefused(files_, "scaled.safetensors", problem);
  files_.base.clear();
  ExpectRefused(files_, "scaled.safetensors", problem);
  use(Serialize({{{"w", "F32", {1, 2}, std::string(8, '\0')}, {"w.scale", "I64", {1}, std::string(8, '\0')}}, {}}));
  ExpectRefused(files_, "scaled.safetensors", problem);
  use(FloatFile({{"v", {{2}, {1, 2}}}, {"v.scale", {{2}, {1, 2}}}, {"w", {{2, 2}, {1, 2, 3, 4}}}}));
  files_.names.ignore.clear();
  EXPECT_THAT(models_.Open(files_), IsOk());  // A vector has no steps.
}

TEST_F(FitInputTest, WeightsThatAreNoNumbersAreRefused) {
  for (const float bad : {NAN, INFINITY}) {
    FloatTensors odd = models_.base();
    odd["layers.1.wq"].values[7] = bad;
    files_.variants[2].path = models_.Write("odd.safetensors", odd);
    ExpectRefused(files_, "odd.safetensors", "tensor layers.1.wq: row 0, value 7 is not a finite number");
  }
}

TEST_F(FitInputTest, WhatIsNoCurvatureIsRefused) {
  const FloatTensors good = models_.curvature();
  const auto expect = [&](const FloatTensors& curvature, const std::string& problem) {
    files_.curvature = models_.Write("odd.safetensors", curvature);
    ExpectRefused(files_, "odd.safetensors", problem);
  };
  FloatTensors odd = good;
  odd["layers.0.w1.G"].values[0] = -1;
  expect(odd, "G of layers.0.w1: value 0 of the diagonal is negative");
  odd = good;
  odd["layers.0.w1.H"].values.assign(odd["layers.0.w1.H"].values.size(), 0);
  expect(odd, "H of layers.0.w1: is zero");
  odd = good;
  odd.erase("layers.0.w1.H");
  expect(odd, "only one of layers.0.w1.G");
  odd = good;
  odd["layers.0.w1.H"].values.assign(odd["layers.0.w1.H"].values.size(), 1);  // Singular: damping mends it.
  files_.curvature = models_.Write("odd.safetensors", odd);
  EXPECT_THAT(models_.Open(files_), IsOk());
}

}  // namespace
}  // namespace modelvault
