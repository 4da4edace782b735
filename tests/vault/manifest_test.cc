#include "vault/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/manifest.pb.h"
#include "tests/status_matchers.h"
#include "vault/format.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return absl::Span<const uint8_t>(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

std::string Compress(const std::string& raw) {
  std::string stored(ZSTD_compressBound(raw.size()), '\0');
  stored.resize(ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), 19));
  return stored;
}

TEST(DiffHeaderTest, KeepsOnlyWhatDiffers) {
  struct Case {
    std::string base, header;
    uint64_t prefix;
    std::string middle;
    uint64_t suffix;
  };
  const Case cases[] = {
      {"", "", 0, "", 0},
      {"", "abc", 0, "abc", 0},
      {"abc", "", 0, "", 0},
      {"abc", "abc", 3, "", 0},
      {"role:base;end", "role:claims;end", 5, "claims", 4},
      {"aaaa", "aaaaaa", 4, "aa", 0},
      {"aaaaaa", "aaaa", 4, "", 0},
      {"xaby", "xaabby", 2, "ab", 2},
      {std::string("a\0b", 3), std::string("a\0c\0b", 5), 2, std::string("c\0", 2), 1},
  };
  for (const Case& c : cases) {
    const HeaderDifference difference = DiffHeader(c.base, c.header);
    EXPECT_EQ(difference.prefix_size, c.prefix) << c.header;
    EXPECT_EQ(difference.middle, c.middle) << c.header;
    EXPECT_EQ(difference.suffix_size, c.suffix) << c.header;
    EXPECT_THAT(ApplyHeader(c.base, difference), IsOkAndHolds(c.header));
  }
}

TEST(ApplyHeaderTest, RefusesWhatDoesNotFitOrIsNotWhatWasPacked) {
  const HeaderDifference good = DiffHeader("role:base;end", "role:claims;end");
  HeaderDifference bad = good;
  bad.prefix_size = 10;
  EXPECT_THAT(ApplyHeader("role:base;end", bad), StatusIs(StatusCode::kDataLoss, HasSubstr("10 + 4 bytes")));
  bad.prefix_size = ~uint64_t{0};
  EXPECT_THAT(ApplyHeader("role:base;end", bad), StatusIs(StatusCode::kDataLoss));
  bad = good;
  bad.suffix_size = ~uint64_t{0};
  EXPECT_THAT(ApplyHeader("role:base;end", bad), StatusIs(StatusCode::kDataLoss));
  bad = good;
  bad.middle = "Claims";
  EXPECT_THAT(ApplyHeader("role:base;end", bad), StatusIs(StatusCode::kDataLoss, HasSubstr("checksum mismatch")));
  EXPECT_THAT(ApplyHeader("role:BASE;End", good), StatusIs(StatusCode::kDataLoss));
}

FileHeaders SomeHeaders(size_t count) {
  FileHeaders headers;
  headers.base = "{\"tensors\":[\"embed\",\"norm\"],\"role\":\"base\"}";
  for (size_t i = 0; i < count; ++i) {
    headers.variants.push_back(
        DiffHeader(headers.base, absl::StrCat("{\"tensors\":[\"embed\"],\"role\":\"", i, "\"}")));
  }
  return headers;
}

TEST(ManifestTest, ComesBackAndIsTheSameEachTime) {
  for (const size_t count : {0, 1, 2, 100}) {
    const FileHeaders headers = SomeHeaders(count);
    ASSERT_OK_AND_ASSIGN(const std::string stored, EncodeManifest(headers));
    EXPECT_THAT(EncodeManifest(headers), IsOkAndHolds(stored));
    ASSERT_OK_AND_ASSIGN(const FileHeaders again, DecodeManifest(Bytes(stored)));
    EXPECT_EQ(again.base, headers.base);
    EXPECT_EQ(again.variants, headers.variants);
  }
  ASSERT_OK_AND_ASSIGN(const std::string empty, EncodeManifest({}));
  ASSERT_OK_AND_ASSIGN(const FileHeaders none, DecodeManifest(Bytes(empty)));
  EXPECT_EQ(none.base, "");
  EXPECT_TRUE(none.variants.empty());
}

// Headers as variants of another dtype have them: nothing but a few bytes in common with the base's, nearly all with
// each other.
FileHeaders RetypedHeaders(size_t count, size_t tensors) {
  FileHeaders headers;
  std::string retyped;
  for (size_t t = 0; t < tensors; ++t) {
    absl::StrAppend(&headers.base, "\"layer.", t, "\":[\"F32\",", 4096 * t, "],");
    absl::StrAppend(&retyped, "\"layer.", t, "\":[\"F16\",", 2048 * t, "],");
  }
  for (size_t i = 0; i < count; ++i) {
    headers.variants.push_back(
        DiffHeader(headers.base, absl::StrCat("{\"department\":\"ward-", i, "\",", retyped, "}")));
  }
  return headers;
}

TEST(ManifestTest, HeadersThatResembleEachOtherAreStoredOnce) {
  const FileHeaders original = RetypedHeaders(200, 1000);
  FileHeaders headers = original;
  ASSERT_THAT(ShareHeaders(&headers), IsOk());
  EXPECT_EQ(headers.variants[0], original.variants[0]);
  for (size_t i = 1; i < headers.variants.size(); ++i) {
    EXPECT_EQ(headers.variants[i].reference, 1u);
    EXPECT_LE(headers.variants[i].middle.size(), 3u);
  }
  ASSERT_OK_AND_ASSIGN(const std::string stored, EncodeManifest(headers));
  EXPECT_LT(stored.size(), 16000u);
  ASSERT_OK_AND_ASSIGN(const FileHeaders again, DecodeManifest(Bytes(stored)));
  ASSERT_EQ(again.variants.size(), original.variants.size());
  for (size_t i = 0; i < again.variants.size(); ++i) {
    ASSERT_OK_AND_ASSIGN(const std::string expected, ApplyHeader(original.base, original.variants[i]));
    EXPECT_THAT(VariantFileHeader(again, i), IsOkAndHolds(expected)) << i;
  }
}

TEST(ManifestTest, RefusesReferencesToWhatIsNoEarlierDirectDifference) {
  for (const auto& [at, reference] :
       std::vector<std::pair<size_t, uint64_t>>{{0, 1}, {1, 2}, {1, 9}, {2, ~uint64_t{0}}}) {
    FileHeaders headers = RetypedHeaders(3, 2);
    headers.variants[at].reference = reference;
    ASSERT_OK_AND_ASSIGN(const std::string stored, EncodeManifest(headers));
    EXPECT_THAT(DecodeManifest(Bytes(stored)), StatusIs(StatusCode::kDataLoss, HasSubstr("refers to"))) << reference;
  }
  FileHeaders chain = RetypedHeaders(3, 2);
  chain.variants[1].reference = 1;
  chain.variants[2].reference = 2;
  ASSERT_OK_AND_ASSIGN(const std::string stored, EncodeManifest(chain));
  EXPECT_THAT(DecodeManifest(Bytes(stored)), StatusIs(StatusCode::kDataLoss, HasSubstr("file header 3 refers to 2")));
}

TEST(ManifestTest, RefusesEveryTruncation) {
  ASSERT_OK_AND_ASSIGN(const std::string stored, EncodeManifest(SomeHeaders(3)));
  for (size_t size = 0; size < stored.size(); ++size) {
    EXPECT_THAT(DecodeManifest(Bytes(stored.substr(0, size))), StatusIs(StatusCode::kDataLoss)) << size;
  }
  EXPECT_THAT(DecodeManifest(Bytes(stored + '\0')), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(DecodeManifest(Bytes(stored + stored)), StatusIs(StatusCode::kDataLoss));
  // A frame that decoders pass over in silence.
  const std::string skippable("\x50\x2A\x4D\x18\4\0\0\0abcd", 12);
  EXPECT_THAT(DecodeManifest(Bytes(stored + skippable)), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(DecodeManifest(Bytes(skippable + stored)), StatusIs(StatusCode::kDataLoss));
}

TEST(ManifestTest, RefusesFramesThatAreNoManifest) {
  EXPECT_THAT(DecodeManifest(Bytes(Compress("no message at all"))),
              StatusIs(StatusCode::kDataLoss, HasSubstr("does not parse")));
  // A skippable frame of four bytes.
  EXPECT_THAT(DecodeManifest(Bytes(std::string("\x50\x2A\x4D\x18\4\0\0\0abcd", 12))), StatusIs(StatusCode::kDataLoss));
  Manifest forged;
  forged.mutable_base()->set_header("base");
  forged.mutable_base()->set_xxh3(1);
  EXPECT_THAT(DecodeManifest(Bytes(Compress(forged.SerializeAsString()))),
              StatusIs(StatusCode::kDataLoss, HasSubstr("checksum mismatch, stored 0x0000000000000001")));
}

TEST(ManifestTest, RefusesAFrameWithoutItsContentSize) {
  ASSERT_OK_AND_ASSIGN(const std::string good, EncodeManifest(SomeHeaders(3)));
  std::string raw(1 << 16, '\0');
  raw.resize(ZSTD_decompress(raw.data(), raw.size(), good.data(), good.size()));
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  std::string stored(ZSTD_compressBound(raw.size()), '\0');
  stored.resize(ZSTD_compress2(context, stored.data(), stored.size(), raw.data(), raw.size()));
  ZSTD_freeCCtx(context);
  EXPECT_THAT(DecodeManifest(Bytes(stored)), StatusIs(StatusCode::kDataLoss, HasSubstr("claims to expand")));
}

TEST(ManifestTest, RefusesToExpandBeyondItsLimit) {
  // As long a message as is allowed, and one byte more.
  Manifest manifest;
  manifest.mutable_base()->set_header(std::string(8 << 20, 'x'));
  const std::string stored = Compress(manifest.SerializeAsString());
  const uint64_t limit = stored.size() * kMaxManifestRatio + kMaxManifestExtra;
  ASSERT_LT(limit, uint64_t{8} << 20);
  EXPECT_THAT(DecodeManifest(Bytes(stored)),
              StatusIs(StatusCode::kDataLoss, HasSubstr(absl::StrCat("at most ", limit, " are allowed"))));
  // What a reader would refuse is not written.
  EXPECT_THAT(EncodeManifest({.base = std::string(8 << 20, 'x'), .variants = {}}),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("readers refuse that")));
  ASSERT_OK_AND_ASSIGN(const std::string fits,
                       EncodeManifest({.base = std::string((1 << 20) - 100, 'x'), .variants = {}}));
  EXPECT_THAT(DecodeManifest(Bytes(fits)), IsOk());
}

}  // namespace
}  // namespace modelvault
