// Holds docs/format.md against the constants that the code uses. Each is spelled out twice on purpose: a change of one
// without the other fails here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/core/codec_format.h"
#include "codec/core/gap_tables.h"
#include "codec/core/rans_decoder.h"
#include "firmware_riscv/update/patch_reader.h"
#include "restore/infer/network_view.h"
#include "restore/infer/tokenizer.h"
#include "tests/vault/format_document.h"
#include "vault/core/crypto.h"
#include "vault/core/sealed_blob.h"
#include "vault/format.h"

namespace modelvault {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// 65535 as the page writes it: 65,535.
std::string Grouped(uint64_t value) {
  if (value < 1000) return absl::StrCat(value);
  return absl::StrCat(Grouped(value / 1000), ",", absl::Dec(value % 1000, absl::kZeroPad3));
}

unsigned Log2(uint64_t power) {
  unsigned log = 0;
  while (power >> log != 1) ++log;
  EXPECT_EQ(uint64_t{1} << log, power);
  return log;
}

class FormatDocTest : public testing::Test {
 protected:
  // Expects a sentence, or a piece of one, on the page.
  void ExpectSays(const std::string& words) {
    EXPECT_TRUE(text_.find(words) != std::string::npos) << "docs/format.md does not say: " << words;
  }

  // The page from the first place on where it says so.
  absl::string_view From(const std::string& words) const {
    const size_t at = document_.find(words);
    EXPECT_NE(at, std::string::npos) << words;
    return at == std::string::npos ? absl::string_view() : absl::string_view(document_).substr(at);
  }

  const std::string document_ = FormatDocument();
  const std::string text_ = Unwrapped(document_);
};

struct NamedField {
  const char* name;
  FieldPlace place;
};

TEST_F(FormatDocTest, HeaderTable) {
  const NamedField fields[] = {{"magic", kMagicField},
                               {"version_major", kVersionMajorField},
                               {"version_minor", kVersionMinorField},
                               {"features", kFeaturesField},
                               {"file_size", kFileSizeField},
                               {"chunk_size", kChunkSizeField},
                               {"segment_size", kSegmentSizeField},
                               {"base_data_size", kBaseDataSizeField},
                               {"base_xxh3", kBaseXxh3Field},
                               {"base_xxh64", kBaseXxh64Field},
                               {"tensor_count", kTensorCountField},
                               {"variant_count", kVariantCountField},
                               {"sections", kSectionsField},
                               {"max_variant_tensors", kMaxVariantTensorsField},
                               {"network", kNetworkField},
                               {"reserved", kReservedField},
                               {"header_checksum", kHeaderChecksumField}};
  const TableRows rows = TableBelow(document_, "| Offset | Size | Field |");
  ASSERT_EQ(rows.size(), std::size(fields));
  uint32_t end = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i].size(), 5u);
    EXPECT_EQ(rows[i][0], absl::StrCat(fields[i].place.offset)) << fields[i].name;
    EXPECT_EQ(rows[i][1], absl::StrCat(fields[i].place.size)) << fields[i].name;
    EXPECT_EQ(rows[i][2], fields[i].name);
    EXPECT_EQ(fields[i].place.offset, end) << "a gap before " << fields[i].name;
    end = fields[i].place.offset + fields[i].place.size;
  }
  EXPECT_EQ(end, kHeaderSize);
  ExpectSays(absl::StrCat("## 2. Header (", kHeaderSize, " bytes)"));

  std::vector<std::string> magic;
  for (const uint8_t byte : kVaultMagic) magic.push_back(absl::StrCat(absl::Hex(byte, absl::kZeroPad2)));
  EXPECT_THAT(rows[0][3], HasSubstr(absl::AsciiStrToUpper(absl::StrJoin(magic, " "))));
  EXPECT_EQ(rows[1][3], absl::StrCat(kVersionMajor));
  EXPECT_EQ(rows[2][3], absl::StrCat("0 to ", kVersionMinor));
  ExpectSays(absl::StrCat("(`.mvlt`), version ", kVersionMajor, ".", kVersionMinor));
  EXPECT_THAT(rows[3][3],
              AllOf(HasSubstr(absl::StrCat("bit ", Log2(kFeatureWideChunks), " wide chunk directory")),
                    HasSubstr(absl::StrCat("bit ", Log2(kFeatureWideIndex), " wide index")),
                    HasSubstr(absl::StrCat("from 1.1 on bit ", Log2(kFeatureFreeLayouts), " free layouts")),
                    HasSubstr(absl::StrCat("from 1.2 on bit ", Log2(kFeatureNetwork), " network")),
                    HasSubstr(absl::StrCat("from 1.3 on bit ", Log2(kFeatureDescribedFrames), " described frames")),
                    HasSubstr(absl::StrCat("from 1.4 on bit ", Log2(kFeatureSignature), " signature and bit ",
                                           Log2(kFeatureTenants), " tenants")),
                    HasSubstr(absl::StrCat("from 1.5 on bit ", Log2(kFeatureHostCodings),
                                           " host codings, never with bit ", Log2(kFeatureNetwork))),
                    HasSubstr("others 0")));
  EXPECT_EQ(KnownFeatures(0), 3u);
  EXPECT_EQ(KnownFeatures(1), 7u);
  EXPECT_EQ(KnownFeatures(2), 15u);
  EXPECT_EQ(KnownFeatures(3), 31u);
  EXPECT_EQ(KnownFeatures(4), 127u);
  EXPECT_EQ(KnownFeatures(5), 255u);
  EXPECT_EQ(KnownFeatures(0xFFFF), 255u);
  EXPECT_THAT(rows[5][3],
              HasSubstr(absl::StrCat(kMinChunkSize, " … 2^", Log2(kMaxChunkSize), ", multiple of ", kSizeGranularity)));
  EXPECT_THAT(rows[6][3], HasSubstr(absl::StrCat(kMinSegmentSize, " … 2^", Log2(kMaxSegmentSize), ", multiple of ",
                                                 kSizeGranularity)));
  EXPECT_THAT(rows[12][3], HasSubstr("`u64 offset, u64 size, u64 checksum`: MODEL, CHUNKS, BASE, INDEX, MANIFEST, "
                                     "SIGNATURE"));
  EXPECT_EQ(kSectionOffsetField.offset, 0u);
  EXPECT_EQ(kSectionSizeField.offset, 8u);
  EXPECT_EQ(kSectionChecksumField.offset, 16u);
  EXPECT_EQ(static_cast<int>(Section::kSignature), 5);
  EXPECT_EQ(rows[13][3], absl::StrCat("1 … 2^", Log2(kMaxFreeLayoutTensors), " with free layouts, else 0"));
  EXPECT_THAT(rows[14][3], HasSubstr("`u64 offset, u64 size, u64 checksum` of NETWORK"));
  EXPECT_THAT(rows[16][3], HasSubstr(absl::StrCat("bytes 0 … ", kHeaderChecksumField.offset - 1)));
  ExpectSays(absl::StrCat("base_data_size is at most 2^", Log2(kMaxDataSize)));
  ExpectSays(absl::StrCat("start at multiples of ", kAlignment, " bytes"));
}

TEST_F(FormatDocTest, ChunksAndIndex) {
  EXPECT_EQ(kNarrowChunkEntrySize, 4u + 4u);
  EXPECT_EQ(kWideChunkEntrySize, 8u + 4u);
  ExpectSays("`u32 offset, u32 checksum32` (wide: `u64 offset, u32 checksum32`)");
  ExpectSays(absl::StrCat("CHUNKS wide exactly where base_data_size is 2^", Log2(kWideChunksFrom), " or more"));
  ExpectSays(absl::StrCat("INDEX wide exactly where it begins beyond 2^", Log2(kMaxNarrowIndexOffset + 1), " − 1"));

  struct IndexField {
    const char* name;
    FieldPlace narrow, wide;
  };
  const IndexField fields[] = {{"name_hash", kEntryNameHashField, kEntryNameHashField},
                               {"checksum32", kEntryChecksumField, kEntryChecksumField},
                               {"offset", kNarrowEntryOffsetField, kWideEntryOffsetField},
                               {"size", kNarrowEntrySizeField, kWideEntrySizeField},
                               {"XXH64 digest", kNarrowEntryXxh64Field, kWideEntryXxh64Field},
                               {"XXH3-128 digest", kNarrowEntryXxh3Field, kWideEntryXxh3Field}};
  const TableRows rows = TableBelow(document_, "| Narrow offset | Wide offset | Size | Field |");
  ASSERT_EQ(rows.size(), std::size(fields));
  FieldPlace narrow{0, 0}, wide{0, 0};
  for (size_t i = 0; i < rows.size(); ++i) {
    const IndexField& field = fields[i];
    ASSERT_EQ(rows[i].size(), 4u);
    EXPECT_EQ(rows[i][0], absl::StrCat(field.narrow.offset)) << field.name;
    EXPECT_EQ(rows[i][1], absl::StrCat(field.wide.offset)) << field.name;
    EXPECT_EQ(rows[i][2], field.narrow.size == field.wide.size
                              ? absl::StrCat(field.narrow.size)
                              : absl::StrCat(field.narrow.size, " / ", field.wide.size))
        << field.name;
    EXPECT_TRUE(absl::StartsWith(rows[i][3], field.name)) << rows[i][3];
    EXPECT_EQ(field.narrow.offset, narrow.offset + narrow.size);
    EXPECT_EQ(field.wide.offset, wide.offset + wide.size);
    narrow = field.narrow;
    wide = field.wide;
  }
  EXPECT_EQ(narrow.offset + narrow.size, kNarrowIndexEntrySize);
  EXPECT_EQ(wide.offset + wide.size, kWideIndexEntrySize);
  ExpectSays(absl::StrCat("Narrow entries have ", kNarrowIndexEntrySize, " bytes, wide ones ", kWideIndexEntrySize));
  ExpectSays(absl::StrCat("`u8 length` (1 … ", kMaxVariantNameSize, ")"));
  ExpectSays(absl::StrCat("are not `.`, `..` or `", kReservedVariantName, "`, do not begin with `-`"));
}

TEST_F(FormatDocTest, BlobsAndManifest) {
  ExpectSays(absl::StrCat("bit ", Log2(kBlobOwnLayout), " own layout, bit ", Log2(kBlobDirectory),
                          " segment directory, bit ", Log2(kBlobFreeLayout),
                          " free layout (not with bit 0, and only with that feature); others zero"));
  EXPECT_EQ(kKnownBlobFlags, 7);
  ExpectSays(absl::StrCat("A variant's bytes are at most 2^", Log2(kMaxDataSize)));
  EXPECT_EQ(kSegmentEntrySize, 4u + 4u);
  ExpectSays(absl::StrCat("| varint, ", kSegmentEntrySize, " each | directory |"));
  EXPECT_EQ(kMaxManifestExtra, uint64_t{1} << 20);
  ExpectSays(absl::StrCat("at most ", kMaxManifestRatio, " times its stored size + 1 MiB"));
}

// Sizes of the rows of a table, which follow one another.
uint64_t SizeOfFields(const TableRows& rows) {
  uint64_t end = 0;
  for (const auto& row : rows) {
    EXPECT_EQ(row[0], absl::StrCat(end));
    uint64_t size = 0;
    EXPECT_TRUE(absl::SimpleAtoi(row[1], &size)) << row[1];
    end += size;
  }
  return end;
}

TEST_F(FormatDocTest, Network) {
  const TableRows head = TableBelow(From("## 9. NETWORK"), "| Offset | Size | Field | Valid |");
  ASSERT_EQ(head.size(), 12u);
  EXPECT_EQ(SizeOfFields(head), kNetworkHeadSize);
  EXPECT_THAT(head[0][3], HasSubstr(absl::StrCat(static_cast<int>(NetworkTask::kTokens), " tokens")));
  EXPECT_THAT(head[0][3], HasSubstr(absl::StrCat(static_cast<int>(NetworkTask::kFeatures), " features")));
  EXPECT_EQ(head[2][3], absl::StrCat("1 … ", kMaxNetworkOperators));
  EXPECT_EQ(head[7][3], absl::StrCat("1 … ", kMaxNetworkBuffers));
  EXPECT_THAT(head[8][3], HasSubstr(absl::StrCat("at most ", kMaxRopePairs)));
  ExpectSays(absl::StrCat("the operators, ", kNetworkOperatorSize, " bytes each"));
  ExpectSays(absl::StrCat("What an operator does not use is ", kNoBuffer, " (buffers), ", Grouped(kNoTensor),
                          " (tensors) or 0 (a, b, c)"));
  const TableRows operators = TableBelow(document_, "| Code | Name | Computes |");
  const std::pair<OperatorCode, const char*> names[] = {
      {OperatorCode::kEmbed, "embed"},         {OperatorCode::kRmsNorm, "rmsnorm"},
      {OperatorCode::kMatmul, "matmul"},       {OperatorCode::kRope, "rope"},
      {OperatorCode::kAttention, "attention"}, {OperatorCode::kSiluGate, "silu-gate"},
      {OperatorCode::kRelu, "relu"},           {OperatorCode::kAdd, "add"}};
  ASSERT_EQ(operators.size(), std::size(names));
  for (size_t i = 0; i < operators.size(); ++i) {
    EXPECT_EQ(operators[i][0], absl::StrCat(static_cast<int>(names[i].first)));
    EXPECT_EQ(operators[i][1], names[i].second);
  }
  EXPECT_THAT(operators[3][2], HasSubstr(absl::StrCat("b = ", static_cast<int>(RopePairs::kInterleaved),
                                                      ": the pairs are elements (2i, 2i + 1); b = ",
                                                      static_cast<int>(RopePairs::kHalves), ": (i, i + d/2)")));
  EXPECT_THAT(operators[4][2], HasSubstr(absl::StrCat("a width of at most ", kMaxHeadWidth)));
}

TEST_F(FormatDocTest, Signature) {
  const absl::string_view section = From("## 12. SIGNATURE");
  const TableRows parts = TableBelow(section, "| Part | Size |");
  ASSERT_EQ(parts.size(), 6u);
  EXPECT_EQ(parts[0][1], absl::StrCat(kSignatureHeadSize, " bytes"));
  EXPECT_EQ(parts[3][1], absl::StrCat(kSignatureSize, " bytes for each key of the last key set"));
  EXPECT_EQ(parts[4][1], absl::StrCat(kDigestSize, " bytes for each object"));
  ExpectSays(absl::StrCat("BLAKE2s with ", kDigestSize, " bytes"));
  ExpectSays(absl::StrCat("zeros up to ", kLabelSize));

  const NamedField fields[] = {{"vault_id", kVaultIdField},
                               {"version", kVaultVersionField},
                               {"not_before", kNotBeforeField},
                               {"not_after", kNotAfterField},
                               {"objects_digest", kObjectsDigestField},
                               {"key_sets_size", kKeySetsSizeField},
                               {"tenants_size", kTenantsSizeField},
                               {"key_set_count", kKeySetCountField},
                               {"tenant_count", kTenantCountField},
                               {"tile_log2", kTileLog2Field},
                               {"reserved", kSignatureReservedField}};
  const TableRows head = TableBelow(section, "| Offset | Size | Field | Valid |");
  ASSERT_EQ(head.size(), std::size(fields));
  EXPECT_EQ(SizeOfFields(head), kSignatureHeadSize);
  for (size_t i = 0; i < head.size(); ++i) {
    EXPECT_EQ(head[i][0], absl::StrCat(fields[i].place.offset)) << fields[i].name;
    EXPECT_EQ(head[i][1], absl::StrCat(fields[i].place.size)) << fields[i].name;
    EXPECT_EQ(head[i][2], fields[i].name);
  }
  EXPECT_EQ(head[7][3], absl::StrCat("1 … ", kMaxKeySets));
  EXPECT_THAT(head[9][3], HasSubstr(absl::StrCat(kMinTileLog2, " … ", kMaxTileLog2, ": ")));

  const TableRows set = TableBelow(section, "| Size | Field | Valid |");
  ASSERT_EQ(set.size(), 6u);
  const FieldPlace set_fields[] = {kKeySetNumberField, kKeySetThresholdField, kKeySetKeyCountField, kKeySetZeroField};
  uint32_t end = 0;
  for (size_t i = 0; i < std::size(set_fields); ++i) {
    EXPECT_EQ(set_fields[i].offset, end);
    EXPECT_EQ(set[i][0], absl::StrCat(set_fields[i].size));
    end += set_fields[i].size;
  }
  EXPECT_EQ(end, kKeySetHeadSize);
  EXPECT_EQ(set[2][2], absl::StrCat("1 … ", kMaxKeys));
  EXPECT_EQ(set[4][0], absl::StrCat(kPublicKeySize, " each"));
  EXPECT_EQ(set[5][0], absl::StrCat(kSignatureSize, " each"));
}

TEST_F(FormatDocTest, Tenants) {
  const absl::string_view section = From("## 13. Tenants");
  EXPECT_THAT(
      TableBelow(From("## 12. SIGNATURE"), "| Offset | Size | Field | Valid |")[8][3],
      HasSubstr(absl::StrCat("0 … ", kMaxTenants, "; not 0 exactly with features bit ", Log2(kFeatureTenants))));
  const TableRows tenant = TableBelow(section, "| Size | Tenant | Valid |");
  ASSERT_EQ(tenant.size(), 9u);
  const FieldPlace fields[] = {kTenantFlagsField, kTenantPrefixSizeField, kTenantGroupCountField,
                               kTenantZeroField,  kTenantKeyField,        kTenantContentIdField};
  uint32_t end = 0;
  for (size_t i = 0; i < std::size(fields); ++i) {
    EXPECT_EQ(fields[i].offset, end);
    EXPECT_EQ(tenant[i][0], absl::StrCat(fields[i].size));
    end += fields[i].size;
  }
  EXPECT_EQ(end, kTenantHeadSize);
  EXPECT_THAT(tenant[0][2], HasSubstr(absl::StrCat("bit ", Log2(kTenantSealed), ": its variants are sealed")));
  EXPECT_EQ(tenant[1][2], absl::StrCat("1 … ", kMaxTenantPrefixSize));
  EXPECT_THAT(tenant[2][2], HasSubstr(absl::StrCat("0 … ", kMaxTenantGroups, ";")));
  EXPECT_EQ(tenant[7][0], absl::StrCat(kTenantGroupSize, " each"));
  EXPECT_EQ(tenant[8][0], absl::StrCat(kSignatureSize));
  const TableRows group = TableBelow(section, "| Size | Group | |");
  ASSERT_EQ(group.size(), 3u);
  EXPECT_EQ(group[0][0], absl::StrCat(kTenantGroupIdSize));
  EXPECT_EQ(group[1][0], absl::StrCat(kPublicKeySize));
  EXPECT_EQ(group[2][0], absl::StrCat(kSecretKeySize + kTagSize));
  EXPECT_EQ(kTenantGroupIdSize + kPublicKeySize + kSecretKeySize + kTagSize, kTenantGroupSize);
  EXPECT_THAT(section, AllOf(HasSubstr(absl::StrCat("a tag of ", kTagSize, " bytes")),
                             HasSubstr(absl::StrCat("a **salt** of ", kSealSaltSize, " bytes")),
                             HasSubstr(absl::StrCat("as ", kSealedNameDigits, " lowercase")),
                             HasSubstr(absl::StrCat("The sealed blob, ", kSealedBlobExtra, " bytes longer")),
                             HasSubstr(absl::StrCat("`", std::string(1, kSealedMark), "`"))));
}

TEST_F(FormatDocTest, Tokenizer) {
  const TableRows head = TableBelow(From("**Tokenizer**"), "| Offset | Size | Field | Valid |");
  ASSERT_EQ(head.size(), 8u);
  EXPECT_EQ(SizeOfFields(head), kTokenizerHeadSize);
  for (const size_t row : {2, 3, 4}) EXPECT_THAT(head[row][3], HasSubstr(absl::StrCat(Grouped(kNoToken), ": none")));
  EXPECT_THAT(head[5][3], HasSubstr(absl::StrCat("bit ", Log2(kTokenizerLeadingSpace), ": ")));
  EXPECT_EQ(kTokenEntrySize, 4u);
  EXPECT_EQ(kPieceEntrySize, 2u + 2u);
  ExpectSays(
      absl::StrCat("(the lower ", kTokenOffsetBits, " bits) and their number (the upper ", 32 - kTokenOffsetBits));
}

TEST_F(FormatDocTest, Dtypes) {
  struct Named {
    const char* name;
    DType dtype;
    unsigned size;
  };
  const Named dtypes[] = {{"opaque", DType::kOpaque, 1}, {"BOOL", DType::kBool, 1}, {"U8", DType::kU8, 1},
                          {"I8", DType::kI8, 1},         {"I16", DType::kI16, 2},   {"U16", DType::kU16, 2},
                          {"I32", DType::kI32, 4},       {"U32", DType::kU32, 4},   {"I64", DType::kI64, 8},
                          {"U64", DType::kU64, 8},       {"F16", DType::kF16, 2},   {"BF16", DType::kBf16, 2},
                          {"F32", DType::kF32, 4},       {"F64", DType::kF64, 8}};
  ASSERT_EQ(std::size(dtypes), kDTypeCount);
  std::vector<std::string> list;
  for (const Named& d : dtypes) {
    list.push_back(absl::StrCat(static_cast<int>(d.dtype), " ", d.name));
    EXPECT_EQ(ElementSize(static_cast<uint8_t>(d.dtype)), d.size) << d.name;
  }
  const TableRows rows = TableBelow(document_, "| Size | Field | Meaning |");
  ASSERT_GT(rows.size(), 7u);
  EXPECT_THAT(rows[0], ElementsAre("1", "dtype", absl::StrJoin(list, ", ")));
}

TEST_F(FormatDocTest, Model) {
  const TableRows rows = TableBelow(document_, "| Size | Field | Meaning |");
  ASSERT_EQ(rows.size(), 8u);
  EXPECT_EQ(rows[3][1], "flags");
  EXPECT_THAT(rows[3][2],
              HasSubstr(absl::StrCat("bit ", Log2(kFlagDictionary), " dictionary, bit ", Log2(kFlagRowPrior),
                                     " row prior, bit ", Log2(kFlagColumnPrior), " column prior; others zero")));
  EXPECT_EQ(rows[4][1], "level");
  EXPECT_THAT(rows[4][2], HasSubstr(absl::StrCat("0 … ", kLevelCount - 1)));
  EXPECT_EQ(rows[5][1], "tables");
  EXPECT_THAT(rows[5][2], HasSubstr(absl::StrCat(kRawPlane, " = raw bytes")));
  EXPECT_EQ(rows[6][1], "dictionary_rows");
  EXPECT_THAT(rows[6][2], HasSubstr(absl::StrCat("1 … ", kMaxDictionaryRows)));
  ExpectSays(absl::StrCat("`varint table_count` (≤ ", kMaxTables, ")"));
  ExpectSays(absl::StrCat("its code length, 1 … ", kMaxCodeLength, ", or 0 if it does not occur"));
  ExpectSays(absl::StrCat("has 1 ≤ cols ≤ ", Grouped(kMaxPriorColumns)));
  ExpectSays(absl::StrCat("refers to at most ", kMaxTablesPerTensor, " different tables"));
}

TEST_F(FormatDocTest, Base) {
  ExpectSays(absl::StrCat(kSkipOn, ": that many, and another skip follows"));
  ExpectSays("as many raw bits as dictionary_rows − 1 has");
}

TEST_F(FormatDocTest, Modes) {
  const std::pair<TensorMode, const char*> modes[] = {{TensorMode::kSame, "same"},  {TensorMode::kGap, "gap"},
                                                      {TensorMode::kSign, "sign"},  {TensorMode::kResidual, "residual"},
                                                      {TensorMode::kRaw, "raw"},    {TensorMode::kGapFlat, "gap-flat"},
                                                      {TensorMode::kPlain, "plain"}};
  const TableRows rows = TableBelow(document_, "| Mode | Name |");
  ASSERT_EQ(rows.size(), kTensorModeCount);
  ASSERT_EQ(std::size(modes), kTensorModeCount);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i][0], absl::StrCat(static_cast<int>(modes[i].first)));
    EXPECT_EQ(rows[i][1], modes[i].second);
  }
  ExpectSays(absl::StrCat("Modes ", static_cast<int>(TensorMode::kGap), ", ", static_cast<int>(TensorMode::kSign), ", ",
                          static_cast<int>(TensorMode::kGapFlat), " need dtype I8"));
}

TEST_F(FormatDocTest, Rans) {
  ExpectSays(absl::StrCat("if `x < 2^", Log2(kRansLow), "`"));
  ExpectSays(absl::StrCat("leaves `x = 2^", Log2(kRansLow), "`"));
  const AdaptiveBit bit;
  EXPECT_EQ(bit.count(), 0u);
  ExpectSays(absl::StrCat("(16 bits, starts at ", Grouped(bit.one()), ") and a count `c` (starts at 0)"));
  ExpectSays("`p >> 4`, raised to 1");
  // The rates: fifteen are listed, "then 5 (16 times), then 6".
  const uint8_t* const rate = AdaptiveBit::kRate;
  ExpectSays(absl::StrCat("rate = ", absl::StrJoin(rate, rate + 15, ","), ", then ", rate[15], " (16 times), then ",
                          rate[31]));
  EXPECT_EQ(std::count(rate + 15, rate + 31, rate[15]), 16);
  AdaptiveBit ones;
  for (int i = 0; i < 100; ++i) ones.Update(true);
  EXPECT_EQ(ones.count(), 31u);
  ExpectSays("`c = min(c + 1, 31)`");
}

TEST_F(FormatDocTest, Deltas) {
  ExpectSays(absl::StrCat("cut into strips of ", kStripSize, " bytes"));
  ExpectSays(absl::StrCat("one for each ", kGroupSize, " weights of the tensor"));
  EXPECT_EQ(kGroupSize, 1u << kGroupShift);
  ExpectSays(absl::StrCat("`min(level/2, ", kMagnitudeContexts - 1, ")`"));
  ExpectSays(absl::StrCat("a level l in 0 … ", kLevelCount - 1));
  ExpectSays(absl::StrCat("`l = min(", kLevelCount - 1, ", t + step[row class i] + step[column class j])`"));
  ExpectSays(absl::StrCat("step[c] = 2·c for c < ", kClassCount - 1, " and ", ClassStep(kClassCount - 1),
                          " for c = ", kClassCount - 1));
  for (unsigned c = 0; c + 1 < kClassCount; ++c) EXPECT_EQ(ClassStep(c), 2 * c);
  ExpectSays("`s = 0` for l ≤ 20, else `ceil((l−20)/4)`; symbol q of gap table `l − 4·s`");
  for (unsigned level = 0; level < kLevelCount; ++level) {
    const unsigned shift = level <= 20 ? 0 : static_cast<unsigned>(std::ceil((level - 20) / 4.0));
    EXPECT_EQ(GapShift(level), shift);
    EXPECT_EQ(GapTable(level), level - 4 * shift);
    EXPECT_LT(GapTable(level), kGapTableCount);
  }
  ExpectSays(absl::StrCat("(", kProbabilityBits, " bits, ", kGapSymbolCount, " symbols)"));
  ExpectSays(absl::StrCat("q = ", kGapSymbolCount - 1, " repeats"));
  ExpectSays(absl::StrCat("The ", kGapTableCount, " gap tables"));
}

TEST_F(FormatDocTest, HexDumpsAreFound) {
  const std::string page =
      "text\n```\n000000 ff\n```\n```hex\n000000 4d 56  >MV<\n000010 00 0a ff  >. 00<\n```\nmore\n```hex\n"
      "000100 01\n000101\n```\n";
  EXPECT_THAT(DumpedBytes(page), ElementsAre(Pair(0x0, 0x4D), Pair(0x1, 0x56), Pair(0x10, 0x00), Pair(0x11, 0x0A),
                                             Pair(0x12, 0xFF), Pair(0x100, 0x01)));
}

TEST_F(FormatDocTest, UpdatePatch) {
  const TableRows rows = TableBelow(std::string(From("## 15. Update patch")), "| Offset | Size | Field |");
  ASSERT_EQ(rows.size(), 13u);
  std::vector<std::string> magic;
  for (const uint8_t byte : kPatchMagic) magic.push_back(absl::StrCat(absl::Hex(byte, absl::kZeroPad2)));
  EXPECT_THAT(rows[0][3], HasSubstr(absl::AsciiStrToUpper(absl::StrJoin(magic, " "))));
  EXPECT_THAT(rows[1][3], HasSubstr(absl::StrCat(kMinPatchBlock, " … 2^", Log2(kMaxPatchBlock))));
  EXPECT_THAT(rows[2][3], HasSubstr(absl::StrCat("1 … 2^", Log2(kMaxPatchedSize))));
  EXPECT_THAT(rows[3][3], HasSubstr(absl::StrCat("1 … 2^", Log2(kMaxPatchedSize))));
  const std::vector<std::pair<uint32_t, std::string>> fields = {
      {kPatchOldDigestOffset, "old_digest"},     {kPatchNewDigestOffset, "new_digest"},
      {kPatchVaultIdOffset, "vault_id"},         {kPatchVersionOffset, "version"},
      {kPatchVaultDigestOffset, "vault_digest"}, {kPatchFlagsOffset, "flags"},
      {kPatchReservedOffset, "reserved"},        {kPatchChecksumOffset, "header_checksum"}};
  for (size_t i = 0; i < fields.size(); ++i) {
    EXPECT_EQ(rows[5 + i][0], absl::StrCat(fields[i].first));
    EXPECT_EQ(rows[5 + i][2], fields[i].second);
  }
  EXPECT_EQ(kPatchHeaderSize, kPatchChecksumOffset + 8);
}

TEST_F(FormatDocTest, RevocationList) {
  const auto expect_fields = [&](const std::string& heading, const std::vector<NamedField>& fields, size_t size) {
    const TableRows rows = TableBelow(document_, heading);
    ASSERT_EQ(rows.size(), fields.size());
    uint32_t end = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_THAT(rows[i], ElementsAre(absl::StrCat(fields[i].place.offset), absl::StrCat(fields[i].place.size),
                                       fields[i].name, testing::_));
      EXPECT_EQ(fields[i].place.offset, end) << "a gap before " << fields[i].name;
      end = fields[i].place.offset + fields[i].place.size;
    }
    EXPECT_EQ(end, size);
  };
  expect_fields("| Offset | Size | Revocation list |",
                {{"magic", kRevocationMagicField},
                 {"vault_id", kRevocationVaultIdField},
                 {"number", kRevocationNumberField},
                 {"count", kRevocationCountField},
                 {"signature_count", kRevocationSignatureCountField},
                 {"key_set", kRevocationKeySetField}},
                kRevocationHeadSize);
  expect_fields("| Offset | Size | Entry |",
                {{"kind", kRevocationKindField}, {"below", kRevocationBelowField}, {"what", kRevocationWhatField}},
                kRevocationEntrySize);
  std::vector<std::string> magic;
  for (const uint8_t byte : kRevocationMagic) magic.push_back(absl::StrCat(absl::Hex(byte, absl::kZeroPad2)));
  ExpectSays(absl::StrCat("`", absl::AsciiStrToUpper(absl::StrJoin(magic, " ")), "`"));
  ExpectSays(absl::StrCat("at most ", Grouped(kMaxRevocationListSize), " bytes, so that one sector"));
  ExpectSays(absl::StrCat("entries, 0 … ", kMaxRevocations));
  ExpectSays(absl::StrCat("1 … ", kMaxKeys, ": keys of the key set that signs"));
  ExpectSays(absl::StrCat(static_cast<uint32_t>(RevocationKind::kVariant), " a variant, ",
                          static_cast<uint32_t>(RevocationKind::kTenant), " a tenant"));
  EXPECT_EQ(kBelowEveryVersion + 1, 0u);
  // The most entries fill a sector beside one signature.
  EXPECT_EQ(kRevocationHeadSize + kMaxRevocations * kRevocationEntrySize + 64, kMaxRevocationListSize);
}

}  // namespace
}  // namespace modelvault
