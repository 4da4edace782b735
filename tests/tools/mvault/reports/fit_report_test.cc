#include "tools/mvault/reports/fit_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/status_matchers.h"
#include "tests/tools/fitting/fitting_files.h"

namespace modelvault {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(FitReportTest, JsonHasEveryField) {
  const TensorReport tensor{"w", {3, 5}, "kronecker", 0.1, 0.2, 0.3, 0.4};
  VariantReport variant;
  variant.name = "alpha";
  variant.bytes = uint64_t{1} << 60;
  variant.bits_per_weight = 1.5;
  variant.density = 0.25;
  variant.signal = 2.5;
  variant.remaining = 3.5;
  variant.kept = 4.5;
  variant.lambda = 5.5;
  variant.worst_tensors = {tensor};
  FitReport report;
  report.vault = "v.mvlt";
  report.bytes = 1;
  report.budget = 2;
  report.profile = {BaseProfile::kFast, 19};
  report.float_bytes = 3;
  report.lambda = 4;
  report.fits = 5;
  report.trials = 6;
  report.weights = 7;
  report.base_bytes = 8;
  report.model_bytes = 9;
  report.density = 10;
  report.signal = 11;
  report.remaining = 12;
  report.kept = 13;
  report.variants = {variant};
  report.tensors = {tensor, tensor};
  report.curve = {{14, 15, 16}};
  report.lost_rows = {{"a.safetensors", "w", 17, 18}};
  report.notes = {"note"};
  const Json expected_tensor = {{"name", "w"},    {"shape", {3, 5}}, {"metric", "kronecker"},
                                {"density", 0.1}, {"signal", 0.2},   {"remaining", 0.3},
                                {"kept", 0.4}};
  const Json expected_variant = {{"name", "alpha"},
                                 {"bytes", uint64_t{1} << 60},
                                 {"bits_per_weight", 1.5},
                                 {"density", 0.25},
                                 {"signal", 2.5},
                                 {"remaining", 3.5},
                                 {"kept", 4.5},
                                 {"lambda", 5.5},
                                 {"worst_tensors", Json::array({expected_tensor})}};
  const Json expected = {
      {"vault", "v.mvlt"},
      {"bytes", 1},
      {"budget", 2},
      {"profile", "fast"},
      {"other_profile_bytes", 19},
      {"float_bytes", 3},
      {"lambda", 4},
      {"fits", 5},
      {"trials", 6},
      {"weights", 7},
      {"base_bytes", 8},
      {"model_bytes", 9},
      {"signal", 11},
      {"remaining", 12},
      {"kept", 13},
      {"density", 10},
      {"variants", Json::array({expected_variant})},
      {"tensors", Json::array({expected_tensor, expected_tensor})},
      {"curve", Json::array({{{"budget", 14}, {"remaining", 15}, {"density", 16}}})},
      {"lost_rows", Json::array({{{"file", "a.safetensors"}, {"tensor", "w"}, {"row", 17}, {"relative_error", 18}}})},
      {"notes", {"note"}}};
  EXPECT_EQ(FitToJson(report), expected);
}

TEST(FitReportTest, TextShowsTheTenThatLoseMost) {
  FitReport report;
  for (int v = 0; v < 25; ++v) {
    VariantReport variant;
    variant.name = "v" + std::to_string(100 + v);
    variant.remaining = (v * 7) % 25;
    report.variants.push_back(variant);
  }
  const std::string text = FitToText(report, false);
  for (const VariantReport& v : report.variants) {
    EXPECT_EQ(text.find(v.name) != std::string::npos, v.remaining >= 15) << v.name;
    EXPECT_THAT(FitToText(report, true), HasSubstr(v.name));
  }
  EXPECT_THAT(text, HasSubstr("The 10 of 25 variants that lose most; --table shows all"));
  EXPECT_THAT(FitToText(report, true), Not(HasSubstr("lose most")));
}

// The notes in the JSON of a fit that came to a vault of `size` of 1,000 bytes.
std::vector<std::string> NotesOf(const FitInput& input, uint64_t size, bool saturated, const FitRunOptions& more = {}) {
  FitRunOptions options = more;
  options.budget = 1000;
  FitRun run;
  run.vault_size = size;
  run.saturated = saturated;
  run.models.base.resize(input.tensors().size());
  run.models.variants.resize(input.variant_count());
  for (FittedVariant& variant : run.models.variants) {
    variant.tensors.resize(input.tensors().size());
    for (VariantTensorFit& tensor : variant.tensors) tensor.signal = tensor.remaining = 1;
  }
  run.stored_sizes.resize(input.variant_count());
  return FitToJson(MakeFitReport("v.mvlt", input, options, run))["notes"];
}

TEST(FitReportTest, JsonSaysWhyAVaultIsBelowItsBudget) {
  const FittingFiles models;
  ASSERT_OK_AND_ASSIGN(const FitInput input, models.Open(models.files()));
  EXPECT_THAT(NotesOf(input, 994, true), Contains(HasSubstr("The variants need no more")));
  EXPECT_THAT(NotesOf(input, 994, false), Contains(HasSubstr("No price of a bit was found that comes nearer")));
  EXPECT_THAT(NotesOf(input, 996, true), Not(Contains(HasSubstr("budget"))));
}

TEST(FitReportTest, NotesTellWhatFloorsCameToWithoutTensorWeights) {
  const FittingFiles models;
  FitRunOptions options;
  options.fit.floors["beta"] = 30;
  ASSERT_OK_AND_ASSIGN(const FitInput plain, models.Open(models.files()));
  EXPECT_THAT(NotesOf(plain, 1000, false, options), Not(Contains(HasSubstr("beta"))));
  options.curvature.tensor_weights = {{"embed", 0.25}};
  ASSERT_OK_AND_ASSIGN(const FitInput input,
                       FitInput::Open(FileSystem::Default(), models.files(), options.curvature, 1));
  const size_t count = input.tensors().size();
  EXPECT_THAT(NotesOf(input, 1000, false, options),
              Contains(HasSubstr("without them 'beta' loses " + std::to_string(count + 3) + ", of 30 that it may.")));
}

}  // namespace
}  // namespace modelvault
