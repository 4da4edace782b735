// Opening a vault of a hundred variants and finding one.

#include <benchmark/benchmark.h>

#include <memory>

#include "bench/sample_vault.h"
#include "vault/vault_reader.h"

namespace modelvault::bench {
namespace {

constexpr unsigned kVariants = 100;

// Made once: packing takes longer than what is measured.
const SampleVault& Vault() {
  static const SampleVault vault(kVariants, 1 << 20);
  return vault;
}

void BM_Open(benchmark::State& state) {
  const SampleVault& vault = Vault();
  for (auto _ : state) {
    const auto reader = VaultReader::Open(FileSystem::Default(), vault.path());
    if (!reader.ok()) state.SkipWithError(reader.status().ToString().c_str());
    benchmark::DoNotOptimize(reader->get());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Open);

void BM_Find(benchmark::State& state) {
  const SampleVault& vault = Vault();
  const auto reader = VaultReader::Open(FileSystem::Default(), vault.path());
  if (!reader.ok()) {
    state.SkipWithError(reader.status().ToString().c_str());
    return;
  }
  size_t next = 0;
  for (auto _ : state) {
    const auto found = (*reader)->Find(vault.names()[next]);
    if (!found.ok()) state.SkipWithError(found.status().ToString().c_str());
    benchmark::DoNotOptimize(*found);
    next = (next + 1) % kVariants;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Find);

void BM_OpenAndFind(benchmark::State& state) {
  const SampleVault& vault = Vault();
  for (auto _ : state) {
    const auto reader = VaultReader::Open(FileSystem::Default(), vault.path());
    if (!reader.ok() || !(*reader)->Find(vault.names()[kVariants / 2]).ok()) state.SkipWithError("not found");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_OpenAndFind);

}  // namespace
}  // namespace modelvault::bench
