// How much of the file is read, counted by a source's callbacks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <modelvault/modelvault.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/restore/c_api/c_vault.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

class CApiReadsTest : public testing::Test {
 protected:
  static constexpr int kVariants = 100;

  static const PackedVault& Vault() {
    static const PackedVault* const vault = new PackedVault(PackManyVariants(kVariants));
    return *vault;
  }
  void SetUp() override {
    reader_ = *VaultReader::FromFile(
        std::make_unique<MemoryFile>(std::vector<uint8_t>(Vault().bytes.begin(), Vault().bytes.end())));
    vault_ = OpenSource(&source_, &failure_);
    ASSERT_NE(vault_, nullptr) << failure_.message();
    model_ = OpenModel(vault_, "dept-042", &failure_);
    ASSERT_NE(model_, nullptr) << failure_.message();
  }
  void Read(const FileTensor& tensor) {
    std::string bytes(tensor.data.size(), '?');
    ASSERT_EQ(
        mv_model_read_tensor(model_.get(), tensor.name.c_str(), bytes.data(), bytes.size(), nullptr, failure_.out()),
        MV_CODE_OK)
        << failure_.message();
    EXPECT_EQ(bytes, tensor.data);
  }

  TestSource source_{&Vault().bytes};
  std::unique_ptr<VaultReader> reader_;
  Failure failure_;
  VaultHandle vault_;
  ModelHandle model_;
};

TEST_F(CApiReadsTest, TwoReadsOpenAVaultOf100Variants) {
  ASSERT_GT(Vault().bytes.size(), size_t{200} << 10);
  ASSERT_GT(SectionSize(Vault().bytes, 6), 0u) << "NETWORK, which is not read";
  ASSERT_EQ(mv_vault_variant_count(vault_.get()), size_t{kVariants});
  const uint64_t index = SectionOffset(Vault().bytes, 3);
  // All that there is before the first tensor: the model is open, variants have been listed.
  for (size_t i = 0; i < kVariants; ++i) {
    mv_model_info info = {};
    info.struct_size = sizeof(info);
    ASSERT_EQ(mv_vault_variant_info(vault_.get(), i, &info, failure_.out()), MV_CODE_OK);
  }
  EXPECT_THAT(source_.reads(), testing::ElementsAre(TestSource::Read{0, 64 << 10},
                                                    TestSource::Read{index, Vault().bytes.size() - index}));
}

TEST_F(CApiReadsTest, ATensorTakesItsChunksAndTheVariant) {
  const std::vector<FileTensor>& tensors = Vault().models.at("dept-042").tensors;
  const uint64_t blob = (*reader_->Find("dept-042"))->stored_size;
  const uint32_t chunk_size = reader_->header().chunk_size;
  uint64_t largest_chunk = 0;
  for (uint64_t i = 0; i < reader_->header().chunk_count(); ++i) {
    largest_chunk = std::max(largest_chunk, reader_->base_chunk_stored_size(i));
  }
  uint64_t begin = 0;
  for (const FileTensor& tensor : tensors) {
    SCOPED_TRACE(tensor.name);
    const uint64_t end = begin + tensor.data.size();
    // What is stored of it: of each chunk the part that it has.
    uint64_t chunks = 0;
    double stored = 0;
    for (uint64_t chunk = begin / chunk_size; chunk * chunk_size < end; ++chunk) {
      const uint64_t from = std::max(begin, chunk * chunk_size);
      const uint64_t to = std::min(end, (chunk + 1) * chunk_size);
      chunks += reader_->base_chunk_stored_size(chunk);
      stored += static_cast<double>(reader_->base_chunk_stored_size(chunk)) * static_cast<double>(to - from) /
                reader_->header().chunk_raw_size(static_cast<size_t>(chunk));
    }
    // Of a model that was not open, the first call reads the variant, too.
    model_ = OpenModel(vault_, "dept-042", &failure_);
    source_.Forget();
    Read(tensor);
    EXPECT_EQ(source_.bytes_read(), blob + chunks);
    EXPECT_LE(static_cast<double>(source_.bytes_read()),
              1.05 * (stored + static_cast<double>(blob)) + static_cast<double>(largest_chunk));
    source_.Forget();
    Read(tensor);
    EXPECT_EQ(source_.bytes_read(), chunks);
    begin = end;
  }
}

TEST_F(CApiReadsTest, AByteTakesAChunk) {
  Read(Vault().models.at("dept-042").tensors[2]);
  source_.Forget();
  char byte = '?';
  ASSERT_EQ(mv_model_read_data(model_.get(), 70000, &byte, 1, nullptr, failure_.out()), MV_CODE_OK)
      << failure_.message();
  EXPECT_EQ(byte, Vault().DataOf("dept-042")[70000]);
  EXPECT_THAT(source_.reads(), testing::SizeIs(1));
}

TEST_F(CApiReadsTest, AFileTakesTheBaseAndTheVariantOnce) {
  Collected file;
  source_.Forget();
  ASSERT_EQ(mv_model_stream_file(model_.get(), &Collect, &file, nullptr, failure_.out()), MV_CODE_OK)
      << failure_.message();
  EXPECT_EQ(file.bytes, Vault().FileOf("dept-042"));
  EXPECT_EQ(source_.bytes_read(), SectionSize(Vault().bytes, 2) + (*reader_->Find("dept-042"))->stored_size);
}

}  // namespace
}  // namespace modelvault
