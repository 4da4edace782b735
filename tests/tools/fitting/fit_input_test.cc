#include "tools/fitting/fit_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/status_matchers.h"
#include "tests/tools/fitting/fitting_files.h"

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

TEST_F(FitInputTest, WithoutABaseItIsTheMean) {
  files_.base.clear();
  files_.variants.resize(2);
  ASSERT_OK_AND_ASSIGN(const FitInput input, models_.Open(files_));
  ASSERT_OK_AND_ASSIGN(const auto alpha, input.ReadVariant(0));
  ASSERT_OK_AND_ASSIGN(const auto beta, input.ReadVariant(1));
  EXPECT_FLOAT_EQ(input.tensors()[0].base[3], (alpha[0][3] + beta[0][3]) / 2);
}

TEST_F(FitInputTest, NoVariantsAreRefused) {
  files_.variants.clear();
  ExpectRefused(files_, "", "no variants");
}

TEST_F(FitInputTest, VariantsUnlikeTheBaseAreRefused) {
  FloatTensors odd = models_.base();
  odd.erase("norm");
  files_.variants[1].path = models_.Write("odd.safetensors", odd);
  ExpectRefused(files_, "odd.safetensors", "lacks the base's tensor norm");
  odd = models_.base();
  odd["more"] = odd["norm"];
  models_.Write("odd.safetensors", odd);
  ExpectRefused(files_, "odd.safetensors", "tensor more is not in the base");
  odd = models_.base();
  odd["norm"] = {{2}, {1, 2}};
  models_.Write("odd.safetensors", odd);
  ExpectRefused(files_, "odd.safetensors", "tensor norm is [2]");
}

TEST_F(FitInputTest, WeightsThatAreNoNumbersAreRefused) {
  for (const float bad : {NAN, INFINITY}) {
    FloatTensors odd = models_.base();
    odd["layers.1.wq"].values[7] = bad;
    files_.variants[2].path = models_.Write("odd.safetensors", odd);
    ExpectRefused(files_, "odd.safetensors", "tensor layers.1.wq: value 7 is not a finite number");
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
