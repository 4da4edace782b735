// What is said of fine-tunes that do not match, and by which rules they would.
#include "tools/packing/match_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tools/packing/rename_guess.h"

namespace modelvault {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Tensors = std::vector<ModelTensor>;

// A model of `layers` layers, with names made by `name`.
template <typename Name>
Tensors Model(int layers, Name name) {
  Tensors tensors;
  const auto add = [&](const std::string& plain, std::vector<uint64_t> shape) {
    tensors.emplace_back(name(plain), DType::kI8, std::move(shape), tensors.empty() ? 0 : tensors.back().end);
  };
  add("model.embed.weight", {32, 8});
  for (int i = 0; i < layers; ++i) {
    const std::string layer = absl::StrCat("model.layers.", i, ".");
    add(layer + "q_proj.weight", {8, 8});
    add(layer + "k_proj.weight", {8, 8});
    add(layer + "norm.weight", {8});
  }
  return tensors;
}

Tensors Base() {
  return Model(4, [](const std::string& name) { return name; });
}

Mismatch Of(const std::string& name, Tensors tensors, const NameRules& rules = {}) {
  TensorPairs pairs = PairTensors(Base(), tensors, rules);
  return {name + ".safetensors", std::move(tensors), std::move(pairs)};
}

std::string Report(const std::vector<Mismatch>& mismatches, const NameRules& rules = {}) {
  return DescribeMismatches("heading", "base.safetensors", Base(), mismatches, rules);
}

std::string Prefixed(const std::string& prefix, const std::string& name) { return prefix + name; }

TEST(RenameGuessTest, PrefixesOfWrappersAreFound) {
  const std::vector<std::string> prefixes = {"_orig_mod.", "module.", "module._orig_mod.", "base_model.model."};
  for (const std::string& prefix : prefixes) {
    const Tensors variant = Model(4, [&](const std::string& name) { return Prefixed(prefix, name); });
    const RenameGuess guess = GuessRenames(Base(), variant, {});
    EXPECT_THAT(guess.rules.renames, ElementsAre(NameRule{prefix, ""}));
    EXPECT_TRUE(guess.pairs.complete());
    EXPECT_EQ(guess.pairs.matched(), variant.size());
  }
}

TEST(RenameGuessTest, APrefixThatIsMissingAndAPartThatWasInsertedAreFound) {
  const Tensors shorter = Model(4, [](const std::string& name) { return name.substr(6); });
  EXPECT_THAT(GuessRenames(Base(), shorter, {}).rules.renames, ElementsAre(NameRule{"", "model."}));
  const Tensors inserted = Model(4, [](const std::string& name) { return "model.language_model." + name.substr(6); });
  const RenameGuess guess = GuessRenames(Base(), inserted, {});
  EXPECT_THAT(guess.rules.renames, ElementsAre(NameRule{"language_model.", ""}));
  EXPECT_TRUE(guess.pairs.complete());
  const RenameGuess back = GuessRenames(inserted, Base(), {});
  EXPECT_TRUE(back.pairs.complete());
  EXPECT_THAT(back.rules.renames, ElementsAre(NameRule{"model.", "model.language_model."}));
}

TEST(RenameGuessTest, SeveralRulesAreFoundOneAfterTheOther) {
  Tensors base, variant;
  for (int i = 0; i < 3; ++i) {
    const std::string conv = absl::StrCat("conv.", i, ".");
    base.emplace_back(conv + "weight_g", DType::kF32, std::vector<uint64_t>{4, 1});
    base.emplace_back(conv + "weight_v", DType::kF32, std::vector<uint64_t>{4, 9});
    variant.emplace_back(conv + "parametrizations.weight.original0", DType::kF32, std::vector<uint64_t>{4, 1});
    variant.emplace_back(conv + "parametrizations.weight.original1", DType::kF32, std::vector<uint64_t>{4, 9});
  }
  const RenameGuess guess = GuessRenames(base, variant, {});
  EXPECT_EQ(guess.found, 2u);
  EXPECT_TRUE(guess.pairs.complete());
}

TEST(RenameGuessTest, OtherModelsGiveNoRule) {
  Tensors other;
  for (int i = 0; i < 5; ++i)
    other.emplace_back(absl::StrCat("blk.", i, ".w"), DType::kI8, std::vector<uint64_t>{3, 3});
  EXPECT_EQ(GuessRenames(Base(), other, {}).found, 0u);
  EXPECT_EQ(GuessRenames(Base(), Base(), {}).found, 0u);
}

TEST(PairTensorsTest, ARuleDoesNotTakeATensorFromTheOneThatBearsItsName) {
  const Tensors base = {{"a", DType::kI8, {2}}, {"b", DType::kI8, {2}}};
  const Tensors variant = {{"x.a", DType::kI8, {2}}, {"a", DType::kI8, {2}}, {"x.b", DType::kI8, {2}}};
  const TensorPairs pairs = PairTensors(base, variant, {{{"x.", ""}}, {}});
  EXPECT_THAT(pairs.base_of, ElementsAre(std::nullopt, 0u, 1u));
  EXPECT_THAT(pairs.extra, ElementsAre(0u));
  EXPECT_THAT(pairs.missing, IsEmpty());
}

TEST(PairTensorsTest, IgnoredTensorsAreMatchedWithNothing) {
  const TensorPairs pairs = PairTensors(Base(), Base(), {{}, {"*.norm.*"}});
  EXPECT_EQ(pairs.ignored.size(), 4u);
  EXPECT_EQ(pairs.matched(), 9u);
  EXPECT_TRUE(pairs.complete());
}

TEST(PairTensorsTest, AVariantIsOfABaseByHalfOfTheBytesOfEither) {
  const Tensors base = {{"a", DType::kI8, {10}}, {"b", DType::kI8, {10}}};
  const auto is_of_base = [&](const Tensors& variant, const NameRules& rules) {
    return IsOfBase(base, variant, PairTensors(base, variant, rules));
  };
  EXPECT_TRUE(is_of_base({{"a", DType::kI8, {10}}}, {}));
  EXPECT_TRUE(is_of_base({{"a", DType::kI8, {10}}, {"c", DType::kI8, {10}}}, {}));
  EXPECT_FALSE(is_of_base({{"a", DType::kI8, {10}}, {"c", DType::kI8, {11}}}, {}));
  EXPECT_TRUE(is_of_base({{"a", DType::kI8, {10}}, {"c", DType::kI8, {11}}}, {{}, {"c"}}));
  EXPECT_FALSE(is_of_base({{"c", DType::kI8, {10}}}, {}));
  const Tensors larger = {{"a", DType::kI8, {10}}, {"b", DType::kI8, {11}}};
  EXPECT_FALSE(IsOfBase(larger, base, PairTensors(larger, base, {})));
}

TEST(LayOutTest, WhatHasNoMatchIsCodedOnItsOwnOrAgainstTheTensorItIsTiedTo) {
  const Tensors base = {{"embed", DType::kI8, {4, 2}}, {"w", DType::kF16, {3}}};
  const Tensors variant = {{"w", DType::kF16, {3}}, {"lm_head", DType::kI8, {4, 2}}, {"own", DType::kF32, {5}}};
  const VariantMatch match = LayOut(base, variant, PairTensors(base, variant, {}));
  EXPECT_TRUE(match.own_layout);
  ASSERT_EQ(match.tensors.size(), 3u);
  EXPECT_EQ(match.tensors[0].base_index, 1u);
  EXPECT_EQ(match.tensors[1].base_index, 0u);
  EXPECT_EQ(match.tensors[2].base_index, kNoBaseTensor);
  EXPECT_EQ(match.tensors[2].elements, 5u);
  EXPECT_FALSE(LayOut(base, base, PairTensors(base, base, {})).own_layout);
  const Tensors first = {base.front()};
  EXPECT_TRUE(LayOut(base, first, PairTensors(base, first, {})).own_layout);
}

TEST(MatchReportTest, VariantsWithTheSameTroubleAreToldOnceWithTheOptionsThatHelp) {
  std::vector<Mismatch> mismatches;
  for (int i = 0; i < 5; ++i) {
    mismatches.push_back(
        Of(absl::StrCat("v", i), Model(4, [](const std::string& name) { return Prefixed("_orig_mod.", name); })));
  }
  const std::string report = Report(mismatches);
  EXPECT_THAT(report,
              AllOf(testing::StartsWith("heading\n"),
                    HasSubstr("v0.safetensors, v1.safetensors, v2.safetensors and 2 more: 0 of 13 tensors match"),
                    HasSubstr("13 not in the base: '_orig_mod.model.embed.weight' I8 [32, 8], "
                              "'_orig_mod.model.layers.*.q_proj.weight' I8 [8, 8] (4 tensors)"),
                    HasSubstr("13 of the base are missing: 'model.embed.weight'"), HasSubstr("compiled model"),
                    HasSubstr("13 of 13 tensors match with --rename _orig_mod.=")));
  EXPECT_THAT(report, Not(HasSubstr("wrong base")));
}

TEST(MatchReportTest, TheOptionsGivenAreRepeatedWithThoseThatAreMissing) {
  const NameRules given = {{{"module.", ""}}, {}};
  const Tensors variant = Model(4, [](const std::string& name) { return "module.model.x." + name.substr(6); });
  EXPECT_THAT(Report({Of("v", variant, given)}, given),
              HasSubstr("13 of 13 tensors match with --rename module.= --rename x.="));
}

TEST(MatchReportTest, ShapesRanksAndRowsThatWereAddedAreTold) {
  Tensors grown = Base();
  grown[0].shape = {34, 8};
  EXPECT_THAT(Report({Of("v", grown)}),
              AllOf(HasSubstr("12 of 13 tensors match"),
                    HasSubstr("1 of another shape: 'model.embed.weight' I8 [34, 8], in the base [32, 8]"),
                    HasSubstr("rows were added (2)")));
  Tensors flat = Base();
  for (ModelTensor& t : flat) {
    if (t.shape.size() == 2) t.shape = {t.shape[0] * t.shape[1]};
  }
  EXPECT_THAT(Report({Of("v", flat)}),
              AllOf(HasSubstr("9 of another rank"),
                    HasSubstr("'model.layers.*.k_proj.weight' I8 [64], in the base [8, 8] (4 tensors)")));
}

TEST(MatchReportTest, TiedHeadsShardsAndAdaptersAreCalledSo) {
  Tensors head = Base();
  head.emplace_back("lm_head.weight", DType::kI8, std::vector<uint64_t>{32, 8});
  EXPECT_THAT(Report({Of("v", head)}), HasSubstr("a head that is tied to the embedding in the base"));

  Tensors shard = Base();
  shard.resize(5);
  Tensors other_shard = Base();
  other_shard.erase(other_shard.begin(), other_shard.begin() + 5);
  EXPECT_THAT(Report({Of("model-00001-of-00003", shard), Of("model-00002-of-00003", other_shard)}),
              AllOf(HasSubstr("model-00001-of-00003.safetensors, model-00002-of-00003.safetensors\n"),
                    HasSubstr("one shard of a model: join all shards into one file first\n    python3 -c"),
                    HasSubstr("for f in glob('model-*-of-00003.safetensors')"), Not(HasSubstr("missing"))));
  const std::string of_base = DescribeMismatches("heading", "a/base-00001-of-00002.safetensors", shard,
                                                 {{Mismatch{"v", Base(), PairTensors(shard, Base(), {})}}}, {});
  EXPECT_THAT(of_base, AllOf(HasSubstr("the base is one shard"), HasSubstr("glob('a/base-*-of-00002.safetensors')"),
                             Not(HasSubstr("--rename"))));
  EXPECT_THAT(Report({Of("it's-1-of-2", shard)}), HasSubstr("glob('SHARDS*')")) << "not to be quoted";

  const Tensors adapter = {{"model.layers.0.q_proj.lora_A.weight", DType::kF32, {4, 8}}};
  EXPECT_THAT(Report({Of("v", adapter)}), HasSubstr("an adapter, not a whole model"));
  const Tensors other = {{"blk.0.w", DType::kF32, {4, 9}}};
  EXPECT_THAT(Report({Of("v", other)}), HasSubstr("wrong base?"));
}

TEST(MatchReportTest, WeightNormOnOneSideIsToBeTakenOff) {
  for (const auto& [g, v] : {std::pair{"parametrizations.weight.original0", "parametrizations.weight.original1"},
                             {"weight_g", "weight_v"}}) {
    Tensors plain, normed;
    for (int i = 0; i < 3; ++i) {
      const std::string layer = absl::StrCat("layers.", i, ".");
      plain.emplace_back(layer + "weight", DType::kF32, std::vector<uint64_t>{4, 9});
      normed.emplace_back(layer + g, DType::kF32, std::vector<uint64_t>{4, 1});
      normed.emplace_back(layer + v, DType::kF32, std::vector<uint64_t>{4, 9});
    }
    const auto report = [](const Tensors& base, const Tensors& variant) {
      return DescribeMismatches("heading", "base", base, {{Mismatch{"v", variant, PairTensors(base, variant, {})}}},
                                {});
    };
    // A renaming would take the direction of a weight for the weight.
    EXPECT_THAT(report(plain, normed), AllOf(HasSubstr("is on in it and off in the base: take it off"),
                                             HasSubstr("remove_parametrizations"), Not(HasSubstr("--rename"))));
    EXPECT_THAT(report(normed, plain), AllOf(HasSubstr("is on in the base and off in it: take it off"),
                                             HasSubstr("remove_weight_norm"), Not(HasSubstr("--rename"))));
  }
}

TEST(MatchReportTest, ShardsAreKnownByTheirFilesNames) {
  EXPECT_TRUE(IsShardName("a/model-00001-of-00003.safetensors"));
  EXPECT_TRUE(IsShardName("model-1-of-2"));
  EXPECT_FALSE(IsShardName("1-of-3/legal.safetensors"));
  EXPECT_FALSE(IsShardName("one-of-3.safetensors"));
  EXPECT_FALSE(IsShardName("3-of-a-kind.safetensors"));
  EXPECT_FALSE(IsShardName("3-of-5th.safetensors"));
}

TEST(MatchReportTest, NamesFromFilesAreEscaped) {
  const Tensors odd = {{"a\nb\x1b[31m", DType::kF32, {4}}};
  EXPECT_THAT(Report({Of("v", odd)}), HasSubstr("'a\\nb\\033[31m' F32 [4]"));
}

TEST(IgnoreOptionsTest, OnlyWhatHasNoMatchIsToBeIgnored) {
  Tensors with_head = Base();
  with_head.emplace_back("lm_head.weight", DType::kI8, std::vector<uint64_t>{32, 8}, with_head.back().end);
  Tensors without_norm = Base();
  without_norm.pop_back();
  const auto options = [](const std::vector<Mismatch>& mismatches) {
    return IgnoreOptions("base.safetensors", Base(), mismatches, {});
  };
  EXPECT_EQ(options({Of("a", with_head), Of("b", without_norm)}),
            " --ignore lm_head.weight --ignore model.layers.3.norm.weight");
  EXPECT_EQ(options({Of("model-00001-of-00002", with_head)}), "") << "a shard";
  EXPECT_EQ(options({Of("a", Model(4, [](const std::string& name) { return "module." + name; }))}), "") << "renamed";
  EXPECT_EQ(options({Of("a", Model(1, [](const std::string& name) { return "other." + name; }))}), "") << "wrong base";
  Tensors grown = Base();
  grown[0] = ModelTensor(grown[0].name, DType::kI8, {34, 8}, 0);
  EXPECT_EQ(options({Of("a", grown)}), "") << "another shape";
}

TEST(ShardNameTest, OneOfOneIsAModel) {
  EXPECT_TRUE(IsShardName("model-00002-of-00003.safetensors"));
  EXPECT_FALSE(IsShardName("model-00001-of-00001.safetensors"));
  EXPECT_FALSE(IsShardName("best-of-3.safetensors"));
}

}  // namespace
}  // namespace modelvault
