#include "restore/infer/delta_list_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/delta_statistics.h"
#include "codec/shared_tables_builder.h"
#include "tests/status_matchers.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

// Tensors in memory, at multiples of 4 as a loader's tiles are.
class Tensors {
 public:
  explicit Tensors(const std::vector<ModelTensor>& specs) {
    size_t size = 0;
    for (const ModelTensor& spec : specs) size += static_cast<size_t>(spec.size());
    data_.resize(size);
    MemoryDataSource source(data_);
    auto section = BuildSharedTables(specs, &source, DeltaStatistics(specs));
    EXPECT_THAT(section, IsOk());
    auto parsed = ParsedSharedTables::Parse(*std::move(section));
    EXPECT_THAT(parsed, IsOk());
    shared_ = *std::move(parsed);
  }

  const SharedTables& shared() const { return shared_->tables(); }
  size_t size() const { return data_.size(); }

 private:
  std::vector<uint8_t> data_;
  std::unique_ptr<const ParsedSharedTables> shared_;
};

struct Built {
  CoreStatus status = CoreStatus::kOk;
  DeltaList list;
  size_t used = 0;
};

// Hands both models over in tiles of `tile` bytes.
Built Build(const SharedTables& shared, const std::vector<uint8_t>& base, const std::vector<uint8_t>& variant,
            size_t tile, std::vector<uint32_t>* memory, size_t memory_size) {
  DeltaListBuilder builder(&shared, {reinterpret_cast<uint8_t*>(memory->data()), memory_size});
  Built built;
  for (size_t at = 0; built.status == CoreStatus::kOk && at < variant.size(); at += tile) {
    const size_t size = std::min(tile, variant.size() - at);
    built.status = builder.Add(at, {variant.data() + at, size}, base.data() + at);
  }
  if (built.status == CoreStatus::kOk) built.status = builder.Finish(&built.list, &built.used);
  return built;
}

// The base with what the list says, in tensors of I8.
std::vector<uint8_t> Applied(const SharedTables& shared, const DeltaList& list, std::vector<uint8_t> base) {
  for (size_t i = 0; i < shared.tensor_count(); ++i) {
    const TensorRecord& t = shared.tensor(i);
    size_t last = 0;
    for (DeltaCursor cursor = list.tensor(i); cursor.place() != SIZE_MAX; cursor.Step()) {
      EXPECT_LT(cursor.place(), t.size);
      EXPECT_TRUE(last == 0 || cursor.place() > last) << "places ascend";
      last = cursor.place();
      EXPECT_NE(cursor.difference(), 0);
      const int weight = static_cast<int8_t>(base[t.offset + cursor.place()]) + cursor.difference();
      EXPECT_TRUE(weight >= -128 && weight <= 127);
      base[t.offset + cursor.place()] = static_cast<uint8_t>(weight);
    }
  }
  return base;
}

int8_t Saturated(int weight) { return static_cast<int8_t>(std::clamp(weight, -128, 127)); }

const std::vector<ModelTensor> kSpecs = {{DType::kI8, 40, 100}, {DType::kF32, 1, 10}, {DType::kI8, 1, 3},
                                         {DType::kI8, 0, 7},    {DType::kI8, 7, 333}, {DType::kI8, 1, 70000}};

TEST(DeltaListBuilderTest, BaseAndListAreTheVariantWhateverDiffers) {
  const Tensors tensors(kSpecs);
  const SharedTables& shared = tensors.shared();
  std::vector<uint32_t> memory(1 << 18);
  TestRandom random(3);
  for (int round = 0; round < 60; ++round) {
    std::vector<uint8_t> base(tensors.size()), variant;
    for (uint8_t& byte : base) byte = static_cast<uint8_t>(random.Below(4) == 0 ? 127 : random.Next());
    variant = base;
    const uint64_t rarity = uint64_t{1} << random.Below(13);
    const int step = static_cast<int>(1 + random.Below(254));
    const bool free = random.Below(3) == 0;
    for (size_t i = 0; i < shared.tensor_count(); ++i) {
      const TensorRecord& t = shared.tensor(i);
      if (t.dtype != DType::kI8) continue;
      for (size_t at = t.offset; at < t.offset + t.size; ++at) {
        if (random.Below(rarity) != 0) continue;
        const int by = free ? static_cast<int>(random.Below(511)) - 255 : random.Below(2) == 0 ? step : -step;
        variant[at] = static_cast<uint8_t>(Saturated(static_cast<int8_t>(base[at]) + by));
      }
    }
    const size_t tile = round % 3 == 0 ? 4096 : 4 * (1 + random.Below(1000));
    SCOPED_TRACE(absl::StrCat("round ", round, ": one of ", rarity, " by ", step, ", tiles of ", tile));
    const Built built = Build(shared, base, variant, tile, &memory, memory.size() * 4);
    ASSERT_EQ(built.status, CoreStatus::kOk);
    EXPECT_TRUE(Applied(shared, built.list, base) == variant);
  }
}

TEST(DeltaListBuilderTest, ATernaryTensorTakesAByteADifference) {
  const Tensors tensors({{DType::kI8, 100, 100}, {DType::kI8, 100, 100}});
  std::vector<uint8_t> base(20000, 0), variant;
  base[0] = base[7] = 126;  // The first differences are saturated; the step is that of the others all the same.
  variant = base;
  size_t differences = 0;
  for (size_t at = 0; at < 10000; at += 7, ++differences) {
    variant[at] = static_cast<uint8_t>(Saturated(static_cast<int8_t>(base[at]) + 5));
  }
  std::vector<uint32_t> memory(4096);
  const Built built = Build(tensors.shared(), base, variant, 4096, &memory, memory.size() * 4);
  ASSERT_EQ(built.status, CoreStatus::kOk);
  // Two starts, the step, two saturated differences in full, the end.
  EXPECT_EQ(built.used, 2 * 4 + 1 + 2 * 5 + (differences - 2) + 1);
  EXPECT_TRUE(Applied(tensors.shared(), built.list, base) == variant);
  EXPECT_EQ(built.list.tensor(1).place(), SIZE_MAX) << "the second tensor has none";
}

TEST(DeltaListBuilderTest, FarDifferencesTakeFewBytes) {
  const Tensors tensors({{DType::kI8, 1, 200000}});
  const std::vector<uint8_t> base(200000, 0);
  std::vector<uint8_t> variant = base;
  for (const size_t at : {124, 249, 375, 1000, 66535, 66536, 199999}) variant[at] = 3;
  std::vector<uint32_t> memory(1024);
  const Built built = Build(tensors.shared(), base, variant, 4096, &memory, memory.size() * 4);
  ASSERT_EQ(built.status, CoreStatus::kOk);
  EXPECT_TRUE(Applied(tensors.shared(), built.list, base) == variant);
  // The start, the step; gaps of 124, 124, 125, 624, 65534, 0, 133462; the end.
  EXPECT_EQ(built.used, 4 + 1 + 1 + 1 + 2 + 5 + 5 + 1 + (544 + 5) + 1u);
}

TEST(DeltaListBuilderTest, MemoryThatEndsIsSaidWhereverItEnds) {
  const Tensors tensors(kSpecs);
  std::vector<uint8_t> base(tensors.size(), 1), variant = base;
  TestRandom random(8);
  for (size_t at = 0; at < 3000; at += 1 + random.Below(300)) variant[at] = static_cast<uint8_t>(random.Below(7));
  std::vector<uint32_t> memory(4096);
  const Built whole = Build(tensors.shared(), base, variant, 4096, &memory, memory.size() * 4);
  ASSERT_EQ(whole.status, CoreStatus::kOk);
  for (size_t size = 0; size < whole.used; ++size) {
    std::vector<uint32_t> less(size / 4 + 2, 0xABABABAB);
    EXPECT_EQ(Build(tensors.shared(), base, variant, 4096, &less, size).status, CoreStatus::kWorkspaceTooSmall) << size;
    const uint8_t* const bytes = reinterpret_cast<const uint8_t*>(less.data());
    EXPECT_TRUE(std::all_of(bytes + size, bytes + 4 * less.size(), [](uint8_t b) { return b == 0xAB; })) << size;
  }
  std::vector<uint32_t> enough(whole.used / 4 + 1);
  EXPECT_EQ(Build(tensors.shared(), base, variant, 4096, &enough, whole.used).status, CoreStatus::kOk);
}

// What a consumer got, by tensor.
struct Consumed {
  std::vector<std::string> tensors;
  size_t fail_at = SIZE_MAX;  // A tensor.

  TensorConsumer consumer() {
    return {[](void* self, size_t tensor, size_t offset, ByteView bytes) {
              Consumed* const to = static_cast<Consumed*>(self);
              if (tensor == to->fail_at) return CoreStatus::kOutOfRange;
              to->tensors.resize(std::max(to->tensors.size(), tensor + 1));
              EXPECT_EQ(to->tensors[tensor].size(), offset);
              to->tensors[tensor] += ToString(bytes);
              return CoreStatus::kOk;
            },
            this};
  }
};

TEST(DeltaListBuilderTest, AConsumerGetsEveryTensorWhetherTheListFitsOrNot) {
  const Tensors tensors(kSpecs);
  const SharedTables& shared = tensors.shared();
  TestRandom random(10);
  std::vector<uint8_t> base(tensors.size(), 1), variant(tensors.size());
  for (uint8_t& byte : variant) byte = static_cast<uint8_t>(random.Next());
  for (const size_t memory_size : {4, 100, 1 << 20}) {
    for (const size_t tile : {4, 1000, 1 << 20}) {
      std::vector<uint32_t> memory(1 << 18);
      Consumed consumed;
      DeltaListBuilder builder(&shared, {reinterpret_cast<uint8_t*>(memory.data()), memory_size}, consumed.consumer());
      for (size_t at = 0; at < variant.size(); at += tile) {
        const size_t size = std::min(tile, variant.size() - at);
        ASSERT_EQ(builder.Add(at, {variant.data() + at, size}, base.data() + at), CoreStatus::kOk);
      }
      DeltaList list;
      size_t used;
      EXPECT_EQ(builder.Finish(&list, &used), memory_size < 1000 ? CoreStatus::kWorkspaceTooSmall : CoreStatus::kOk);
      std::string all;
      for (size_t i = 0; i < consumed.tensors.size(); ++i) {
        EXPECT_EQ(consumed.tensors[i].size(), shared.tensor(i).size) << i;
        all += consumed.tensors[i];
      }
      EXPECT_TRUE(all == ToString(variant));
    }
  }
}

TEST(DeltaListBuilderTest, WhatTheConsumerSaysIsTheResult) {
  const Tensors tensors(kSpecs);
  const std::vector<uint8_t> base(tensors.size(), 1);
  std::vector<uint32_t> memory(4096);
  Consumed consumed;
  consumed.fail_at = 1;
  DeltaListBuilder builder(&tensors.shared(), {reinterpret_cast<uint8_t*>(memory.data()), 4 * memory.size()},
                           consumed.consumer());
  EXPECT_EQ(builder.Add(0, {base.data(), base.size()}, base.data()), CoreStatus::kOutOfRange);
  EXPECT_EQ(builder.Add(0, {base.data(), base.size()}, base.data()), CoreStatus::kOutOfRange) << "it stays";
  DeltaList list;
  size_t used;
  EXPECT_EQ(builder.Finish(&list, &used), CoreStatus::kOutOfRange);
  EXPECT_EQ(consumed.tensors.size(), 1u);
}

TEST(DeltaListBuilderTest, MoreThanTheModelIsRefused) {
  const Tensors tensors(kSpecs);
  const std::vector<uint8_t> base(tensors.size() + 4, 1);
  std::vector<uint32_t> memory(4096);
  EXPECT_EQ(Build(tensors.shared(), base, base, base.size(), &memory, memory.size() * 4).status,
            CoreStatus::kBadArgument);
}

}  // namespace
}  // namespace modelvault
