// What packing takes from the heap: a few blocks, chunks and segments, however large the models are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/restore/allocation_meter.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"
#include "tools/packing/pack.h"

namespace modelvault {
namespace {

// The most that packing, or adding to a vault, models of `rows` rows of 1,024 weights holds at a time.
size_t PeakOf(uint64_t rows, bool add) {
  TempFolder folder;
  {
    TestRandom random(80);
    FileModel base;
    base.tensors = {MakeTensor("w", "I8", {rows, 1024}, &random)};
    FileModel unrelated = base;
    unrelated.tensors[0].data = random.Bytes(base.tensors[0].data.size());
    folder.Write("base", Serialize(base));
    folder.Write("ternary", Serialize(Ternary(base, 10, &random)));
    folder.Write("unrelated", Serialize(unrelated));
  }
  const std::vector<VariantInput> variants = {{"ternary", folder.File("ternary")},
                                              {"unrelated", folder.File("unrelated")}};
  PackOptions options;
  options.segment_size = 64 << 10;
  options.threads = 1;
  FileSystem& files = FileSystem::Default();
  if (add) {
    EXPECT_THAT(PackVault(files, folder.File("base"), {}, folder.File("v.mvlt"), options), IsOk());
  }
  const AllocationMeter meter;
  if (add) {
    EXPECT_THAT(AddVariants(files, folder.File("v.mvlt"), variants, false, options), IsOk());
  } else {
    EXPECT_THAT(PackVault(files, folder.File("base"), variants, folder.File("v.mvlt"), options), IsOk());
  }
  return meter.peak();
}

TEST(PackMemoryTest, DoesNotGrowWithTheModels) {
  for (const bool add : {false, true}) {
    const size_t small = PeakOf(2 << 10, add);   // 2 MiB a model
    const size_t large = PeakOf(12 << 10, add);  // 12 MiB
    // Directories: 10 MiB are 2,560 chunks and 320 segments of two variants.
    EXPECT_LE(large, small + 2560 * 64 + 320 * 64) << (add ? "add" : "pack");
    EXPECT_LE(small, 12u << 20);
  }
}

}  // namespace
}  // namespace modelvault
