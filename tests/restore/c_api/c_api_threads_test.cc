// Several threads on one handle, all of them the first to ask something of it: the same bytes as for one.
#include <gtest/gtest.h>
#include <modelvault/modelvault.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/restore/c_api/c_vault.h"

namespace modelvault {
namespace {

constexpr int kThreads = 8;
constexpr int kRounds = 5;

TEST(CApiThreadsTest, HandlesServeManyThreadsAtOnce) {
  const PackedVault packed = PackSmallVault();
  TestSource source(&packed.bytes);
  Failure failure;
  const VaultHandle vault = OpenSource(&source, &failure);
  ASSERT_NE(vault, nullptr) << failure.message();
  const std::vector<FileTensor>& tensors = packed.models.at("few").tensors;
  const std::string few = packed.FileOf("few");
  const std::string other = packed.FileOf("other");
  for (int round = 0; round < kRounds; ++round) {
    // Nobody has read anything of it yet: all of them want to.
    const ModelHandle shared = OpenModel(vault, "few", &failure);
    ASSERT_NE(shared, nullptr) << failure.message();
    std::atomic<int> wrong{0};
    std::atomic<int> waiting{kThreads};
    const auto work = [&](int number) {
      --waiting;
      while (waiting > 0) std::this_thread::yield();
      Failure own;
      const FileTensor& tensor = tensors[static_cast<size_t>(number) % tensors.size()];
      std::string bytes(tensor.data.size(), '?');
      if (mv_model_read_tensor(shared.get(), tensor.name.c_str(), bytes.data(), bytes.size(), nullptr, own.out()) !=
              MV_CODE_OK ||
          bytes != tensor.data) {
        ++wrong;
      }
      mv_read_options options = {};
      options.struct_size = sizeof(options);
      options.threads = 1 + number % 2;
      Collected file;
      if (mv_model_stream_file(shared.get(), &Collect, &file, &options, own.out()) != MV_CODE_OK || file.bytes != few) {
        ++wrong;
      }
      const ModelHandle mine = OpenModel(vault, "other", &own);
      Collected whole;
      if (mv_model_stream_file(mine.get(), &Collect, &whole, nullptr, own.out()) != MV_CODE_OK ||
          whole.bytes != other) {
        ++wrong;
      }
      if (mv_model_read_tensor(shared.get(), "none", nullptr, 0, nullptr, own.out()) != MV_CODE_NOT_FOUND) ++wrong;
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

}  // namespace
}  // namespace modelvault
