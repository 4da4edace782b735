#include "restore/model_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/restore/coded_models.h"
#include "tests/restore/read_weights.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

const std::vector<const CodedModels*>& AllModels() {
  static const auto* const all =
      new std::vector<const CodedModels*>{new CodedModels(Encode(MakeFreeModels(9), 512, 4096)),
                                          new CodedModels(Encode(MakeFreeModels(9), 512, 4096, BaseProfile::kFast))};
  return *all;
}

std::unique_ptr<Restorer> Open(const std::string& vault) {
  absl::StatusOr<std::unique_ptr<VaultReader>> reader = VaultReader::FromFile(FileOf(vault));
  EXPECT_THAT(reader, IsOk());
  absl::StatusOr<std::unique_ptr<Restorer>> restorer = Restorer::FromReader(*std::move(reader));
  EXPECT_THAT(restorer, IsOk());
  return *std::move(restorer);
}

// Tensor `tensor` of MODEL as the variant has it; false where it has none of the base's type and size.
bool Expected(const CodedModels& models, const CodedVariant* variant, size_t tensor, std::string* bytes) {
  const TensorRecord& record = models.shared->tables().tensor(tensor);
  if (variant == nullptr) {
    *bytes = ToString(ByteView{models.base.data() + record.offset, record.size});
    return true;
  }
  for (size_t i = 0; i < variant->layout->tensor_count(); ++i) {
    const VariantTensor& t = variant->layout->tensor(i);
    if (t.base_index != tensor) continue;
    *bytes = ToString(ByteView{variant->data.data() + t.offset, t.size});
    return t.prediction == Prediction::kCopy;
  }
  return false;
}

TEST(ModelWeightsTest, EveryModelsWeightsAreThoseThatWerePackedListedOrNot) {
  int listed = 0, restored = 0;
  for (const CodedModels* models : AllModels()) {
    const std::unique_ptr<Restorer> restorer = Open(CodedVaultBytes(*models));
    const SharedTables& shared = models->shared->tables();
    std::vector<const CodedVariant*> variants = {nullptr};
    for (const CodedVariant& v : models->variants) variants.push_back(&v);
    for (const CodedVariant* variant : variants) {
      const std::string name = variant == nullptr ? "base" : variant->name;
      for (const size_t room : {ModelWeights::kAnyList, size_t{40}}) {
        SCOPED_TRACE(absl::StrCat("'", name, "', room ", room));
        TensorBytes consumed(shared.tensor_count());
        ASSERT_OK_AND_ASSIGN(const auto weights, ModelWeights::Open(*restorer, name, Into(&consumed), room));
        const bool own_layout = variant != nullptr && !variant->layout->is_base_layout();
        EXPECT_EQ(weights->is_listed(), !own_layout && room > 40);
        ++(weights->is_listed() ? listed : restored);
        const WeightSource source = weights->source();
        for (size_t i = 0; i < shared.tensor_count(); ++i) {
          std::string expected;
          const bool there = Expected(*models, variant, i, &expected);
          EXPECT_TRUE(consumed[i] == (there ? expected : "")) << i;
          if (!there || shared.tensor(i).dtype != DType::kI8) continue;
          CoreStatus status;
          EXPECT_TRUE(Weights(source, i, shared.tensor(i).size, &status) == expected) << i;
          EXPECT_EQ(status, CoreStatus::kOk);
        }
      }
    }
  }
  EXPECT_GT(listed, 5);
  EXPECT_GT(restored, 5);
}

TEST(ModelWeightsTest, WhatIsWrongIsNamed) {
  const CodedModels& models = *AllModels()[1];
  const std::string vault = CodedVaultBytes(models);
  const std::unique_ptr<Restorer> restorer = Open(vault);
  EXPECT_THAT(ModelWeights::Open(*restorer, "nobody", {}), StatusIs(StatusCode::kNotFound, HasSubstr("nobody")));
  const TensorConsumer refusing = {[](void*, size_t, size_t, ByteView) { return CoreStatus::kOutOfRange; }, nullptr};
  EXPECT_THAT(ModelWeights::Open(*restorer, "ternary", refusing),
              StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("v.mvlt"), HasSubstr("variant 'ternary'"))));
  ASSERT_OK_AND_ASSIGN(const auto weights, ModelWeights::Open(*restorer, "ternary", {}));
  EXPECT_THAT(weights->Describe(CoreStatus::kOk), IsOk());
  EXPECT_THAT(weights->Describe(CoreStatus::kChecksumMismatch),
              StatusIs(StatusCode::kDataLoss, HasSubstr("variant 'ternary': base chunk 0: ")));

  std::string damaged = vault;
  const size_t base = restorer->vault().header().section(Section::kBase).offset;
  damaged[base + 600] = static_cast<char>(damaged[base + 600] ^ 1);
  for (const char* name : {"base", "ternary", "reordered"}) {
    EXPECT_THAT(ModelWeights::Open(*Open(damaged), name, {}), StatusIs(StatusCode::kDataLoss, HasSubstr("chunk")))
        << name;
  }
}

}  // namespace
}  // namespace modelvault
