#include "tools/eval/float_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/status_matchers.h"
#include "tools/formats/safetensors.h"

namespace modelvault {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StringSource : public DataSource {
 public:
  explicit StringSource(std::string bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) override {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return absl::OkStatus();
  }

 private:
  std::string bytes_;
};

struct Tensor {
  std::string name, dtype;
  std::vector<uint64_t> shape;
  std::string data;
};

absl::StatusOr<FloatTensors> Read(const std::vector<Tensor>& tensors) {
  std::string bytes;
  std::vector<ModelTensor> infos;
  for (const Tensor& t : tensors) {
    infos.push_back(SafetensorsTensor(t.name, t.dtype, t.shape, bytes.size(), bytes.size() + t.data.size()));
    bytes += t.data;
  }
  StringSource source(bytes);
  return ReadFloatTensors("m", infos, &source);
}

const std::string kOneAndAHalf("\0\0\xC0\x3F", 4);
const std::string kTwo("\0\0\0\x40", 4);

TEST(FloatTensorsTest, FloatsOfEveryWidthAreTakenAsTheyAre) {
  ASSERT_OK_AND_ASSIGN(const FloatTensors tensors, Read({{"a", "F32", {2}, kOneAndAHalf + kTwo},
                                                         {"b", "F16", {1, 2}, std::string("\0\x3E\0\xC0", 4)},
                                                         {"c", "BF16", {2}, std::string("\xC0\x3F\0\xC0", 4)},
                                                         {"c.scale", "F32", {1}, kTwo},
                                                         {"e", "F32", {0, 3}, ""}}));
  EXPECT_THAT(tensors.at("a").values, ElementsAre(1.5f, 2.0f));
  EXPECT_THAT(tensors.at("b").values, ElementsAre(1.5f, -2.0f));
  EXPECT_THAT(tensors.at("b").shape, ElementsAre(1, 2));
  EXPECT_THAT(tensors.at("c").values, ElementsAre(1.5f, -2.0f)) << "only I8 is scaled";
  EXPECT_EQ(tensors.count("c.scale"), 1u);
  EXPECT_TRUE(tensors.at("e").values.empty());
}

TEST(FloatTensorsTest, IntegersTakeTheScaleOfTheirRow) {
  ASSERT_OK_AND_ASSIGN(const FloatTensors tensors, Read({{"w.scale", "F32", {2}, kOneAndAHalf + kTwo},
                                                         {"w", "I8", {2, 2}, std::string("\x01\xFF\x7F\x80", 4)},
                                                         {"v", "I8", {3}, std::string("\x01\x02\x03", 3)},
                                                         {"v.scale", "F16", {}, std::string("\0\x3E", 2)},
                                                         {"none", "I8", {0, 4}, ""},
                                                         {"none.scale", "F32", {0}, ""}}));
  EXPECT_THAT(tensors.at("w").values, ElementsAre(1.5f, -1.5f, 254.0f, -256.0f));
  EXPECT_THAT(tensors.at("v").values, ElementsAre(1.5f, 3.0f, 4.5f));
  EXPECT_EQ(tensors.size(), 3u) << "scales are part of what they scale";
}

TEST(FloatTensorsTest, WhatIsNoModelIsRefusedByName) {
  const auto expect = [](const std::vector<Tensor>& tensors, const std::string& message) {
    EXPECT_THAT(Read(tensors), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("m: tensor " + message)));
  };
  expect({{"i", "I32", {1}, kTwo}}, "i is I32");
  expect({{"w", "I8", {1}, "x"}}, "w is I8, but there is no F32 tensor w.scale");
  expect({{"w", "I8", {1}, "x"}, {"w.scale", "I8", {1}, "x"}, {"w.scale.scale", "F32", {1}, kTwo}}, "w is I8, but");
  expect({{"w", "I8", {3, 1}, "xyz"}, {"w.scale", "F32", {2}, kTwo + kTwo}}, "w.scale has 2 values; expected 1 or 3");
}

}  // namespace
}  // namespace modelvault
