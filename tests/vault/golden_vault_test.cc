// The committed vaults: they open, they are whole, and docs/format.md shows their bytes. tests/regenerate makes both
// anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/vault/format_document.h"
#include "tests/vault/signed_golden.h"
#include "tests/vault/test_vault.h"
#include "vault/keys/reader_keys.h"
#include "vault/refusal.h"
#include "vault/revocation_list.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

using testing::HasSubstr;

constexpr char kGoldenPath[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/v1.0.mvlt";
constexpr char kFreeGoldenPath[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/v1.1.mvlt";
constexpr char kNetworkGoldenPath[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/v1.2.mvlt";
constexpr char kFrameGoldenPath[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/v1.3.mvlt";
constexpr char kSignedGoldenPath[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/v1.4.mvlt";
constexpr char kTenantsGoldenPath[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/v1.4-tenants.mvlt";
constexpr char kHostGoldenPath[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/v1.5.mvlt";

std::vector<uint8_t> GoldenBytes(const char* path) {
  std::vector<uint8_t> bytes;
  const auto file = FileSystem::Default().OpenForRead(path);
  EXPECT_THAT(file, IsOk());
  if (!file.ok()) return bytes;
  bytes.resize((*file)->size());
  EXPECT_THAT((*file)->ReadAt(0, absl::MakeSpan(bytes)), IsOk());
  return bytes;
}

std::string GoldenText(const std::string& name) {
  const std::vector<uint8_t> bytes = GoldenBytes((MODELVAULT_SOURCE_DIR "/tests/vault/golden/" + name).c_str());
  return std::string(bytes.begin(), bytes.end());
}

TEST(GoldenVaultTest, IsWhole) {
  uint16_t minor = 0;
  for (const char* const path :
       {kGoldenPath, kFreeGoldenPath, kNetworkGoldenPath, kFrameGoldenPath, kSignedGoldenPath, kHostGoldenPath}) {
    ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), path));
    EXPECT_THAT(ReadAll(*vault), IsOk());
    EXPECT_FALSE(vault->variants().empty());
    EXPECT_EQ(vault->header().version_minor(), minor++);
  }
}

TEST(GoldenVaultTest, LiesWhereTheDocumentSays) {
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), kGoldenPath));
  const auto begin = [&](Section section) {
    return absl::StrCat("0x", absl::Hex(vault->header().section(section).offset));
  };
  EXPECT_THAT(
      Unwrapped(FormatDocument()),
      HasSubstr(absl::StrCat("MODEL begins at ", begin(Section::kModel), ", CHUNKS at ", begin(Section::kChunks),
                             ", BASE at ", begin(Section::kBase), ", the blobs end before INDEX at ",
                             begin(Section::kIndex), ", MANIFEST begins at ", begin(Section::kManifest), ".")));
  EXPECT_THAT(FormatDocument(), HasSubstr("`tests/vault/golden/v1.0.mvlt`"));
}

TEST(GoldenVaultTest, IsWhatTheDocumentShows) {
  const std::vector<uint8_t> golden = GoldenBytes(kGoldenPath);
  const std::map<uint64_t, uint8_t> dump = DumpedBytes(FormatDocument());
  EXPECT_EQ(dump.size(), golden.size());
  for (const auto& [offset, byte] : dump) {
    ASSERT_LT(offset, golden.size());
    EXPECT_EQ(int{byte}, int{golden[offset]}) << "at offset " << offset;
  }
}

TEST(GoldenVaultTest, TheNetworkIsWhatTheDocumentShows) {
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), kNetworkGoldenPath));
  const VaultHeader& header = vault->header();
  const SectionPlace& place = header.section(Section::kNetwork);
  const std::string text = Unwrapped(FormatDocument());
  EXPECT_THAT(text, HasSubstr(absl::StrCat("Its header has version 1.", header.version_minor(), " and features ",
                                           header.features, "; its NETWORK of ", place.size, " bytes begins at 0x",
                                           absl::Hex(place.offset), ":")));
  const std::map<uint64_t, uint8_t> dump = DumpedBytes(FormatDocument(), "```network");
  EXPECT_EQ(dump.size(), place.size);
  for (const auto& [offset, byte] : dump) {
    ASSERT_LT(offset, place.size);
    EXPECT_EQ(int{byte}, int{vault->network_section().data[offset]}) << "at offset " << offset;
  }
}

TEST(GoldenVaultTest, TheFrameIsWhatTheDocumentShows) {
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), kFrameGoldenPath));
  const std::string frame = vault->base_header();
  const std::string text = Unwrapped(FormatDocument());
  const VaultHeader& header = vault->header();
  EXPECT_THAT(text, HasSubstr(absl::StrCat("Its header has version 1.", header.version_minor(), " and features ",
                                           header.features, ". The base's frame is")));
  const uint32_t size = Load<uint32_t>(frame, kDescriptionSizeField.offset);
  EXPECT_THAT(text, HasSubstr(absl::StrCat("A description of ", size, " bytes (0x", absl::Hex(size), ") at 0x",
                                           absl::Hex(kFrameHeadSize, absl::kZeroPad3), ".")));
  const std::map<uint64_t, uint8_t> dump = DumpedBytes(FormatDocument(), "```frame");
  EXPECT_EQ(dump.size(), frame.size());
  for (const auto& [offset, byte] : dump) {
    EXPECT_EQ(int{byte}, int{static_cast<uint8_t>(frame.at(offset))}) << "at offset " << offset;
  }
}

TEST(GoldenVaultTest, TheSignatureIsWhatTheDocumentShows) {
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), kSignedGoldenPath));
  const VaultHeader& header = vault->header();
  const SectionPlace& place = header.section(Section::kSignature);
  const std::string text = Unwrapped(FormatDocument());
  EXPECT_THAT(text, HasSubstr(absl::StrCat("Its header has version 1.", header.version_minor(), " and features ",
                                           header.features, "; its SIGNATURE of ", place.size, " bytes begins at 0x",
                                           absl::Hex(place.offset), ":")));
  const SignedRoot& root = *vault->root();
  const size_t sets_end = root.head.size + root.key_sets.size;
  EXPECT_THAT(text, HasSubstr(absl::StrCat("The head ends at 0x", absl::Hex(root.head.size, absl::kZeroPad3),
                                           ", the key sets at 0x", absl::Hex(sets_end), ", the root's signatures at 0x",
                                           absl::Hex(sets_end + root.signatures.size), ",")));
  const std::vector<uint8_t> golden = GoldenBytes(kSignedGoldenPath);
  const std::map<uint64_t, uint8_t> dump = DumpedBytes(FormatDocument(), "```signature");
  EXPECT_EQ(dump.size(), place.size);
  for (const auto& [offset, byte] : dump) {
    EXPECT_EQ(int{byte}, int{golden.at(place.offset + offset)}) << "at offset " << offset;
  }
}

// Whoever trusts the first key set, or the one after it, takes it.
TEST(GoldenVaultTest, TheSignatureIsProven) {
  const SigningPlan plan = GoldenPlan();
  for (const KeySet& set : plan.key_sets) {
    VaultReaderOptions options;
    options.trust = TrustIn(set);
    options.trust->least_version = 7;
    options.trust->now = 1800000000;
    ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), kSignedGoldenPath, options));
    EXPECT_EQ(vault->key_set_digest(), plan.key_sets.back().digest());
    EXPECT_THAT(ReadAll(*vault), IsOk());
    EXPECT_THAT(vault->CheckSigned(), IsOk());
  }
}

// Names, in order, with what opens them.
TEST(GoldenVaultTest, TenantsAreProvenAndTheirGroupsOpenWhatIsTheirs) {
  const std::vector<std::string> plain = {"cardiology", "open.lung", "ultrasound", "unchanged"};
  const std::string acme = "acme.~cb89d62ab94e28bf", same = "beta.~7425a8d0610bf3ce", liver = "beta.~8f33678247189ce4";
  const struct {
    const char* key;
    std::vector<std::string> sealed;
  } cases[] = {{nullptr, {acme, same, liver}},
               {"ward.key", {"acme.heart", "beta.liver", "beta.same"}},
               {"clinic.key", {acme, "beta.liver", "beta.same"}},
               {"acme.content", {"acme.heart", same, liver}}};
  for (const auto& [key, sealed] : cases) {
    SCOPED_TRACE(key != nullptr ? key : "no key");
    ReaderKeys keys;
    // As text: what is committed can't have mode 0600.
    const std::string root = GoldenText("keys-1.4/root.pub"),
                      secret = key != nullptr ? GoldenText(absl::StrCat("keys-1.4/", key)) : "";
    ASSERT_THAT(keys.AddTrusted({"root.pub", root}), IsOk());
    if (key != nullptr) {
      ASSERT_THAT(keys.AddOpening({key, secret}), IsOk());
    }
    VaultReaderOptions options;
    options.trust = VaultTrust{.keys = keys.trusted, .least_version = 5, .now = 1800000000};
    options.keys = keys.opening;
    ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), kTenantsGoldenPath, options));
    EXPECT_EQ(vault->header().version_minor(), 4);
    std::vector<std::string> names = sealed;
    names.insert(names.end(), plain.begin(), plain.end());
    std::vector<std::string> found;
    for (const VaultVariant& variant : vault->variants()) {
      found.push_back(variant.name);
      EXPECT_THAT(variant.locked() ? vault->CheckStoredBlob(variant) : vault->OpenBlob(variant).status(), IsOk());
    }
    EXPECT_EQ(found, names);
    EXPECT_THAT(vault->CheckSigned(), IsOk());
    const auto list = ProvenRevocations::FromBytes("list", GoldenText("v1.4-tenants.revocations"), *vault, 3);
    ASSERT_THAT(list, IsOk());
    EXPECT_EQ(RefusalOf(list->Check(*vault, "open.lung")), Refusal::kRevoked);
    EXPECT_EQ(RefusalOf(list->Check(*vault, sealed.back() == liver ? liver : "beta.liver")), Refusal::kRevoked);
    EXPECT_THAT(list->Check(*vault, sealed.front()), IsOk());
  }
}

TEST(GoldenVaultTest, TheSegmentForHostsIsWhatTheDocumentShows) {
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), kHostGoldenPath));
  ASSERT_OK_AND_ASSIGN(const VaultVariant* few, vault->Find("few"));
  ASSERT_OK_AND_ASSIGN(const VaultBlob blob, vault->OpenBlob(*few));
  std::vector<uint8_t> segment;
  ASSERT_THAT(vault->ReadSegment(blob, 0, &segment), IsOk());
  EXPECT_THAT(Unwrapped(FormatDocument()),
              HasSubstr(absl::StrCat("Its header has version 1.", vault->header().version_minor(), " and features ",
                                     vault->header().features, "; the segment of `few` has ", segment.size(),
                                     " bytes and begins at 0x", absl::Hex(few->offset + blob.head_size()), ":")));
  const std::map<uint64_t, uint8_t> dump = DumpedBytes(FormatDocument(), "```segment");
  EXPECT_EQ(dump.size(), segment.size());
  for (const auto& [offset, byte] : dump) {
    EXPECT_EQ(int{byte}, int{segment.at(offset)}) << "at offset " << offset;
  }
}

TEST(GoldenVaultTest, TheFreeLayoutIsWhatTheDocumentShows) {
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(FileSystem::Default(), kFreeGoldenPath));
  ASSERT_OK_AND_ASSIGN(const VaultVariant* tied, vault->Find("tied"));
  const std::string text = Unwrapped(FormatDocument());
  EXPECT_THAT(text, HasSubstr(absl::StrCat("Its header has version 1.", vault->header().version_minor(), ", features ",
                                           vault->header().features, " and max_variant_tensors ",
                                           vault->header().max_variant_tensors, ";")));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("its blob of ", tied->stored_size, " bytes begins at 0x",
                                           absl::Hex(tied->offset), ":")));
  const std::vector<uint8_t> golden = GoldenBytes(kFreeGoldenPath);
  const std::map<uint64_t, uint8_t> dump = DumpedBytes(FormatDocument(), "```blob");
  EXPECT_EQ(dump.size(), tied->stored_size);
  for (const auto& [offset, byte] : dump) {
    EXPECT_EQ(int{byte}, int{golden.at(tied->offset + offset)}) << "at offset " << offset;
  }
}

}  // namespace
}  // namespace modelvault
