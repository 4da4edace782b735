// Blocks whose bytes are fixed: they are in vaults already written.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "codec/host/block_codec.h"
#include "tests/codec/host/reference_block_decoder.h"
#include "tests/codec/random.h"

namespace modelvault {
namespace {

Bytes FromHex(const std::string& hex) {
  const std::string bytes = absl::HexStringToBytes(absl::StrReplaceAll(hex, {{" ", ""}}));
  return Bytes(bytes.begin(), bytes.end());
}

std::string ToHex(const std::string& bytes) { return absl::BytesToHexString(bytes); }
std::string ToHex(const Bytes& bytes) { return ToHex(std::string(bytes.begin(), bytes.end())); }

struct Golden {
  const char* name;
  DType dtype;
  Bytes data;
  Bytes reference;
  std::string block;
  bool is_what_we_write = true;  // Else only what we read.
};

// Bytes of 16-bit elements.
Bytes Halves(const std::vector<uint16_t>& elements) {
  Bytes bytes;
  for (const uint16_t e : elements) {
    bytes.push_back(static_cast<uint8_t>(e));
    bytes.push_back(static_cast<uint8_t>(e >> 8));
  }
  return bytes;
}

// A bell of weights of BF16 that takes no library of ours, and the same after a fine-tune.
std::pair<Bytes, Bytes> Weights(size_t count) {
  std::vector<uint16_t> base, tuned;
  uint32_t state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1664525 + 1013904223;
    base.push_back(
        static_cast<uint16_t>(0x3c00 + (state >> 24) - (state >> 18 & 63) + (state & 0x10000000 ? 0x8000 : 0)));
    tuned.push_back(static_cast<uint16_t>(base.back() + (state >> 12 & 3) + (state >> 14 & 3) - 3));
  }
  return {Halves(base), Halves(tuned)};
}

std::vector<Golden> Goldens() {
  const Bytes reference = Halves({0x3c00, 0x3c01, 0x3c02, 0x3c03, 0x3c04, 0x3c05, 0x3c06, 0x3c07});
  const Bytes changed = Halves({0x3c00, 0x3c01, 0x3c02, 0x3c03, 0x3c04, 0x3c03, 0x3c06, 0xbc07});
  const auto [base, tuned] = Weights(120);
  Bytes mostly_nine(300, 9), weights(300), ternary;
  mostly_nine[17] = 3;
  mostly_nine[290] = 200;
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<uint8_t>(i * i * 7 % 251);
  ternary = weights;
  for (const size_t i : {3, 90, 127}) ternary[i] = static_cast<uint8_t>(ternary[i] + 2);
  for (const size_t i : {128, 200, 250, 299}) ternary[i] = static_cast<uint8_t>(ternary[i] - 5);
  return {
      {"raw", DType::kF32, FromHex("01 02 03 04 05"), {}, "00 01 02 03 04 05"},
      {"constant", DType::kBf16, FromHex("80 3f 80 3f 80"), {}, "01 80 3f"},
      {"same", DType::kBf16, reference, reference, "02"},
      {"value",
       DType::kBf16,
       tuned,
       {},
       "03 00 33 77 f2 31 a0 71 64 ea f0 f6 72 ce 17 89 67 ef 85 4d f8 0e 53 d5 1f 51 24 61 0b b6 5c 60 "
       "bc 2c 6b a1 86 f4 c9 b1 bc 61 d5 a3 f8 99 0c e0 ff 14 e7 a5 57 94 a5 69 39 bc a2 9c 77 fa 7c 9c "
       "f0 05 6c 6c 98 a6 d1 36 9d b4 d6 e3 15 fd a0 1e 56 61 d6 2b 92 e4 68 07 bf 9f 1a 72 b6 6b 90 a0 "
       "7b da 04 1d d1 8f 99 6e d0 43 36 d1 5e 67 2d 22 cc fb ad a7 a1 76 a1 5d e6 bb 02 77 79 12 02 06 "
       "06 06 06 1c d0 f7 9a 1e 60 cc 7f f3 86 b7 24 d7 f5 e3 c7 b4 f6 f1 79 a7 0c 67 80"},
      {"difference", DType::kBf16, tuned, base,
       "05 02 00 06 22 33 43 04 0b 0a 0a 0b 93 80 8e 87 ba dd bb 70 47 61 a0 25 b6 3f 53 24 aa c0 f9 00 "
       "00 00 3c f1 db 8a 98 91 bd 0c 7a 29 eb da 57 65 0c 4a 1c 74 9c 00 01 00"},
      {"exceptions", DType::kU8, mostly_nine, {}, "03 03 09 02 03 00 11 ff 11 00 03 c8"},
      // The page's example. Of so few bytes ours would write them as they are.
      {"sparse", DType::kBf16, changed, reference, "06 02 02 00 05 01 00 03 1d 00 00 f0"},
      {"ternary", DType::kI8, ternary, weights, "07 00 07 07 00 03 56 24 00 47 31 30 00 02 05 05 78"},
      {"nothing moved", DType::kBf16, reference, reference, "06 00 00 01 07 01 07 01 07", false},
      // Of floats with other exponents: key 120 is class 0, and all below it class 1.
      {"classes", DType::kBf16, Halves({0x3c01, 0x3b05, 0xbc02, 0x0003}), Halves({0x3c00, 0x3b00, 0xbc00, 0x0000}),
       "05 04 78 02 00 02 03 00 0a 06 01 00", false},
      {"xor", DType::kU16, FromHex("01 ff 02 00"), FromHex("00 0f 03 00"), "04 01 01 00 f0 00", false},
  };
}

TEST(BlockGoldenTest, BytesAreThoseThatWereWritten) {
  for (const Golden& golden : Goldens()) {
    SCOPED_TRACE(golden.name);
    BlockScratch scratch;
    if (golden.is_what_we_write) {
      std::string block;
      EncodeBlock(golden.dtype, golden.data, golden.reference, &scratch, &block);
      EXPECT_EQ(ToHex(block), ToHex(FromHex(golden.block)));
    }
    Bytes out(golden.data.size());
    const Bytes stored = FromHex(golden.block);
    EXPECT_EQ(DecodeBlock(golden.dtype, stored, golden.reference, &scratch, absl::MakeSpan(out)), CoreStatus::kOk);
    EXPECT_EQ(ToHex(out), ToHex(golden.data));
    const auto by_the_page = DecodeByThePage(golden.dtype, stored, golden.reference, golden.data.size());
    EXPECT_EQ(ToHex(by_the_page.value_or(Bytes())), ToHex(golden.data));
  }
}

}  // namespace
}  // namespace modelvault
