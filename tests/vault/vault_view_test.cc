#include "vault/core/vault_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/temp_folder.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

// Bytes in an allocation of exactly their size, so that a sanitizer sees a read past their end.
class Exact {
 public:
  explicit Exact(const std::string& bytes) : size_(bytes.size()), data_(new uint8_t[bytes.size()]) {
    if (size_ > 0) std::memcpy(data_.get(), bytes.data(), size_);
  }
  ByteView view() const { return {data_.get(), size_}; }

 private:
  const size_t size_;
  const std::unique_ptr<uint8_t[]> data_;
};

ByteView View(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

std::string SmallVault(size_t variants, const VaultWriterOptions& options = {}) {
  const TempFolder folder;
  EXPECT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), MakeTestContents(1, variants), options), IsOk());
  return folder.Read("v");
}

CoreStatus Parse(const std::string& vault, uint64_t storage_size, VaultHeader* header, uint32_t* bad_field = nullptr) {
  const Exact bytes(vault.substr(0, 256));
  return ParseHeader(bytes.view(), storage_size, header, bad_field);
}

TEST(ParseHeaderTest, ReadsEveryField) {
  const TestContents contents = MakeTestContents(1, 4);
  const std::string vault = SmallVault(4);
  VaultHeader header;
  ASSERT_EQ(Parse(vault, vault.size(), &header), CoreStatus::kOk);
  EXPECT_EQ(header.features, 0u);
  EXPECT_EQ(header.file_size, vault.size());
  EXPECT_EQ(header.chunk_size, 256u);
  EXPECT_EQ(header.segment_size, 4096u);
  EXPECT_EQ(header.base_data_size, 1000u);
  EXPECT_EQ(header.base_xxh64, contents.base_digests.xxh64);
  EXPECT_EQ(std::string(header.base_xxh3, header.base_xxh3 + 16),
            std::string(contents.base_digests.xxh3.begin(), contents.base_digests.xxh3.end()));
  EXPECT_EQ(header.tensor_count, 3u);
  EXPECT_EQ(header.variant_count, 4u);
  EXPECT_EQ(header.section(Section::kModel).offset, 256u);
  EXPECT_EQ(header.section(Section::kModel).size, contents.model.size());
  EXPECT_EQ(header.section(Section::kManifest).end(), vault.size());
  EXPECT_EQ(header.chunk_count(), 4u);
  EXPECT_EQ(header.chunk_raw_size(0), 256u);
  EXPECT_EQ(header.chunk_raw_size(3), 232u);
}

TEST(ParseHeaderTest, AcceptsStorageLargerThanTheVault) {
  const std::string vault = SmallVault(1);
  VaultHeader header;
  EXPECT_EQ(Parse(vault, vault.size() + (1 << 20), &header), CoreStatus::kOk);
  EXPECT_EQ(header.file_size, vault.size());
}

TEST(ParseHeaderTest, RefusesEveryTruncationOfTheHeader) {
  const std::string vault = SmallVault(1);
  VaultHeader header;
  for (size_t size = 0; size < 256; ++size) {
    EXPECT_EQ(Parse(vault.substr(0, size), vault.size(), &header), CoreStatus::kTruncated) << size;
    EXPECT_EQ(Parse(vault, size, &header), CoreStatus::kTruncated) << size;
  }
  EXPECT_EQ(Parse("no", 2, &header), CoreStatus::kBadMagic);
}

TEST(ParseHeaderTest, NamesTheFieldAtFault) {
  const std::string vault = SmallVault(2);
  struct Case {
    const char* what;
    std::function<void(std::string*)> edit;
    CoreStatus status;
    uint32_t field;
    bool repair = true;
  };
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  const auto set8 = [](size_t at, uint64_t value) { return [=](std::string* v) { Store<uint64_t>(v, at, value); }; };
  const auto set4 = [](size_t at, uint32_t value) { return [=](std::string* v) { Store<uint32_t>(v, at, value); }; };
  const auto set1 = [](size_t at, uint8_t value) { return [=](std::string* v) { Store<uint8_t>(v, at, value); }; };
  const uint64_t size = vault.size();
  const Case cases[] = {
      {"magic", set1(3, 't'), CoreStatus::kBadMagic, 0},
      {"text mode", [](std::string* v) { v->erase(4, 1); }, CoreStatus::kBadMagic, 0, false},
      {"major before", set1(8, 0), CoreStatus::kUnknownVersion, 8},
      {"major after", set1(8, 2), CoreStatus::kUnknownVersion, 8},
      {"checksum", set1(248, 0), CoreStatus::kChecksumMismatch, 248, false},
      {"feature of 1.1 in 1.0", set4(12, 4), CoreStatus::kUnknownVersion, 12},
      {"feature", set4(12, 0x80000000), CoreStatus::kUnknownVersion, 12},
      {"file size", set8(16, size + 1), CoreStatus::kTruncated, 16},
      {"file size", set8(16, kMax), CoreStatus::kTruncated, 16},
      {"file size", set8(16, size - 1), CoreStatus::kBadSection, 72 + 4 * 24},
      {"chunk size", set4(24, 0), CoreStatus::kBadHeader, 24},
      {"chunk size", set4(24, 128), CoreStatus::kBadHeader, 24},
      {"chunk size", set4(24, 257), CoreStatus::kBadHeader, 24},
      {"chunk size", set4(24, (1 << 24) + 256), CoreStatus::kBadHeader, 24},
      {"segment size", set4(28, 2048), CoreStatus::kBadHeader, 28},
      {"segment size", set4(28, 4097), CoreStatus::kBadHeader, 28},
      {"segment size", set4(28, (1 << 24) + 256), CoreStatus::kBadHeader, 28},
      {"base size", set8(32, (uint64_t{1} << 60) + 1), CoreStatus::kBadHeader, 32},
      {"base size", set8(32, 1025), CoreStatus::kBadSection, 72 + 24},
      {"base size", set8(32, 768), CoreStatus::kBadSection, 72 + 24},
      {"free layouts without the feature", set1(216, 1), CoreStatus::kBadHeader, 216},
      {"NETWORK's offset without the feature", set1(220, 1), CoreStatus::kBadHeader, 220},
      {"NETWORK's checksum without the feature", set1(243, 1), CoreStatus::kBadHeader, 220},
      {"reserved", set1(244, 1), CoreStatus::kBadHeader, 244},
      {"reserved", set1(247, 1), CoreStatus::kBadHeader, 244},
      {"MODEL over the header", set8(72, 248), CoreStatus::kBadSection, 72},
      {"MODEL unaligned", set8(72, 257), CoreStatus::kBadSection, 72},
      {"MODEL at an even offset", set8(72, 258), CoreStatus::kBadSection, 72},
      {"MODEL past the end", set8(72, (size + 8) & ~uint64_t{7}), CoreStatus::kBadSection, 72},
      {"MODEL at the end of 64 bits", set8(72, kMax - 7), CoreStatus::kBadSection, 72},
      {"MODEL too long", set8(80, kMax - 200), CoreStatus::kBadSection, 72},
      {"MODEL into CHUNKS", set8(80, 41), CoreStatus::kBadSection, 72 + 24},
      {"CHUNKS before MODEL", set8(72 + 24, 256), CoreStatus::kBadSection, 72 + 24},
      {"BASE empty", set8(72 + 48 + 8, 0), CoreStatus::kBadSection, 72 + 48},
      {"BASE under a byte a chunk", set8(72 + 48 + 8, 3), CoreStatus::kBadSection, 72 + 48},
      {"variants", set4(68, 0xFFFFFFFF), CoreStatus::kBadSection, 72 + 72},
      {"variants", set4(68, 3), CoreStatus::kBadSection, 72 + 72},
      {"variants", set4(68, 0), CoreStatus::kBadSection, 72 + 72},
      {"wide chunks", set4(12, 1), CoreStatus::kBadSection, 72 + 24},
      {"MANIFEST short of the end", set8(72 + 96 + 8, 8), CoreStatus::kBadSection, 16},
      {"SIGNATURE offset", set1(72 + 120, 8), CoreStatus::kBadHeader, 72 + 120},
      {"SIGNATURE checksum", set1(72 + 120 + 23, 1), CoreStatus::kBadHeader, 72 + 120},
  };
  for (const Case& c : cases) {
    std::string forged = vault;
    c.edit(&forged);
    if (c.repair) RepairChecksums(&forged);
    VaultHeader header;
    uint32_t field = 999;
    EXPECT_EQ(Parse(forged, vault.size(), &header, &field), c.status) << c.what;
    EXPECT_EQ(field, c.field) << c.what;
  }
}

TEST(ParseHeaderTest, FreeLayoutsTakeVersion11) {
  const std::string vault = SmallVault(2);
  const auto parse = [&](uint16_t minor, uint32_t features, uint32_t most, uint32_t* field) {
    std::string forged = vault;
    Store<uint16_t>(&forged, 10, minor);
    Store<uint32_t>(&forged, 12, features);
    Store<uint32_t>(&forged, 216, most);
    RepairChecksums(&forged);
    VaultHeader header;
    const CoreStatus status = Parse(forged, vault.size(), &header, field);
    if (status == CoreStatus::kOk) {
      EXPECT_EQ(header.max_variant_tensors, most);
      EXPECT_EQ(header.version_minor(), features == 4 ? 1 : 0);
    }
    return status;
  };
  uint32_t field;
  EXPECT_EQ(parse(1, 0, 0, &field), CoreStatus::kOk);
  EXPECT_EQ(parse(1, 4, 1, &field), CoreStatus::kOk);
  EXPECT_EQ(parse(1, 4, 1 << 20, &field), CoreStatus::kOk);
  EXPECT_EQ(parse(1, 4, (1 << 20) + 1, &field), CoreStatus::kBadHeader);
  EXPECT_EQ(field, 216u);
  EXPECT_EQ(parse(1, 4, 0, &field), CoreStatus::kBadHeader);
  EXPECT_EQ(field, 216u);
  EXPECT_EQ(parse(1, 0, 1, &field), CoreStatus::kBadHeader);
  EXPECT_EQ(parse(1, 8, 0, &field), CoreStatus::kUnknownVersion);
  EXPECT_EQ(field, 12u);
  EXPECT_EQ(parse(0, 4, 1, &field), CoreStatus::kUnknownVersion);
  EXPECT_EQ(field, 12u);
}

TEST(ParseHeaderTest, DescribedFramesTakeVersion13) {
  const std::string vault = SmallVault(2);
  const auto parse = [&](uint16_t minor, uint32_t features) {
    std::string forged = vault;
    Store<uint16_t>(&forged, 10, minor);
    Store<uint32_t>(&forged, 12, features);
    RepairChecksums(&forged);
    VaultHeader header;
    uint32_t field = 0;
    const CoreStatus status = Parse(forged, vault.size(), &header, &field);
    EXPECT_EQ(field == 12, status == CoreStatus::kUnknownVersion);
    if (status == CoreStatus::kOk) {
      EXPECT_EQ(header.version_minor(), features == 16 ? 3 : 0);
    }
    return status;
  };
  EXPECT_EQ(parse(3, 0), CoreStatus::kOk);
  EXPECT_EQ(parse(3, 16), CoreStatus::kOk);
  EXPECT_EQ(parse(2, 16), CoreStatus::kUnknownVersion);
  EXPECT_EQ(parse(3, 32), CoreStatus::kUnknownVersion);
}

TEST(ParseHeaderTest, HostCodingsTakeVersion15AndAReaderThatWantsThem) {
  const std::string vault = SmallVault(2);
  uint32_t field = 0;
  const auto parse = [&](uint16_t minor, uint32_t features, uint32_t refused) {
    std::string forged = vault;
    Store<uint16_t>(&forged, 10, minor);
    Store<uint32_t>(&forged, 12, features);
    RepairChecksums(&forged);
    VaultHeader header;
    const ByteView bytes = {reinterpret_cast<const uint8_t*>(forged.data()), forged.size()};
    const CoreStatus status = ParseHeader(bytes, forged.size(), &header, &field, refused);
    if (status == CoreStatus::kOk) {
      EXPECT_EQ(header.version_minor(), features == 128 ? 5 : 0);
      EXPECT_EQ(header.has_host_codings(), features == 128);
    }
    return status;
  };
  EXPECT_EQ(parse(5, 128, 0), CoreStatus::kOk);
  EXPECT_EQ(parse(5, 0, 0), CoreStatus::kOk);
  // A board's.
  EXPECT_EQ(parse(5, 128, kHostOnlyFeatures), CoreStatus::kUnknownVersion);
  EXPECT_EQ(field, 12u);
  EXPECT_EQ(parse(5, 0, kHostOnlyFeatures), CoreStatus::kOk);
  EXPECT_EQ(parse(4, 128, 0), CoreStatus::kUnknownVersion);
  EXPECT_EQ(field, 12u);
  // A network is for boards.
  EXPECT_EQ(parse(5, 136, 0), CoreStatus::kBadHeader);
  EXPECT_EQ(field, 12u);
}

TEST(ParseHeaderTest, ALaterMinorVersionIsReadIfItsFeaturesAreKnown) {
  const std::string vault = SmallVault(2);
  const auto parse = [&](uint16_t minor, uint32_t features, uint32_t* field) {
    std::string forged = vault;
    Store<uint16_t>(&forged, 10, minor);
    Store<uint32_t>(&forged, 12, features);
    RepairChecksums(&forged);
    VaultHeader header;
    return Parse(forged, vault.size(), &header, field);
  };
  uint32_t field = 0;
  for (const uint16_t minor : {uint16_t{5}, uint16_t{99}, uint16_t{0xFFFF}}) {
    EXPECT_EQ(parse(minor, 16, &field), CoreStatus::kOk);
    EXPECT_EQ(parse(minor, 256, &field), CoreStatus::kUnknownVersion);
    EXPECT_EQ(field, 12u);
    // Tenants of nobody: there is no SIGNATURE.
    EXPECT_EQ(parse(minor, 64, &field), CoreStatus::kBadHeader);
    EXPECT_EQ(field, 12u);
  }
}

TEST(ParseHeaderTest, ANetworkTakesVersion12AndLiesBetweenBaseAndBlobs) {
  const TempFolder folder;
  TestContents contents = MakeTestContents(1, 2);
  contents.network = "a network";
  ASSERT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), contents), IsOk());
  const std::string vault = folder.Read("v");
  VaultHeader header;
  ASSERT_EQ(Parse(vault, vault.size(), &header), CoreStatus::kOk);
  EXPECT_EQ(header.version_minor(), 2);
  EXPECT_TRUE(header.has_network());
  const SectionPlace network = header.section(Section::kNetwork);
  EXPECT_EQ(network.size, 9u);
  EXPECT_EQ(network.offset, (header.section(Section::kBase).end() + 3) / 4 * 4);
  EXPECT_EQ(header.blobs_begin(), network.end());

  const auto parse = [&](const std::function<void(std::string*)>& edit, uint32_t* field) {
    std::string forged = vault;
    edit(&forged);
    RepairChecksums(&forged);
    return Parse(forged, vault.size(), &header, field);
  };
  const auto set8 = [](size_t at, uint64_t value) { return [=](std::string* v) { Store<uint64_t>(v, at, value); }; };
  uint32_t field = 999;
  // A vault with both needs both.
  EXPECT_EQ(parse(
                [](std::string* v) {
                  Store<uint32_t>(v, 12, 12);
                  Store<uint32_t>(v, 216, 1);
                },
                &field),
            CoreStatus::kOk);
  EXPECT_EQ(header.version_minor(), 2);
  EXPECT_EQ(parse([](std::string* v) { Store<uint16_t>(v, 10, 1); }, &field), CoreStatus::kUnknownVersion);
  EXPECT_EQ(field, 12u);
  EXPECT_EQ(parse([](std::string* v) { Store<uint32_t>(v, 12, 0); }, &field), CoreStatus::kBadHeader);
  EXPECT_EQ(field, 220u);
  for (const auto& bad :
       {set8(228, 0), set8(220, network.offset + 1), set8(220, network.offset - 4), set8(220, vault.size() + 4),
        set8(228, vault.size()), set8(228, ~uint64_t{0}), set8(220, 0)}) {
    EXPECT_EQ(parse(bad, &field), CoreStatus::kBadSection);
    EXPECT_EQ(field, 220u);
  }
  // Into INDEX, which is then at fault.
  const size_t index = header.section(Section::kIndex).offset;
  EXPECT_EQ(parse(set8(228, index - network.offset + 1), &field), CoreStatus::kBadSection);
  EXPECT_EQ(field, 72u + 72);

  // No blob begins before NETWORK ends.
  ASSERT_EQ(Parse(vault, vault.size(), &header), CoreStatus::kOk);
  std::string forged = vault;
  Store<uint32_t>(&forged, index + 8, static_cast<uint32_t>(network.offset));
  IndexView view;
  ASSERT_EQ(view.Open(header, View(forged).Sub(index, header.section(Section::kIndex).size)), CoreStatus::kOk);
  EXPECT_EQ(view.Validate(), CoreStatus::kBadIndex);
}

// What callers see of each structure before anything is read into it.
TEST(VaultViewTest, EverythingIsEmptyUntilItIsRead) {
  const VaultHeader header;
  EXPECT_EQ(header.features, 0u);
  EXPECT_EQ(header.file_size, 0u);
  EXPECT_EQ(header.chunk_size, 0u);
  EXPECT_EQ(header.segment_size, 0u);
  EXPECT_EQ(header.base_data_size, 0u);
  EXPECT_EQ(header.base_xxh64, 0u);
  EXPECT_EQ(header.tensor_count, 0u);
  EXPECT_EQ(header.variant_count, 0u);
  EXPECT_EQ(header.max_variant_tensors, 0u);
  for (const SectionPlace& place : header.sections) {
    EXPECT_EQ(place.end(), 0u);
    EXPECT_EQ(place.checksum, 0u);
  }
  EXPECT_FALSE(header.has_network());
  EXPECT_EQ(header.blobs_begin(), 0u);
  const ChunkPlace chunk;
  EXPECT_EQ(chunk.offset + chunk.size + chunk.checksum32, 0u);
  const VariantEntry entry;
  EXPECT_EQ(entry.name_hash + entry.checksum32 + entry.offset + entry.size + entry.xxh64 + entry.name.size, 0u);
  const IndexView index;
  EXPECT_EQ(index.count(), 0u);
  VariantEntry found;
  IndexView::Cursor cursor = index.Begin();
  EXPECT_EQ(cursor.next, 0u);
  EXPECT_EQ(index.Next(&cursor, &found), CoreStatus::kNotFound);
  EXPECT_EQ(index.Find(View("a"), &found), CoreStatus::kNotFound);
  const BlobHead head;
  EXPECT_FALSE(head.has_directory);
  EXPECT_EQ(head.directory.size + head.segment_count + head.head_size, 0u);
  const SegmentPlace segment;
  EXPECT_EQ(segment.offset + segment.size + segment.checksum32, 0u);
}

TEST(ParseHeaderTest, TakesTheLeastAndTheMostOfEachSize) {
  const std::string vault = SmallVault(2);
  VaultHeader header;
  for (const uint32_t segment_size : {1u << 12, 1u << 24}) {
    std::string edited = vault;
    Store<uint32_t>(&edited, 28, segment_size);
    RepairChecksums(&edited);
    EXPECT_EQ(Parse(edited, vault.size(), &header), CoreStatus::kOk) << segment_size;
    EXPECT_EQ(header.segment_size, segment_size);
  }
  // The directory has four entries; the size itself is in range.
  std::string edited = vault;
  Store<uint32_t>(&edited, 24, 1u << 24);
  RepairChecksums(&edited);
  uint32_t field = 999;
  EXPECT_EQ(Parse(edited, vault.size(), &header, &field), CoreStatus::kBadSection);
  EXPECT_EQ(field, 72u + 24);
  // Nor is the largest base out of range, but it has more chunks than are here.
  edited = vault;
  Store<uint64_t>(&edited, 32, uint64_t{1} << 60);
  RepairChecksums(&edited);
  EXPECT_EQ(Parse(edited, vault.size(), &header, &field), CoreStatus::kBadSection);
  EXPECT_EQ(field, 72u + 24);
}

TEST(FindChunkTest, FindsTheChunksOfBothProfiles) {
  const TestContents contents = MakeTestContents(1, 0);
  for (const bool wide : {false, true}) {
    const std::string vault = SmallVault(0, {.wide_chunks = wide});
    VaultHeader header;
    ASSERT_EQ(Parse(vault, vault.size(), &header), CoreStatus::kOk);
    const Exact chunks(vault.substr(SectionOffset(vault, 1), SectionSize(vault, 1)));
    uint64_t offset = 0;
    for (size_t c = 0; c < 4; ++c) {
      ChunkPlace place;
      ASSERT_EQ(FindChunk(header, chunks.view(), c, &place), CoreStatus::kOk);
      EXPECT_EQ(place.offset, offset);
      EXPECT_EQ(place.size, contents.chunks[c].size());
      EXPECT_EQ(place.checksum32, static_cast<uint32_t>(XXH64(contents.chunks[c].data(), place.size, 0)));
      offset += place.size;
    }
    ChunkPlace place;
    EXPECT_EQ(FindChunk(header, chunks.view(), 4, &place), CoreStatus::kBadArgument);
    EXPECT_EQ(FindChunk(header, {chunks.view().data, chunks.view().size - 1}, 0, &place), CoreStatus::kBadArgument);
  }
}

TEST(FindChunkTest, RefusesPlacesOutOfOrderOrOutOfBase) {
  VaultHeader header;
  header.chunk_size = 256;
  header.base_data_size = 768;
  header.section(Section::kBase).size = 100;
  for (const bool wide : {false, true}) {
    header.features = wide ? kFeatureWideChunks : 0;
    const auto find = [&](uint64_t a, uint64_t b, uint64_t c, uint64_t chunk) {
      std::string chunks;
      for (const uint64_t offset : {a, b, c}) {
        chunks.append(reinterpret_cast<const char*>(&offset), wide ? 8 : 4);
        chunks += "sum.";
      }
      const Exact bytes(chunks);
      ChunkPlace place;
      return FindChunk(header, bytes.view(), chunk, &place);
    };
    EXPECT_EQ(find(0, 10, 20, 0), CoreStatus::kOk);
    EXPECT_EQ(find(0, 10, 99, 2), CoreStatus::kOk);
    EXPECT_EQ(find(1, 10, 20, 0), CoreStatus::kBadChunk);
    EXPECT_EQ(find(0, 0, 20, 0), CoreStatus::kBadChunk);
    EXPECT_EQ(find(0, 20, 20, 1), CoreStatus::kBadChunk);
    EXPECT_EQ(find(0, 20, 10, 1), CoreStatus::kBadChunk);
    EXPECT_EQ(find(0, 10, 101, 1), CoreStatus::kBadChunk);
    EXPECT_EQ(find(0, 10, 100, 2), CoreStatus::kBadChunk);
    EXPECT_EQ(find(0, 10, 0xFFFFFFFF, 2), CoreStatus::kBadChunk);
    EXPECT_EQ(find(0, 0xFFFFFFFF, 20, 0), CoreStatus::kBadChunk);
  }
}

NameFault Check(const std::string& name) {
  const Exact bytes(name);
  return CheckVariantName(bytes.view());
}

TEST(VariantNameTest, AcceptsPrintableUtf8) {
  for (const std::string& name :
       {std::string("a"), std::string("claims-2024_v1.0"), std::string("a b"), std::string("Grüße"),
        std::string("部門"), std::string("\xF0\x9F\x98\x80"), std::string("..."), std::string(".hidden"),
        std::string("Base"), std::string("base2"), std::string(255, 'x'), std::string("\xED\x9F\xBF"),
        std::string("\xF4\x8F\xBF\xBF")}) {
    EXPECT_EQ(Check(name), NameFault::kNone) << name;
  }
}

TEST(VariantNameTest, SaysWhatIsWrong) {
  EXPECT_EQ(Check(""), NameFault::kEmpty);
  EXPECT_EQ(Check(std::string(256, 'x')), NameFault::kTooLong);
  EXPECT_EQ(Check(std::string(300, 'x')), NameFault::kTooLong);
  EXPECT_EQ(Check("."), NameFault::kReserved);
  EXPECT_EQ(Check(".."), NameFault::kReserved);
  EXPECT_EQ(Check("base"), NameFault::kReserved);
  EXPECT_EQ(Check("-x"), NameFault::kLeadingDash);
  EXPECT_EQ(Check("-"), NameFault::kLeadingDash);
  EXPECT_EQ(Check("a/b"), NameFault::kBadCharacter);
  EXPECT_EQ(Check("a\\b"), NameFault::kBadCharacter);
  EXPECT_EQ(Check(std::string("a\0b", 3)), NameFault::kBadCharacter);
  EXPECT_EQ(Check("a\n"), NameFault::kBadCharacter);
  EXPECT_EQ(Check("\x7F"), NameFault::kBadCharacter);
  EXPECT_EQ(Check("\xC2\x85"), NameFault::kBadCharacter);  // U+0085, a control character
  // Overlong, surrogate, past U+10FFFF, cut, stray.
  for (const char* name :
       {"\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xC3", "a\xE2\x82", "\xF0\x9F\x98", "\x80", "\xE2\x28\xA1", "\xFF"}) {
    EXPECT_EQ(Check(name), NameFault::kNotUtf8) << testing::PrintToString(std::string(name));
  }
}

// An index made by hand: each entry's hash may be forged, to get names to collide.
struct HandEntry {
  std::string name;
  uint64_t offset = 512;
  uint64_t size = 8;
  int64_t hash = -1;  // -1: the right one
  uint64_t mark = 0;  // As the digest, to tell entries apart.
};

struct HandIndex {
  VaultHeader header;
  std::string bytes;
};

HandIndex MakeIndex(const std::vector<HandEntry>& entries, bool wide) {
  HandIndex index;
  index.header.features = wide ? kFeatureWideIndex : 0;
  index.header.variant_count = static_cast<uint32_t>(entries.size());
  index.header.section(Section::kBase) = {.offset = 400, .size = 100, .checksum = 0};
  const auto append = [&](uint64_t value, size_t size) {
    index.bytes.append(reinterpret_cast<const char*>(&value), size);
  };
  for (const HandEntry& entry : entries) {
    const uint32_t right = static_cast<uint32_t>(XXH64(entry.name.data(), entry.name.size(), 0));
    append(entry.hash < 0 ? right : static_cast<uint32_t>(entry.hash), 4);
    append(7, 4);
    append(entry.offset, wide ? 8 : 4);
    append(entry.size, wide ? 8 : 4);
    append(entry.mark, 8);
    append(entry.mark, 8);
    append(0, 8);
  }
  for (const HandEntry& entry : entries) {
    append(entry.name.size(), 1);
    index.bytes += entry.name;
  }
  index.header.section(Section::kIndex) = {.offset = 1024, .size = index.bytes.size(), .checksum = 0};
  return index;
}

std::vector<HandEntry> SortedEntries(std::vector<std::string> names) {
  std::vector<HandEntry> entries;
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return static_cast<uint32_t>(XXH64(a.data(), a.size(), 0)) < static_cast<uint32_t>(XXH64(b.data(), b.size(), 0));
  });
  for (const std::string& name : names) {
    entries.push_back({.name = name, .offset = 512 + 8 * (entries.size() % 64), .mark = entries.size()});
  }
  return entries;
}

CoreStatus Validate(const HandIndex& index, uint32_t* bad_entry = nullptr) {
  const Exact bytes(index.bytes);
  IndexView view;
  const CoreStatus status = view.Open(index.header, bytes.view());
  return status == CoreStatus::kOk ? view.Validate(bad_entry) : status;
}

TEST(IndexViewTest, FindsEachVariantAndNoOther) {
  for (const bool wide : {false, true}) {
    for (const size_t count : {0, 1, 2, 3, 100}) {
      std::vector<std::string> names;
      for (size_t i = 0; i < count; ++i) names.push_back(absl::StrCat("variant ", i * i));
      const std::vector<HandEntry> entries = SortedEntries(names);
      const HandIndex index = MakeIndex(entries, wide);
      const Exact bytes(index.bytes);
      IndexView view;
      ASSERT_EQ(view.Open(index.header, bytes.view()), CoreStatus::kOk);
      EXPECT_EQ(view.count(), count);
      EXPECT_EQ(view.Validate(), CoreStatus::kOk);
      VariantEntry found;
      IndexView::Cursor cursor = view.Begin();
      for (const HandEntry& entry : entries) {
        ASSERT_EQ(view.Find(View(entry.name), &found), CoreStatus::kOk) << entry.name;
        EXPECT_EQ(found.xxh64, entry.mark);
        EXPECT_EQ(ToString(found.name), entry.name);
        EXPECT_EQ(found.offset, entry.offset);
        EXPECT_EQ(found.size, 8u);
        EXPECT_EQ(found.checksum32, 7u);
        EXPECT_EQ(Load<uint64_t>(std::string(found.xxh3, found.xxh3 + 16), 0), entry.mark);
        ASSERT_EQ(view.Next(&cursor, &found), CoreStatus::kOk);
        EXPECT_EQ(ToString(found.name), entry.name);
      }
      EXPECT_EQ(view.Next(&cursor, &found), CoreStatus::kNotFound);
      EXPECT_EQ(view.Find(View("variant"), &found), CoreStatus::kNotFound);
      EXPECT_EQ(view.Find(View(""), &found), CoreStatus::kNotFound);
      EXPECT_EQ(view.Find(View("variant 2"), &found), CoreStatus::kNotFound);
    }
  }
}

TEST(IndexViewTest, ComparesNamesWhereHashesCollide) {
  const std::string wanted = "wanted";
  const int64_t hash = static_cast<uint32_t>(XXH64(wanted.data(), wanted.size(), 0));
  const HandIndex index = MakeIndex({{.name = "aaa", .hash = 0, .mark = 1},
                                     {.name = "bbb", .hash = hash, .mark = 2},
                                     {.name = wanted, .hash = hash, .mark = 3},
                                     {.name = "zzz", .hash = hash, .mark = 4}},
                                    false);
  const Exact bytes(index.bytes);
  IndexView view;
  ASSERT_EQ(view.Open(index.header, bytes.view()), CoreStatus::kOk);
  VariantEntry found;
  ASSERT_EQ(view.Find(View(wanted), &found), CoreStatus::kOk);
  EXPECT_EQ(found.xxh64, 3u);
}

TEST(IndexViewTest, NamesTheEntryAtFault) {
  const std::vector<HandEntry> good = SortedEntries({"aa", "bb", "cc"});
  for (const bool wide : {false, true}) {
    ASSERT_EQ(Validate(MakeIndex(good, wide)), CoreStatus::kOk);
    const auto expect_bad = [&](const char* what, uint32_t entry,
                                const std::function<void(std::vector<HandEntry>*)>& f) {
      std::vector<HandEntry> entries = good;
      f(&entries);
      uint32_t bad_entry = 999;
      EXPECT_EQ(Validate(MakeIndex(entries, wide), &bad_entry), CoreStatus::kBadIndex) << what;
      EXPECT_EQ(bad_entry, entry) << what;
    };
    using Entries = std::vector<HandEntry>*;
    expect_bad("unsorted", 1, [](Entries e) { std::swap((*e)[0], (*e)[1]); });
    expect_bad("twice", 2, [](Entries e) { (*e)[2] = (*e)[1]; });
    expect_bad("hash", 1, [](Entries e) { (*e)[1].hash = (*e)[1].name[0]; });
    expect_bad("hash, in order", 2, [](Entries e) { (*e)[2].hash = 0xFFFFFFFF; });
    expect_bad("empty name", 0, [](Entries e) { (*e)[0] = {.name = ""}; });
    expect_bad("name", 2, [](Entries e) {
      (*e)[2].name += "/";
      (*e)[2].hash = 0xFFFFFFFF;
    });
    expect_bad("offset unaligned", 1, [](Entries e) { (*e)[1].offset = 513; });
    expect_bad("offset even", 1, [](Entries e) { (*e)[1].offset = 514; });
    expect_bad("offset in BASE", 1, [](Entries e) { (*e)[1].offset = 496; });
    expect_bad("offset past INDEX", 1, [](Entries e) { (*e)[1].offset = 1032; });
    expect_bad("offset far away", 1, [](Entries e) { (*e)[1].offset = 0xFFFFFFF8; });
    expect_bad("size", 1, [](Entries e) { (*e)[1].size = 1024 - 520 + 1; });
    expect_bad("size far away", 1, [](Entries e) { (*e)[1].size = 0xFFFFFFFF; });
    expect_bad("an empty blob somewhere", 1, [](Entries e) { (*e)[1].size = 0; });
    if (wide) {
      expect_bad("offset + size wraps", 1, [](Entries e) { (*e)[1].size = 0xFFFFFFFFFFFFFFF8u; });
      expect_bad("offset at the end of 64 bits", 1, [](Entries e) {
        (*e)[1].offset = 0xFFFFFFFFFFFFFFF8u;
        (*e)[1].size = 16;
      });
    }
    // Fine: a blob up to INDEX, and an empty one at 0.
    std::vector<HandEntry> edge = good;
    edge[1].size = 1024 - edge[1].offset;
    edge[0].size = 0;
    edge[0].offset = 0;
    EXPECT_EQ(Validate(MakeIndex(edge, wide)), CoreStatus::kOk);
  }
}

TEST(IndexViewTest, RefusesNamesThatDoNotFillTheSection) {
  const HandIndex good = MakeIndex(SortedEntries({"a", "bb", "ccc"}), false);
  const size_t names = 3 * 40;
  size_t at = names;  // Of the name's size.
  size_t last = 0;
  for (size_t i = 0; i < 3; ++i) {
    for (int step : {-1, 1, 100}) {
      HandIndex index = good;
      index.bytes[at] = static_cast<char>(index.bytes[at] + step);
      EXPECT_EQ(Validate(index), CoreStatus::kBadIndex) << i << " " << step;
    }
    last = at;
    at += size_t{1} + static_cast<uint8_t>(good.bytes[at]);
  }
  EXPECT_EQ(at, good.bytes.size());
  // A last name that reaches past the section by as little as a byte is not handed out.
  for (const int more : {0, 1, 2}) {
    HandIndex index = good;
    char& size = index.bytes[last];
    size = static_cast<char>(size + more);
    const Exact bytes(index.bytes);
    IndexView view;
    ASSERT_EQ(view.Open(index.header, bytes.view()), CoreStatus::kOk);
    IndexView::Cursor cursor = view.Begin();
    VariantEntry entry;
    ASSERT_EQ(view.Next(&cursor, &entry), CoreStatus::kOk);
    ASSERT_EQ(view.Next(&cursor, &entry), CoreStatus::kOk);
    EXPECT_EQ(view.Next(&cursor, &entry), more == 0 ? CoreStatus::kOk : CoreStatus::kBadIndex);
  }
  HandIndex longer = good;
  longer.bytes += '\0';
  ++longer.header.section(Section::kIndex).size;
  uint32_t bad_entry = 0;
  EXPECT_EQ(Validate(longer, &bad_entry), CoreStatus::kBadIndex);
  EXPECT_EQ(bad_entry, 3u);
  for (size_t size = 0; size < good.bytes.size(); ++size) {
    HandIndex cut = good;
    cut.bytes.resize(size);
    EXPECT_EQ(Validate(cut), CoreStatus::kBadIndex) << size;
    cut.header.section(Section::kIndex).size = size;
    EXPECT_EQ(Validate(cut), CoreStatus::kBadIndex) << size;
    // Searching does not depend on a validation before.
    const Exact bytes(cut.bytes);
    IndexView view;
    VariantEntry found;
    if (view.Open(cut.header, bytes.view()) != CoreStatus::kOk) continue;
    for (const char* name : {"a", "bb", "ccc"}) {
      const CoreStatus status = view.Find(View(name), &found);
      EXPECT_TRUE(status == CoreStatus::kOk || status == CoreStatus::kBadIndex);
    }
  }
}

// Of a base of three tensors, with free layouts of at most five.
VaultHeader HeadHeader() {
  VaultHeader header;
  header.tensor_count = 3;
  header.features = kFeatureFreeLayouts;
  header.max_variant_tensors = 5;
  return header;
}

CoreStatus ParseHead(const std::string& blob, uint64_t blob_size, BlobHead* head,
                     const VaultHeader& header = HeadHeader()) {
  const Exact bytes(blob);
  const CoreStatus status = ParseBlobHead(bytes.view(), blob_size, header, head);
  // Its views die with the bytes.
  head->layout.bytes.data = nullptr;
  head->directory.data = nullptr;
  return status;
}

std::string Segment(uint32_t size) {
  std::string entry(8, '\0');
  Store<uint32_t>(&entry, 0, size);
  Store<uint32_t>(&entry, 4, size * 3);
  return entry;
}

// 130 segments of a byte each.
std::string LongDirectory() {
  std::string directory;
  for (int i = 0; i < 130; ++i) directory += Segment(1);
  return directory;
}

// Three tensors: an own one of 300 elements, one on the base's second, an opaque one on its first.
std::string FreeLayout() { return std::string("\0\xC\xAC\2\2\3\1\0\7", 9); }

TEST(ParseBlobHeadTest, ReadsAllShapes) {
  BlobHead head;
  EXPECT_EQ(ParseHead("", 0, &head), CoreStatus::kOk);
  EXPECT_EQ(head.segment_count, 0u);
  EXPECT_EQ(head.head_size, 0u);
  EXPECT_EQ(head.layout.form, LayoutForm::kBase);

  EXPECT_EQ(ParseHead(std::string("\0\0data", 6), 6, &head), CoreStatus::kOk);
  EXPECT_EQ(head.segment_count, 1u);
  EXPECT_EQ(head.head_size, 2u);
  EXPECT_EQ(head.layout.form, LayoutForm::kBase);
  EXPECT_FALSE(head.has_directory);
  SegmentPlace only;
  ASSERT_EQ(FirstSegment(head, 6, &only), CoreStatus::kOk);
  EXPECT_EQ(only.offset, 2u);
  EXPECT_EQ(only.size, 4u);
  EXPECT_EQ(only.checksum32, 0u);
  EXPECT_EQ(NextSegment(head, 1, &only), CoreStatus::kBadArgument);

  const std::string layout = TestLayout(3);
  ASSERT_EQ(layout.size() % 2, 0u);
  const std::string padded = "\1" + layout + '\0';
  EXPECT_EQ(ParseHead(padded + "data", padded.size() + 4, &head), CoreStatus::kOk);
  EXPECT_EQ(head.layout.form, LayoutForm::kEachOnce);
  EXPECT_EQ(head.layout.tensor_count, 3u);
  EXPECT_EQ(head.layout.bytes.size, layout.size());
  EXPECT_EQ(head.segment_count, 1u);
  EXPECT_EQ(head.head_size, padded.size());

  EXPECT_EQ(ParseHead(padded, padded.size(), &head), CoreStatus::kOk);
  EXPECT_EQ(head.segment_count, 0u);
  EXPECT_EQ(head.head_size, padded.size());
  EXPECT_EQ(FirstSegment(head, padded.size(), &only), CoreStatus::kBadArgument);

  // A layout of odd size makes the head even by itself: the opaque tensor's size in one byte less.
  const std::string odd = "\2" + std::string("\0\7", 2) + layout.substr(4);
  EXPECT_EQ(ParseHead("\1" + odd + "data", 5 + odd.size(), &head), CoreStatus::kOk);
  EXPECT_EQ(head.layout.bytes.size, odd.size());
  EXPECT_EQ(head.head_size, 1 + odd.size());

  const std::string blob = "\3" + layout + "\2" + Segment(3) + Segment(1) + "abcd";
  const Exact bytes(blob);
  ASSERT_EQ(ParseBlobHead(bytes.view(), blob.size(), HeadHeader(), &head), CoreStatus::kOk);
  EXPECT_TRUE(head.has_directory);
  EXPECT_EQ(head.segment_count, 2u);
  EXPECT_EQ(head.head_size, blob.size() - 4);
  SegmentPlace place;
  ASSERT_EQ(FirstSegment(head, blob.size(), &place), CoreStatus::kOk);
  EXPECT_EQ(place.offset, blob.size() - 4);
  EXPECT_EQ(place.size, 3u);
  EXPECT_EQ(place.checksum32, 9u);
  ASSERT_EQ(NextSegment(head, 1, &place), CoreStatus::kOk);
  EXPECT_EQ(place.offset, blob.size() - 1);
  EXPECT_EQ(place.size, 1u);
  EXPECT_EQ(place.checksum32, 3u);
  EXPECT_EQ(NextSegment(head, 2, &place), CoreStatus::kBadArgument);
  EXPECT_EQ(NextSegment(head, 0, &place), CoreStatus::kBadArgument);
}

TEST(ParseBlobHeadTest, ReadsFreeLayouts) {
  const std::string blob = "\4\3" + FreeLayout() + '\0';
  BlobHead head;
  ASSERT_EQ(ParseHead(blob + "data", blob.size() + 4, &head), CoreStatus::kOk);
  EXPECT_EQ(head.layout.form, LayoutForm::kFree);
  EXPECT_EQ(head.layout.tensor_count, 3u);
  EXPECT_EQ(head.layout.bytes.size, FreeLayout().size());
  EXPECT_EQ(head.head_size, blob.size());
  EXPECT_EQ(head.segment_count, 1u);
  ASSERT_EQ(ParseHead(std::string("\4\0", 2), 2, &head), CoreStatus::kOk) << "no tensors";
  EXPECT_EQ(head.layout.form, LayoutForm::kFree);
  EXPECT_EQ(head.layout.tensor_count, 0u);
  EXPECT_EQ(head.segment_count, 0u);
}

TEST(ParseBlobHeadTest, RefusesFreeLayoutsThatTheHeaderDoesNotAllow) {
  const auto status = [](const std::string& blob, uint32_t most) {
    VaultHeader header = HeadHeader();
    header.max_variant_tensors = most;
    if (most == 0) header.features = 0;
    BlobHead head;
    return ParseHead(blob, blob.size(), &head, header);
  };
  const std::string three = "\4\3" + FreeLayout() + '\0';
  EXPECT_EQ(status(three, 3), CoreStatus::kOk);
  EXPECT_EQ(status(three, 2), CoreStatus::kBadBlob) << "more tensors than announced";
  EXPECT_EQ(status(three, 0), CoreStatus::kBadBlob) << "version 1.0";
  EXPECT_EQ(status(std::string("\4\0", 2), 0), CoreStatus::kBadBlob) << "version 1.0";
  EXPECT_EQ(status("\5\3" + FreeLayout() + '\0', 3), CoreStatus::kBadBlob) << "both forms";
  EXPECT_EQ(status("\4\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1" + FreeLayout(), 3), CoreStatus::kBadBlob) << "2^64 - 1";
  EXPECT_EQ(status("\4\x83" + std::string(1, '\0') + FreeLayout(), 3), CoreStatus::kBadBlob) << "long varint";
}

TEST(ParseBlobHeadTest, AsksForMoreOnlyWhereThereIsMore) {
  // Heads with and without padding, directory and layout.
  for (const std::string& whole :
       {"\3" + TestLayout(3) + "\2" + Segment(3) + Segment(1), "\2\1" + Segment(4), "\1" + TestLayout(3) + '\0',
        "\6\3" + FreeLayout() + "\2" + Segment(3) + Segment(1), "\4\3" + FreeLayout() + '\0', std::string(2, '\0'),
        "\2\x82\1" + LongDirectory() + '\0'}) {
    const std::string blob = whole + "abcd";
    for (size_t size = 0; size < whole.size(); ++size) {
      BlobHead head;
      EXPECT_EQ(ParseHead(blob.substr(0, size), blob.size(), &head), CoreStatus::kTruncated) << size;
      if (size == 0) continue;
      EXPECT_EQ(ParseHead(blob.substr(0, size), size, &head), CoreStatus::kBadBlob) << size;
    }
    BlobHead head;
    EXPECT_EQ(ParseHead(whole, whole.size() + (whole.size() > 1000 ? 130 : 4), &head), CoreStatus::kOk);
    EXPECT_EQ(head.head_size, whole.size());
  }
}

TEST(ParseBlobHeadTest, IsPaddedToAnEvenSizeWithAZero) {
  const std::string layout = "\1" + TestLayout(3);
  const std::string directory = "\2\x82\1" + LongDirectory();
  for (const std::string& head : {std::string(1, '\0'), layout, directory}) {
    ASSERT_EQ(head.size() % 2, 1u);
    const std::string segments(head.size() > 1000 ? 130 : 4, 's');
    for (const char padding : {'\0', '\1', '\x80'}) {
      BlobHead parsed;
      const std::string blob = head + padding + segments;
      EXPECT_EQ(ParseHead(blob, blob.size(), &parsed), padding == 0 ? CoreStatus::kOk : CoreStatus::kBadBlob);
      if (padding == 0) {
        EXPECT_EQ(parsed.head_size, head.size() + 1);
      }
    }
  }
}

TEST(ParseBlobHeadTest, RefusesHeadsThatLie) {
  const auto status = [](const std::string& blob) {
    BlobHead head;
    return ParseHead(blob, blob.size(), &head);
  };
  const std::string two = Segment(3) + Segment(1);
  EXPECT_EQ(status("\2\2" + two + "abcd"), CoreStatus::kOk);
  EXPECT_EQ(status("\2\1" + Segment(4) + "abcd"), CoreStatus::kOk);
  EXPECT_EQ(status("\x8"
                   "data"),
            CoreStatus::kBadBlob)
      << "unknown flag";
  EXPECT_EQ(status(std::string(1, '\0')), CoreStatus::kBadBlob) << "neither layout nor segment";
  EXPECT_EQ(status(std::string(2, '\0')), CoreStatus::kBadBlob) << "neither layout nor segment, padded";
  EXPECT_EQ(status("\2\2" + two + "abcde"), CoreStatus::kBadBlob) << "segments end early";
  EXPECT_EQ(status("\2\2" + two + "abc"), CoreStatus::kBadBlob) << "segments end late";
  EXPECT_EQ(status(std::string("\2\0", 2)), CoreStatus::kBadBlob) << "no segments";
  EXPECT_EQ(status(std::string("\2\0", 2) + "abcd"), CoreStatus::kBadBlob) << "no segments, yet bytes";
  EXPECT_EQ(status("\2\2" + Segment(4) + Segment(0) + "abcd"), CoreStatus::kBadBlob) << "empty segment";
  EXPECT_EQ(status("\2\2" + Segment(5) + Segment(0xFFFFFFFF) + "abcd"), CoreStatus::kBadBlob) << "sizes wrap";
  EXPECT_EQ(status("\2\3" + two + "abcd"), CoreStatus::kBadBlob) << "more segments than fit";
  EXPECT_EQ(status("\2\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1" + two + "abcd"), CoreStatus::kBadBlob) << "2^64 - 1";
  EXPECT_EQ(status("\2\x82" + std::string(1, '\0') + two + "abcd"), CoreStatus::kBadBlob) << "long varint";
}

}  // namespace
}  // namespace modelvault
