// The committed vaults give back the committed files: the format has not moved under them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "restore/file_assembler.h"
#include "restore/infer/tokenizer.h"
#include "restore/named_vault.h"
#include "restore/restorer.h"
#include "tests/status_matchers.h"
#include "vault/keys/reader_keys.h"

namespace modelvault {
namespace {

using ::testing::SizeIs;

constexpr char kGolden[] = MODELVAULT_SOURCE_DIR "/tests/vault/golden/";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The model's whole file: its header, then its data.
std::string RestoredFile(const VaultModel& model, std::string header) {
  EXPECT_THAT(model.Restore({},
                            [&](uint64_t, absl::Span<const uint8_t> bytes) {
                              header.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                              return absl::OkStatus();
                            }),
              IsOk());
  return header;
}

struct Golden {
  const char* vault;
  const char* base;    // The folder of its file,
  const char* inputs;  // and of the variants'.
  size_t variants;
};

class GoldenRestoreTest : public testing::TestWithParam<Golden> {};

INSTANTIATE_TEST_SUITE_P(Versions, GoldenRestoreTest,
                         testing::Values(Golden{"v1.0.mvlt", "inputs/", "inputs/", 3},
                                         Golden{"v1.1.mvlt", "inputs/", "inputs-1.1/", 1},
                                         Golden{"v1.2.mvlt", "inputs-1.2/", "inputs-1.2/", 1},
                                         Golden{"v1.4.mvlt", "inputs-1.2/", "inputs-1.2/", 1},
                                         Golden{"v1.5.mvlt", "inputs-1.5/", "inputs-1.5/", 4}));

TEST_P(GoldenRestoreTest, TheFilesComeBack) {
  ASSERT_OK_AND_ASSIGN(const auto restorer,
                       Restorer::Open(FileSystem::Default(), absl::StrCat(kGolden, GetParam().vault)));
  ASSERT_OK_AND_ASSIGN(const auto base, restorer->OpenBase());
  EXPECT_EQ(RestoredFile(*base, restorer->vault().base_header()),
            ReadFile(absl::StrCat(kGolden, GetParam().base, "base.safetensors")));
  ASSERT_THAT(restorer->vault().variants(), SizeIs(GetParam().variants));
  for (const VaultVariant& variant : restorer->vault().variants()) {
    SCOPED_TRACE(variant.name);
    ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant(variant.name));
    ASSERT_OK_AND_ASSIGN(const std::string header, restorer->vault().variant_header(variant.name));
    EXPECT_EQ(RestoredFile(*model, header),
              ReadFile(absl::StrCat(kGolden, GetParam().inputs, variant.name, ".safetensors")));
  }
}

// The same files as those of 1.0, sealed by tenants.
TEST(GoldenTenantsTest, TheWardsKeyGivesTheFilesBack) {
  const std::string ward = ReadFile(absl::StrCat(kGolden, "keys-1.4/ward.key"));
  ReaderKeys keys;
  ASSERT_THAT(keys.AddOpening({"ward.key", ward}), IsOk());
  VaultReaderOptions options;
  options.keys = keys.opening;
  ASSERT_OK_AND_ASSIGN(auto reader,
                       VaultReader::Open(FileSystem::Default(), absl::StrCat(kGolden, "v1.4-tenants.mvlt"), options));
  ASSERT_OK_AND_ASSIGN(const auto restorer, Restorer::FromReader(std::move(reader)));
  for (const auto& [name, input] : {std::pair("acme.heart", "cardiology"), std::pair("beta.liver", "ultrasound"),
                                    std::pair("beta.same", "unchanged"), std::pair("open.lung", "cardiology"),
                                    std::pair("cardiology", "cardiology")}) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant(name));
    ASSERT_OK_AND_ASSIGN(const std::string header, restorer->vault().variant_header(name));
    EXPECT_EQ(RestoredFile(*model, header), ReadFile(absl::StrCat(kGolden, "inputs/", input, ".safetensors")));
  }
}

// Two files, put together from what their frames say.
TEST(GoldenFrameTest, TheFilesComeBack) {
  const ModelFormats none({});
  ASSERT_OK_AND_ASSIGN(const NamedVault vault,
                       NamedVault::Open(FileSystem::Default(), absl::StrCat(kGolden, "v1.3.mvlt"), none));
  for (const char* const name : {"base", "radiology"}) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const NamedModel model, vault.OpenModel(name));
    EXPECT_EQ(model.format, "golden");
    std::string files;
    FileAssembler assembler(model.frame, model, [&](absl::Span<const uint8_t> bytes) {
      files.append(bytes.begin(), bytes.end());
      return absl::OkStatus();
    });
    ASSERT_THAT(model.model->Restore({}, [&](uint64_t, absl::Span<const uint8_t> b) { return assembler.Append(b); }),
                IsOk());
    ASSERT_THAT(assembler.Finish(), IsOk());
    EXPECT_EQ(model.file_size(), files.size());
    std::string expected;
    for (const FilePart& file : model.files) {
      expected += ReadFile(absl::StrCat(kGolden, "inputs-1.3/", name, "/", file.path));
    }
    EXPECT_EQ(files, expected);
    EXPECT_THAT(model.files, SizeIs(2));
  }
}

// What docs/format.md tells of it.
TEST(GoldenNetworkTest, IsReadAsTheDocumentDoes) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, Restorer::Open(FileSystem::Default(), absl::StrCat(kGolden, "v1.2.mvlt")));
  ASSERT_OK_AND_ASSIGN(const Network network, restorer->network());
  EXPECT_EQ(network.task, NetworkTask::kTokens);
  EXPECT_EQ(network.window, 16);
  EXPECT_EQ(network.sinks, 2);
  const OperatorCode kCodes[] = {
      OperatorCode::kEmbed,    OperatorCode::kRmsNorm, OperatorCode::kMatmul,  OperatorCode::kMatmul,
      OperatorCode::kMatmul,   OperatorCode::kRope,    OperatorCode::kRope,    OperatorCode::kAttention,
      OperatorCode::kMatmul,   OperatorCode::kRmsNorm, OperatorCode::kMatmul,  OperatorCode::kMatmul,
      OperatorCode::kSiluGate, OperatorCode::kMatmul,  OperatorCode::kRmsNorm, OperatorCode::kMatmul};
  ASSERT_EQ(network.operator_count, std::size(kCodes));
  for (size_t i = 0; i < std::size(kCodes); ++i) EXPECT_EQ(network.op(i).code, kCodes[i]) << i;
  Tokenizer tokenizer;
  size_t bad = 0, count = 0;
  ASSERT_EQ(tokenizer.Parse(network.tokenizer, &bad), CoreStatus::kOk);
  std::vector<uint16_t> ids(Tokenizer::MostTokens(5)), merges(ids.size());
  const uint8_t text[] = {'a', 'b', ' ', 'a', 'b'};
  ASSERT_EQ(tokenizer.Encode({text, sizeof(text)}, ids.data(), merges.data(), ids.size(), &count, &bad),
            CoreStatus::kOk);
  ids.resize(count);
  EXPECT_THAT(ids, testing::ElementsAre(1, 3, 7, 3));
}

TEST(GoldenNetworkTest, EarlierVaultsHaveNone) {
  for (const char* const vault : {"v1.0.mvlt", "v1.1.mvlt"}) {
    ASSERT_OK_AND_ASSIGN(const auto restorer, Restorer::Open(FileSystem::Default(), absl::StrCat(kGolden, vault)));
    EXPECT_THAT(restorer->network(), StatusIs(absl::StatusCode::kNotFound, testing::HasSubstr(vault)));
  }
}

}  // namespace
}  // namespace modelvault
