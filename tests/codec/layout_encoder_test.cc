#include "codec/layout_encoder.h"

#include <gtest/gtest.h>

namespace modelvault {
namespace {

TEST(LayoutEncoderTest, EachBaseTensorOnceIsStoredAsVersion10Does) {
  EXPECT_EQ(SerializeLayoutAs(LayoutForm::kEachOnce, {{300, DType::kF16, 7}, {0, DType::kOpaque, 128}}).bytes,
            std::string("\xAC\x02\x0A\x00\x00\x80\x01", 7));
  const StoredLayout stored = SerializeLayout({{1, DType::kF16, 7}, {0, DType::kOpaque, 128}}, 2);
  EXPECT_EQ(stored.form, LayoutForm::kEachOnce);
  EXPECT_EQ(stored.tensor_count, 2u);
  EXPECT_EQ(stored.bytes, std::string("\x01\x0A\x00\x00\x80\x01", 6));
  EXPECT_EQ(SerializeLayout({}, 0).form, LayoutForm::kEachOnce);
}

TEST(LayoutEncoderTest, OtherLayoutsAreFree) {
  const LayoutEntry a{0, DType::kI8, 0}, b{1, DType::kI8, 0}, own{kNoBaseTensor, DType::kI8, 0};
  EXPECT_EQ(SerializeLayout({a, b}, 2).form, LayoutForm::kEachOnce);
  EXPECT_EQ(SerializeLayout({b, a}, 2).form, LayoutForm::kEachOnce);
  EXPECT_EQ(SerializeLayout({a}, 2).form, LayoutForm::kFree);
  EXPECT_EQ(SerializeLayout({}, 2).form, LayoutForm::kFree);
  EXPECT_EQ(SerializeLayout({a, a}, 2).form, LayoutForm::kFree);
  EXPECT_EQ(SerializeLayout({a, b, a}, 2).form, LayoutForm::kFree);
  EXPECT_EQ(SerializeLayout({a, own}, 2).form, LayoutForm::kFree);
  EXPECT_EQ(SerializeLayout({a, b, own}, 2).form, LayoutForm::kFree);
}

TEST(LayoutEncoderTest, FreeLayoutsAreStoredAsDocumented) {
  const StoredLayout stored = SerializeLayout({{299, DType::kF16, 7},
                                               {kNoBaseTensor, DType::kF32, 300},
                                               {0, DType::kOpaque, 5},
                                               {kNoBaseTensor, DType::kOpaque, 6},
                                               {299, DType::kF16, 7}},
                                              300);
  EXPECT_EQ(stored.form, LayoutForm::kFree);
  EXPECT_EQ(stored.tensor_count, 5u);
  EXPECT_EQ(stored.bytes, std::string("\xAC\x02\x0A"      // Base tensor 299.
                                      "\x00\x0C\xAC\x02"  // None, 300 elements.
                                      "\x01\x00\x05"      // Base tensor 0, 5 bytes.
                                      "\x00\x00\x06"      // None, 6 bytes.
                                      "\xAC\x02\x0A",
                                      16));
}

}  // namespace
}  // namespace modelvault
