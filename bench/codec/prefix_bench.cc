// Prefix codes: from a histogram to stored code lengths, from those to a table that decodes, and streams.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/random_weights.h"
#include "bench/rates.h"
#include "codec/core/prefix_code.h"
#include "codec/prefix_coding.h"

namespace modelvault::bench {
namespace {

constexpr size_t kSymbols = 1 << 16;

ByteView View(const std::string& s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }

// Bell-shaped bytes, the ones that rans_bench.cc codes, and their code.
struct BellData {
  BellData() : symbols(kSymbols) {
    Random random(1);
    FillBell(Bell::kWide, &random, absl::MakeSpan(symbols));
    for (uint8_t s : symbols) ++histogram[s];
  }

  std::string Encode(const PrefixCode& code) const {
    PrefixEncoder encoder;
    for (uint8_t s : symbols) encoder.Symbol(code, s);
    return encoder.Finish();
  }

  std::vector<uint8_t> symbols;
  Histogram histogram{};
};

void BM_OptimalCodeLengths(benchmark::State& state) {
  const BellData data;
  for (auto _ : state) {
    const std::string stored = SerializeCodeLengths(OptimalCodeLengths(data.histogram));
    benchmark::DoNotOptimize(stored.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_OptimalCodeLengths);

void BM_ReadAndBuildTable(benchmark::State& state) {
  const std::string stored = SerializeCodeLengths(OptimalCodeLengths(BellData().histogram));
  std::vector<uint8_t> memory(PrefixTable::Size(kMaxCodeLength));
  PrefixTable table = {memory.data(), kMaxCodeLength};
  for (auto _ : state) {
    ByteReader reader(View(stored));
    uint8_t lengths[256];
    int only;
    unsigned longest;
    if (ReadCodeLengths(&reader, lengths, &only, &longest) != CoreStatus::kOk) state.SkipWithError("the table does not read");
    table.Build(lengths, only);
    benchmark::DoNotOptimize(memory.data());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(stored.size()));
}
BENCHMARK(BM_ReadAndBuildTable);

void BM_PrefixEncode(benchmark::State& state) {
  const BellData data;
  const PrefixCode code(OptimalCodeLengths(data.histogram));
  std::string stream;
  for (auto _ : state) {
    stream = data.Encode(code);
    benchmark::DoNotOptimize(stream.data());
  }
  ReportRates(state, kSymbols, kSymbols, stream.size());
}
BENCHMARK(BM_PrefixEncode);

void BM_PrefixDecode(benchmark::State& state) {
  const BellData data;
  const unsigned limit = static_cast<unsigned>(state.range(0));
  const CodeLengths lengths = OptimalCodeLengths(data.histogram, limit);
  const std::string stream = data.Encode(PrefixCode(lengths));
  std::vector<uint8_t> memory(PrefixTable::Size(limit));
  PrefixTable table = {memory.data(), limit};
  table.Build(lengths.length.data(), lengths.only);
  std::vector<uint8_t> out(kSymbols);
  for (auto _ : state) {
    PrefixDecoder decoder;
    bool ok = decoder.Start(View(stream));
    decoder.Run(table, out.data(), out.size());
    ok = ok && decoder.AtEnd();
    benchmark::DoNotOptimize(out.data());
    if (!ok) state.SkipWithError("the stream does not end where it must");
  }
  if (out != data.symbols) state.SkipWithError("decoded something else");
  ReportRates(state, kSymbols, kSymbols, stream.size());
}
BENCHMARK(BM_PrefixDecode)->ArgName("longest")->Arg(kShortCodeLength)->Arg(kMaxCodeLength);

}  // namespace
}  // namespace modelvault::bench
