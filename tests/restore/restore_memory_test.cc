// What a restore takes from the heap: as much for a large model as for a small one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/prefix_coding.h"
#include "codec/varint.h"
#include "restore/restorer.h"
#include "tests/restore/allocation_meter.h"
#include "tests/restore/coded_models.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"

namespace modelvault {
namespace {

constexpr uint32_t kChunkSize = 4096;
constexpr uint32_t kSegmentSize = 16384;

// A vault of a base with `rows` rows of 256 weights and a variant nothing can be predicted of.
std::string VaultOf(uint64_t rows) {
  TestRandom random(1);
  PlainModels plain;
  plain.specs = {{DType::kI8, rows, 256}};
  plain.base = RandomData(plain.specs, &random);
  plain.variants = {{"unrelated", {}, TestBytes(plain.base.size()), false}};
  for (uint8_t& byte : plain.variants[0].data) byte = static_cast<uint8_t>(random.Next());
  return CodedVaultBytes(Encode(plain, kChunkSize, kSegmentSize));
}

// The most a verification holds at a time.
size_t PeakOf(const std::string& vault, const std::string& name, const RestoreOptions& options) {
  auto reader = VaultReader::FromFile(FileOf(vault));
  EXPECT_THAT(reader, IsOk());
  const auto restorer = Restorer::FromReader(*std::move(reader));
  const auto model = name == "base" ? (*restorer)->OpenBase() : (*restorer)->OpenVariant(name);
  const AllocationMeter meter;
  EXPECT_THAT((*model)->Verify(options), IsOk());
  return meter.peak();
}

TEST(RestoreMemoryTest, DoesNotGrowWithTheModel) {
  const std::string small = VaultOf(256);   // 4 segments
  const std::string large = VaultOf(8192);  // 128
  for (const std::string name : {"base", "unrelated"}) {
    for (const int threads : {1, 2}) {
      RestoreOptions options;
      options.threads = threads;
      const size_t peak = PeakOf(large, name, options);
      // Each thread's tables, tile, chunk and segment; and, with several, one more segment than threads, each as it is
      // restored, beside those in the making.
      const size_t of_thread =
          sizeof(WideTableCache) + TileBufferSize(options.tile_size) + kChunkSize + 2 * kSegmentSize;
      const size_t waiting = threads == 1 ? 0 : static_cast<size_t>(threads + 2) * kSegmentSize;
      EXPECT_LE(peak, static_cast<size_t>(threads) * of_thread + waiting + 4096) << name << ", " << threads;
      if (threads == 1) {
        EXPECT_LE(peak, PeakOf(small, name, options) + 1024) << name;
      }
    }
  }
}

TEST(RestoreMemoryTest, GrowsWithTheTileAndNoMore) {
  const std::string vault = VaultOf(1024);
  RestoreOptions options;
  options.tile_size = 256;
  const size_t least = PeakOf(vault, "unrelated", options);
  options.tile_size = 100000;
  EXPECT_LE(PeakOf(vault, "unrelated", options), least + 100000);
}

// A base of 1 TiB in a few hundred kilobytes: 65,536 chunks of 16 MiB of zeros, each coded in one byte, its end, and
// restart points every 4 KiB. Whoever lists the latter takes gigabytes.
TEST(RestoreMemoryTest, AVastBaseInASmallFileTakesLittle) {
  constexpr uint64_t kSize = uint64_t{1} << 40;
  std::string model;
  AppendVarint(&model, 1);  // tensors
  AppendVarint(&model, 1);  // tables
  Histogram zeros{};
  zeros[0] = 1;
  model += SerializeCodeLengths(OptimalCodeLengths(zeros));
  model += '\3';  // an I8 tensor
  AppendVarint(&model, 1);
  AppendVarint(&model, kSize);
  model += std::string("\0\x14\0", 3);  // no flags, level 20, table 0
  model.resize((model.size() + 3) / 4 * 4);

  const TempFolder folder;
  const VaultParams params = {.chunk_size = 1u << 24, .segment_size = 4096, .base_data_size = kSize, .tensor_count = 1};
  ASSERT_OK_AND_ASSIGN(const auto writer,
                       VaultWriter::Create(FileSystem::Default(), folder.File("v.mvlt"), params, model));
  for (uint64_t chunk = 0; chunk < kSize >> 24; ++chunk) {
    ASSERT_THAT(writer->AppendBaseChunk(PrefixEncoder().Finish()), IsOk());
  }
  ASSERT_THAT(writer->FinishBase({}, "{}"), IsOk());
  ASSERT_THAT(writer->BeginVariant("same", {}, 0), IsOk());
  ASSERT_THAT(writer->FinishVariant({}, "{}"), IsOk());
  ASSERT_THAT(writer->Finish(), IsOk());
  ASSERT_THAT(writer->Commit(), IsOk());

  const size_t file_size = std::filesystem::file_size(folder.File("v.mvlt"));
  ASSERT_OK_AND_ASSIGN(const auto restorer, Restorer::Open(FileSystem::Default(), folder.File("v.mvlt")));
  ASSERT_OK_AND_ASSIGN(const auto same, restorer->OpenVariant("same"));
  ASSERT_OK_AND_ASSIGN(const auto base, restorer->OpenBase());
  for (const VaultModel* m : {same.get(), base.get()}) {
    for (const int threads : {1, 2}) {
      RestoreOptions options;
      options.threads = threads;
      uint64_t received = 0;
      const AllocationMeter meter;
      const absl::Status status = m->Restore(options, [&](uint64_t, absl::Span<const uint8_t> bytes) -> absl::Status {
        received += bytes.size();
        return received > 100000 ? absl::CancelledError("enough") : absl::OkStatus();
      });
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
      EXPECT_LE(meter.peak(), file_size);
    }
  }
}

}  // namespace
}  // namespace modelvault
