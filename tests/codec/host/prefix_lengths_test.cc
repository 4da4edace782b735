#include "codec/host/prefix_lengths.h"

#include <gtest/gtest.h>

#include <string>

#include "codec/host/block_format.h"
#include "codec/prefix_coding.h"
#include "tests/codec/random.h"

namespace modelvault {
namespace {

unsigned Room(const ByteLengths& lengths) {
  unsigned room = 0;
  for (const uint8_t length : lengths) room += length == 0 ? 0 : (1u << kHostCodeLength) >> length;
  return room;
}

ByteView View(const std::string& bytes) { return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}; }

// Counts that fall by `factor` from byte to byte, so that words of the rare ones have to be cut.
ByteCounts Falling(double factor, size_t used) {
  ByteCounts counts{};
  double count = 1e9;
  for (size_t s = 0; s < used; ++s, count *= factor) counts[s * 37 % 256] = 1 + static_cast<uint32_t>(count);
  return counts;
}

TEST(PrefixLengthsTest, AreCompleteWithinTheLimitAndNearlyOptimal) {
  for (const double factor : {0.3, 0.5, 0.8, 0.97, 1.0}) {
    for (const size_t used : {2, 3, 17, 100, 256}) {
      for (const unsigned limit : {8u, 9u, 10u}) {
        SCOPED_TRACE(testing::Message() << factor << " " << used << " " << limit);
        const ByteCounts counts = Falling(factor, used);
        const ByteLengths lengths = LengthsFor(counts, limit);
        EXPECT_EQ(Room(lengths), 1u << kHostCodeLength);
        Histogram histogram{};
        for (size_t s = 0; s < counts.size(); ++s) {
          EXPECT_EQ(lengths[s] != 0, counts[s] != 0);
          EXPECT_LE(lengths[s], limit);
          histogram[s] = counts[s];
        }
        const uint64_t least = modelvault::CodedBits(histogram, OptimalCodeLengths(histogram, limit));
        EXPECT_GE(CodedBits(counts, lengths), least);
        EXPECT_LE(CodedBits(counts, lengths), least + least / 25);
      }
    }
  }
}

TEST(PrefixLengthsTest, AreReadAsTheyWereStored) {
  for (const size_t used : {2, 5, 256}) {
    const ByteLengths lengths = LengthsFor(Falling(0.9, used), kHostCodeLength);
    std::string stored;
    AppendLengths(lengths, &stored);
    EXPECT_EQ(stored.size(), StoredLengthsSize(lengths));
    ByteReader reader(View(stored));
    ByteLengths read;
    EXPECT_EQ(ReadLengths(&reader, &read), CoreStatus::kOk);
    EXPECT_EQ(reader.remaining(), 0u);
    EXPECT_EQ(read, lengths);
  }
}

TEST(PrefixLengthsTest, RefusesWhatIsNoCompleteCode) {
  const auto status = [](const std::string& stored) {
    ByteReader reader(View(stored));
    ByteLengths lengths;
    return ReadLengths(&reader, &lengths);
  };
  EXPECT_EQ(status({"\x03\x04\x11", 3}), CoreStatus::kOk);
  EXPECT_EQ(status({"\x03\x04", 2}), CoreStatus::kTruncated);
  EXPECT_EQ(status({"\x04\x04\x01", 3}), CoreStatus::kBadTable);  // One byte alone is a constant.
  EXPECT_EQ(status({"\x05\x04\x11", 3}), CoreStatus::kBadTable);
  EXPECT_EQ(status({"\x03\x04\x21", 3}), CoreStatus::kBadTable);      // Words are left over.
  EXPECT_EQ(status({"\x03\x05\x11\x01", 4}), CoreStatus::kBadTable);  // Too many words.
  EXPECT_EQ(status({"\x03\x05\x11\x00", 4}), CoreStatus::kBadTable);  // The last byte does not occur.
  EXPECT_EQ(status({"\x03\x05\x21\x12", 4}), CoreStatus::kBadTable);  // A nibble beyond the last.
  EXPECT_EQ(status({"\x03\x04\xc1", 3}), CoreStatus::kBadTable);      // Longer than words may be.
}

TEST(CountBytesTest, CountsEachOfThem) {
  Random random(3);
  for (const size_t size : {0, 1, 7, 8, 9, 1000}) {
    const Bytes bytes = random.Uniform(size);
    ByteCounts expected{};
    for (const uint8_t byte : bytes) ++expected[byte];
    EXPECT_EQ(CountBytes(bytes), expected);
  }
}

}  // namespace
}  // namespace modelvault
