#include "restore/infer/buffer_layout.h"

#include <vector>

#include "gtest/gtest.h"
#include "tests/restore/infer/llama_network.h"

namespace modelvault {
namespace {

// The operators alone; nobody checks them here.
struct Operators {
  explicit Operators(std::vector<uint16_t> buffer_widths) { parts.widths = std::move(buffer_widths); }

  BufferLayout Plan() {
    bytes = parts.Bytes();
    Network network;
    network.buffer_count = static_cast<uint8_t>(parts.widths.size());
    network.operator_count = static_cast<uint16_t>(parts.operators.size());
    const uint8_t* const p = reinterpret_cast<const uint8_t*>(bytes.data()) + 32;
    network.widths = {p, 2 * parts.widths.size()};
    network.operators = {p + (parts.widths.size() + 1) / 2 * 4, 16 * parts.operators.size()};
    BufferLayout layout;
    layout.Plan(network);
    return layout;
  }

  void Add(OperatorCode code, uint8_t out, uint8_t in = kNoBuffer, uint8_t in2 = kNoBuffer, uint8_t a = 0,
           uint32_t c = 0) {
    parts.operators.push_back({code, out, in, in2, kNoTensor, kNoTensor, kNoTensor, a, 1, c});
  }

  NetworkParts parts;
  std::string bytes;
};

TEST(BufferLayoutTest, BuffersThatNeverMeetShareMemory) {
  Operators operators({10, 20, 30, 5});
  operators.Add(OperatorCode::kEmbed, 0);
  operators.Add(OperatorCode::kMatmul, 1, 0);
  operators.Add(OperatorCode::kMatmul, 2, 1);  // 0 is not needed any more.
  operators.Add(OperatorCode::kMatmul, 3, 2);
  const BufferLayout layout = operators.Plan();
  // No attention: everything is of the only token.
  EXPECT_EQ(layout.row_size(), 0u);
  EXPECT_EQ(layout.offset(0), 0u);
  EXPECT_EQ(layout.offset(1), 10u);
  EXPECT_EQ(layout.offset(2), 30u);
  EXPECT_EQ(layout.offset(3), 0u);
  EXPECT_EQ(layout.first_row_size(), 60u);
}

TEST(BufferLayoutTest, WhatIsAddedToStays) {
  Operators operators({10, 20, 30});
  operators.Add(OperatorCode::kEmbed, 0);
  operators.Add(OperatorCode::kMatmul, 1, 0);
  operators.Add(OperatorCode::kMatmul, 2, 1);
  operators.Add(OperatorCode::kMatmul, 0, 2, kNoBuffer, 1);
  const BufferLayout layout = operators.Plan();
  EXPECT_EQ(layout.first_row_size(), 60u);
}

TEST(BufferLayoutTest, WhatFollowsAttentionIsOfOneToken) {
  // h, q, k, v, out, scores.
  Operators operators({8, 8, 4, 4, 8, 100});
  operators.Add(OperatorCode::kEmbed, 0);
  for (uint8_t b = 1; b <= 3; ++b) operators.Add(OperatorCode::kMatmul, b, 0);
  operators.Add(OperatorCode::kRope, 1);
  operators.Add(OperatorCode::kAttention, 4, 1, 2, 2, 3);
  operators.Add(OperatorCode::kMatmul, 0, 4, kNoBuffer, 1);
  operators.Add(OperatorCode::kMatmul, 5, 0);
  const BufferLayout layout = operators.Plan();
  for (size_t b = 0; b < 5; ++b) EXPECT_TRUE(layout.in_row(b)) << b;
  EXPECT_FALSE(layout.in_row(5));
  // Attention reads 1, 2 and 3 while it writes 4.
  EXPECT_EQ(layout.row_size(), 32u);
  // What scores are made of stands before them; of q, k, v and out, nothing is needed any more.
  EXPECT_EQ(layout.offset(5), 8u);
  EXPECT_EQ(layout.first_row_size(), 108u);
}

TEST(BufferLayoutTest, RowsAreNotLongerForWhatIsOfOneToken) {
  // Scores, h, q, k, v, out.
  Operators operators({100, 8, 8, 4, 4, 8});
  operators.Add(OperatorCode::kEmbed, 1);
  for (uint8_t b = 2; b <= 4; ++b) operators.Add(OperatorCode::kMatmul, b, 1);
  operators.Add(OperatorCode::kAttention, 5, 2, 3, 2, 4);
  operators.Add(OperatorCode::kMatmul, 1, 5, kNoBuffer, 1);
  operators.Add(OperatorCode::kMatmul, 0, 1);
  const BufferLayout layout = operators.Plan();
  EXPECT_EQ(layout.row_size(), 32u);
  EXPECT_EQ(layout.offset(0), 8u);
  EXPECT_EQ(layout.first_row_size(), 108u);
}

}  // namespace
}  // namespace modelvault
