#include "tools/packing/rule_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

std::vector<ModelTensor> Tensors(const std::vector<std::string>& names) {
  std::vector<ModelTensor> tensors;
  for (const std::string& name : names) tensors.emplace_back().name = name;
  return tensors;
}

absl::Status Check(const NameRules& rules) {
  RuleUse use(&rules, Tensors({"model.embed.weight", "model.norm.weight"}));
  use.AddVariant(Tensors({"_orig_mod.model.embed.weight"}));
  use.AddVariant(Tensors({"lm_head.weight", "model.norm.weight"}));
  return use.Check();
}

TEST(RuleUseTest, WhatSaysSomethingOfAnyVariantIsUsed) {
  EXPECT_THAT(Check({}), IsOk());
  EXPECT_THAT(Check({{{"_orig_mod.", ""}, {"", "x."}}, {"lm_head.weight", "*.norm.*"}}), IsOk());
  EXPECT_THAT(Check({{{"_orig_mod.model", "m"}, {"m.embed", "e"}}, {"model.embed.weight"}}), IsOk())
      << "what the rule before leaves; a name of the base alone";
}

TEST(RuleUseTest, WhatSaysNothingIsNamedWithWhatMayHaveBeenMeant) {
  const auto refused = [](const std::string& message) {
    return StatusIs(absl::StatusCode::kNotFound, HasSubstr(message));
  };
  EXPECT_THAT(Check({{{"_orig_mod.", ""}, {"orig_mode.", ""}}, {}}),
              refused("--rename orig_mode.=: no tensor of a variant has that in its name; there is '_orig_mod.'"));
  EXPECT_THAT(Check({{{"_orig_mod.", ""}, {"_orig_mod.", ""}}, {}}), refused("--rename _orig_mod.="))
      << "nothing is left of it";
  EXPECT_THAT(Check({{}, {"lm_haed.weight"}}),
              refused("--ignore lm_haed.weight: no tensor has such a name; there is 'lm_head.weight'"));
  EXPECT_THAT(Check({{}, {"lm_head.*", "*lm_haed.*"}}), refused("; there is 'lm_head.'"));
  EXPECT_THAT(Check({{}, {"optimizer.*"}}), refused("--ignore optimizer.*: no tensor has such a name"));
}

TEST(RuleUseTest, PartsAreAsLongAsWhatIsSought) {
  const std::vector<std::string> names = {"layers.0.attn.wq", "layers.0.ffn.w1"};
  EXPECT_EQ(NearestPartHint("atn", names), "; there is 'attn'");
  EXPECT_EQ(NearestPartHint("atn.wq", names), "; there is 'attn.wq'");
  EXPECT_EQ(NearestPartHint(".fn.", names), "; there is '.ffn.'");
  EXPECT_EQ(NearestPartHint("wq.", names), "") << "nothing follows it";
  EXPECT_EQ(NearestPartHint("something", names), "");
}

}  // namespace
}  // namespace modelvault
