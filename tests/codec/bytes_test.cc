#include "codec/core/bytes.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <string>

#include "codec/core/core_status.h"
#include "codec/varint.h"
#include "tests/codec/model_fixture.h"

namespace modelvault {
namespace {

TEST(BytesTest, StoresWhatItLoadsLittleEndian) {
  uint8_t bytes[8];
  StoreLe64(bytes, 0x0123456789ABCDEFu);
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(bytes[i], (0x0123456789ABCDEFu >> (8 * i)) & 0xFF);
  EXPECT_EQ(LoadLe64(bytes), 0x0123456789ABCDEFu);
  EXPECT_EQ(LoadLe32(bytes + 1), 0x6789ABCDu);
  EXPECT_EQ(LoadLe16(bytes + 3), 0x6789u);
}

TEST(ByteReaderTest, VarintsOfEveryLengthComeBack) {
  std::vector<uint64_t> values = {0, 1, ~uint64_t{0}};
  for (unsigned bits = 1; bits < 64; ++bits) {
    for (int step = -1; step <= 1; ++step) values.push_back((uint64_t{1} << bits) + static_cast<uint64_t>(step));
  }
  for (uint64_t value : values) {
    std::string stored;
    AppendVarint(&stored, value);
    EXPECT_EQ(stored.size(), value == 0 ? 1u : (static_cast<unsigned>(std::bit_width(value)) + 6) / 7) << value;
    const size_t size = stored.size();
    stored += "next";
    ByteReader reader(View(stored));
    uint64_t read = 0;
    ASSERT_TRUE(reader.ReadVarint(&read)) << value;
    EXPECT_EQ(read, value);
    EXPECT_EQ(reader.position(), size);
    for (size_t cut = 0; cut < size; ++cut) {
      ByteReader short_reader({View(stored).data, cut});
      EXPECT_FALSE(short_reader.ReadVarint(&read)) << value << " cut to " << cut;
      EXPECT_EQ(short_reader.position(), 0u);
    }
  }
}

TEST(ByteReaderTest, RefusesVarintsThatAreNotTheShortestFormOrTooLarge) {
  const std::string lies[] = {
      std::string("\x80\x00", 2),        // 0 in two bytes.
      std::string("\xFF\x80\x00", 3),    // 127 in three.
      std::string(9, '\x80') + '\x02',   // 2^64.
      std::string(9, '\xFF') + '\x7F',   // More than 64 bits.
      std::string(10, '\x80') + '\x01',  // Eleven bytes.
      std::string(9, '\x80') + '\x00',   // 0 in ten.
  };
  for (const std::string& lie : lies) {
    ByteReader reader(View(lie));
    uint64_t value;
    EXPECT_FALSE(reader.ReadVarint(&value)) << testing::PrintToString(lie);
    EXPECT_EQ(reader.position(), 0u);
  }
}

TEST(ByteReaderTest, ReadsUpToTheLastByteAndNotBeyond) {
  const Bytes bytes = {1, 2, 3};
  ByteReader reader(View(bytes));
  ByteView view;
  uint8_t byte;
  EXPECT_FALSE(reader.ReadBytes(4, &view));
  EXPECT_FALSE(reader.ReadBytes(~size_t{0}, &view));
  EXPECT_EQ(reader.position(), 0u);
  ASSERT_TRUE(reader.ReadBytes(2, &view));
  EXPECT_EQ(view.data, bytes.data());
  EXPECT_EQ(view.size, 2u);
  ASSERT_TRUE(reader.ReadU8(&byte));
  EXPECT_EQ(byte, 3);
  EXPECT_EQ(reader.remaining(), 0u);
  EXPECT_FALSE(reader.ReadU8(&byte));
  EXPECT_FALSE(reader.ReadBytes(1, &view));
  EXPECT_TRUE(reader.ReadBytes(0, &view));
}

TEST(CoreStatusTest, EachHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(CoreStatus::kBadArgument); ++i) {
    names.insert(CoreStatusName(static_cast<CoreStatus>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(CoreStatus::kBadArgument) + 1);
  EXPECT_EQ(names.count("unknown error"), 0u);
  EXPECT_STREQ(CoreStatusName(static_cast<CoreStatus>(200)), "unknown error");
}

}  // namespace
}  // namespace modelvault
