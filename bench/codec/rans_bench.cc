// rANS with a static table, and the adaptive bits and gamma codes on top of it: coder and decoder.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/random_weights.h"
#include "bench/rates.h"
#include "codec/core/rans_decoder.h"
#include "codec/rans_encoder.h"

namespace modelvault::bench {
namespace {

constexpr size_t kSymbols = 1 << 16;

ByteView View(const std::string& s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }

// Bell-shaped bytes, the ones that prefix_bench.cc codes, and a static table of them: no stream of a vault has such a
// table any more, they show what prefix codes are faster than and what they cost.
struct TableData {
  TableData() : symbols(kSymbols) {
    Random random(1);
    FillBell(Bell::kWide, &random, absl::MakeSpan(symbols));
    uint32_t counts[256] = {};
    for (uint8_t s : symbols) ++counts[s];
    uint32_t left = kProbabilityScale;
    for (size_t s = 0; s < 256; ++s) {
      frequency[s] = counts[s] == 0 ? 0 : std::max<uint32_t>(1, counts[s] / (kSymbols / kProbabilityScale));
      left -= frequency[s];
    }
    *std::max_element(frequency, frequency + 256) += left;
    uint32_t sum = 0;
    for (size_t s = 0; s < 256; sum += frequency[s++]) {
      start[s] = sum;
      std::fill_n(symbol_of_slot + sum, frequency[s], static_cast<uint8_t>(s));
    }
  }

  std::string Encode() const {
    RansEncoder encoder;
    for (uint8_t s : symbols) encoder.Symbol(start[s], frequency[s]);
    return encoder.Finish();
  }

  uint8_t Decode(RansDecoder* decoder) const {
    const uint32_t slot = decoder->Slot();
    const uint8_t s = symbol_of_slot[slot];
    decoder->Advance(frequency[s], start[s], slot);
    return s;
  }

  std::vector<uint8_t> symbols;
  uint32_t start[256];
  uint32_t frequency[256];
  uint8_t symbol_of_slot[kProbabilityScale];
};

void BM_RansEncode(benchmark::State& state) {
  const TableData data;
  std::string stream;
  for (auto _ : state) {
    stream = data.Encode();
    benchmark::DoNotOptimize(stream.data());
  }
  ReportRates(state, kSymbols, kSymbols, stream.size());
}
BENCHMARK(BM_RansEncode);

void BM_RansDecode(benchmark::State& state) {
  const TableData data;
  const std::string stream = data.Encode();
  std::vector<uint8_t> out(kSymbols);
  for (auto _ : state) {
    RansDecoder decoder;
    bool ok = decoder.Start(View(stream));
    for (uint8_t& s : out) s = data.Decode(&decoder);
    ok = ok && decoder.AtEnd();
    benchmark::DoNotOptimize(out.data());
    if (!ok) state.SkipWithError("the stream does not end where it must");
  }
  if (out != data.symbols) state.SkipWithError("decoded something else");
  ReportRates(state, kSymbols, kSymbols, stream.size());
}
BENCHMARK(BM_RansDecode);

// Bits of which one in 16 is set.
std::vector<bool> SparseBits() {
  Random random(2);
  std::vector<bool> bits(kSymbols);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = random.Below(16) == 0;
  return bits;
}

std::string EncodeBits(const std::vector<bool>& bits) {
  RansEncoder encoder;
  AdaptiveBit context;
  for (bool bit : bits) EncodeBit(&encoder, &context, bit);
  return encoder.Finish();
}

void BM_AdaptiveBitEncode(benchmark::State& state) {
  const std::vector<bool> bits = SparseBits();
  std::string stream;
  for (auto _ : state) {
    stream = EncodeBits(bits);
    benchmark::DoNotOptimize(stream.data());
  }
  ReportRates(state, kSymbols / 8, kSymbols, stream.size());
}
BENCHMARK(BM_AdaptiveBitEncode);

void BM_AdaptiveBitDecode(benchmark::State& state) {
  const std::vector<bool> bits = SparseBits();
  const std::string stream = EncodeBits(bits);
  size_t ones = 0;
  for (auto _ : state) {
    RansDecoder decoder;
    AdaptiveBit context;
    bool ok = decoder.Start(View(stream));
    ones = 0;
    for (size_t i = 0; i < kSymbols; ++i) ones += decoder.Bit(&context) ? 1 : 0;
    ok = ok && decoder.AtEnd();
    benchmark::DoNotOptimize(ones);
    if (!ok) state.SkipWithError("the stream does not end where it must");
  }
  ReportRates(state, kSymbols / 8, kSymbols, stream.size());
}
BENCHMARK(BM_AdaptiveBitDecode);

// Values as residuals have them: 0 is common, each further bit of length half as frequent.
std::vector<uint64_t> SmallValues() {
  Random random(3);
  std::vector<uint64_t> values(kSymbols);
  for (uint64_t& v : values) {
    const uint64_t bits = random.Next();
    const unsigned length = static_cast<unsigned>(std::countr_zero(bits | (uint64_t{1} << 20)));
    v = length == 0 ? 0 : (uint64_t{1} << (length - 1)) + ((bits >> 32) & ((uint64_t{1} << (length - 1)) - 1));
  }
  return values;
}

std::string EncodeValues(const std::vector<uint64_t>& values) {
  RansEncoder encoder;
  AdaptiveGamma<64> context;
  for (uint64_t v : values) EncodeGamma(&encoder, &context, v);
  return encoder.Finish();
}

void BM_AdaptiveGammaEncode(benchmark::State& state) {
  const std::vector<uint64_t> values = SmallValues();
  std::string stream;
  for (auto _ : state) {
    stream = EncodeValues(values);
    benchmark::DoNotOptimize(stream.data());
  }
  ReportRates(state, 8 * kSymbols, kSymbols, stream.size());
}
BENCHMARK(BM_AdaptiveGammaEncode);

void BM_AdaptiveGammaDecode(benchmark::State& state) {
  const std::vector<uint64_t> values = SmallValues();
  const std::string stream = EncodeValues(values);
  std::vector<uint64_t> out(kSymbols);
  for (auto _ : state) {
    RansDecoder decoder;
    AdaptiveGamma<64> context;
    bool ok = decoder.Start(View(stream));
    for (uint64_t& v : out) v = decoder.Gamma(&context);
    ok = ok && decoder.AtEnd();
    benchmark::DoNotOptimize(out.data());
    if (!ok) state.SkipWithError("the stream does not end where it must");
  }
  if (out != values) state.SkipWithError("decoded something else");
  ReportRates(state, 8 * kSymbols, kSymbols, stream.size());
}
BENCHMARK(BM_AdaptiveGammaDecode);

}  // namespace
}  // namespace modelvault::bench
