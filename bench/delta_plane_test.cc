#include "bench/delta_plane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/sample_model.h"
#include "bench/whole_file.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"

namespace modelvault::bench {
namespace {

FileSystem& Files() { return FileSystem::Default(); }

// The sample's base, and a variant of it with other bytes at some places.
class DeltaPlaneTest : public testing::Test {
 protected:
  DeltaPlaneTest() { model_.WriteFiles(folder_.path(), 1); }

  std::string base() const { return folder_.File("base.safetensors"); }
  std::string variant() const { return folder_.File("v000.safetensors"); }

  // Adds `step` to byte `offset` of the variant's data section.
  void Change(size_t offset, int step) {
    std::string file = folder_.Read("v000.safetensors");
    const size_t at = file.size() - model_.data().size() + offset;
    file[at] = static_cast<char>(file[at] + step);
    folder_.Write("v000.safetensors", file);
  }

  SampleModel model_;
  TempFolder folder_;
};

TEST_F(DeltaPlaneTest, TernaryVariantComesBackFromFiveTritsAByteAndScales) {
  const absl::StatusOr<DeltaPlane> plane = MakeDeltaPlane(Files(), base(), variant());
  ASSERT_THAT(plane, IsOk());
  EXPECT_EQ(plane->kind, PlaneKind::kTrits);
  EXPECT_EQ(plane->weights, model_.weights());
  EXPECT_NEAR(static_cast<double>(plane->differing) / static_cast<double>(plane->weights), 0.0625, 0.01);
  EXPECT_NEAR(static_cast<double>(plane->difference_size), static_cast<double>(model_.weights()) / 5, 100);
  // 6.25 % with a sign: 0.337 + 0.0625 bits a weight.
  EXPECT_NEAR(8 * plane->order0_bytes / static_cast<double>(plane->weights), 0.40, 0.02);
  const absl::StatusOr<std::string> joined = JoinDeltaPlane(Files(), base(), plane->bytes);
  ASSERT_THAT(joined, IsOk());
  EXPECT_TRUE(*joined == folder_.Read("v000.safetensors"));
}

TEST_F(DeltaPlaneTest, OneWeightNoScaleExplainsMakesThePlaneResiduals) {
  // Two steps of different size in one group of `embed`, which comes first.
  size_t first = 0;
  const std::vector<uint8_t> ternary = model_.TernaryVariant(0);
  while (ternary[first] == model_.data()[first]) ++first;
  Change(first + 1, 50);
  Change(first + 2, 3);
  const absl::StatusOr<DeltaPlane> plane = MakeDeltaPlane(Files(), base(), variant());
  ASSERT_THAT(plane, IsOk());
  EXPECT_EQ(plane->kind, PlaneKind::kResiduals);
  EXPECT_EQ(plane->difference_size, model_.weights());
  const absl::StatusOr<std::string> joined = JoinDeltaPlane(Files(), base(), plane->bytes);
  ASSERT_THAT(joined, IsOk());
  EXPECT_TRUE(*joined == folder_.Read("v000.safetensors"));
}

TEST_F(DeltaPlaneTest, FloatsAndTheHeaderComeBack) {
  Change(model_.data().size() - 1, 7);  // The last tensor is F32.
  ASSERT_EQ(model_.tensors().back().dtype, DType::kF32);
  const absl::StatusOr<std::string> header = SafetensorsHeaderFor(model_.tensors(), {{"another", "header"}});
  ASSERT_THAT(header, IsOk());
  const std::string file = folder_.Read("v000.safetensors");
  folder_.Write("v000.safetensors", *header + file.substr(file.size() - model_.data().size()));
  const absl::StatusOr<DeltaPlane> plane = MakeDeltaPlane(Files(), base(), variant());
  ASSERT_THAT(plane, IsOk());
  EXPECT_EQ(plane->kind, PlaneKind::kTrits);
  const absl::StatusOr<std::string> joined = JoinDeltaPlane(Files(), base(), plane->bytes);
  ASSERT_THAT(joined, IsOk());
  EXPECT_TRUE(*joined == folder_.Read("v000.safetensors"));
}

TEST_F(DeltaPlaneTest, ModelsThatDoNotMatchAndShortPlanesAreRefused) {
  std::vector<ModelTensor> renamed = model_.tensors();
  renamed[0].name = "another";
  const absl::StatusOr<std::string> header = SafetensorsHeaderFor(renamed, {});
  ASSERT_THAT(header, IsOk());
  const std::string data(model_.data().begin(), model_.data().end());
  folder_.Write("other.safetensors", *header + data);
  EXPECT_THAT(MakeDeltaPlane(Files(), base(), folder_.File("other.safetensors")),
              StatusIs(absl::StatusCode::kInvalidArgument));
  const absl::StatusOr<DeltaPlane> plane = MakeDeltaPlane(Files(), base(), variant());
  ASSERT_THAT(plane, IsOk());
  for (size_t size : {size_t{0}, size_t{1}, plane->bytes.size() / 2}) {
    EXPECT_THAT(JoinDeltaPlane(Files(), base(), absl::string_view(plane->bytes).substr(0, size)),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << size;
  }
}

}  // namespace
}  // namespace modelvault::bench
