#include "codec/core/xxh64.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>

#include "tests/codec/model_fixture.h"

namespace modelvault {
namespace {

TEST(Xxh64Test, IsTheSpecificationsForNothing) { EXPECT_EQ(Xxh64::Of({}), 0xEF46DB3751D8E999u); }

TEST(Xxh64Test, IsTheLibrarysAtEveryLengthAndSplit) {
  const Bytes bytes = Random(1).Uniform(300);
  for (size_t length = 0; length <= bytes.size(); ++length) {
    const uint64_t expected = XXH64(bytes.data(), length, 0);
    ASSERT_EQ(Xxh64::Of({bytes.data(), length}), expected) << length;
    for (size_t split = 0; split <= length; ++split) {
      Xxh64 hash;
      hash.Update({bytes.data(), split});
      ASSERT_EQ(hash.Digest(), XXH64(bytes.data(), split, 0)) << split;
      hash.Update({bytes.data() + split, length - split});
      ASSERT_EQ(hash.Digest(), expected) << length << " split at " << split;
    }
  }
}

TEST(Xxh64Test, IsTheLibrarysInPiecesOfAnySize) {
  Random random(2);
  for (int round = 0; round < 200; ++round) {
    const Bytes bytes = random.Uniform(random.Below(5000));
    Xxh64 hash;
    size_t at = 0;
    while (at < bytes.size()) {
      const size_t piece = std::min<size_t>(bytes.size() - at, random.Below(random.Below(2) == 0 ? 8 : 200));
      hash.Update({bytes.data() + at, piece});
      at += piece;
    }
    ASSERT_EQ(hash.Digest(), XXH64(bytes.data(), bytes.size(), 0)) << round;
    hash.Reset();
    ASSERT_EQ(hash.Digest(), Xxh64::Of({}));
  }
}

}  // namespace
}  // namespace modelvault
