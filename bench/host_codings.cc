// host_codings: bytes and rates of the host codings, beside other methods' bytes, on one core and in memory.

#include <time.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/peer_sizes.h"
#include "bench/scale_data.h"
#include "codec/host/block_codec.h"
#include "tools/mvault/cli/command_line.h"
#include "vault/file_system.h"

namespace modelvault::bench {
namespace {

constexpr size_t kPiece = size_t{256} << 10;

// Of this thread, so that what else the machine does is not measured.
double Seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Pair {
  std::string name;
  DType dtype;
  std::vector<uint8_t> base;
  std::vector<uint8_t> variant;
};

struct Coded {
  std::vector<std::string> blocks;
  size_t size = 0;
  double seconds = 0;
};

Coded Encode(const Pair& pair, absl::Span<const uint8_t> data, absl::Span<const uint8_t> reference) {
  Coded coded;
  BlockScratch scratch;
  std::string block;
  for (size_t at = 0; at < data.size(); at += kPiece) {
    const double begin = Seconds();
    block.clear();
    EncodeBlock(pair.dtype, data.subspan(at, kPiece), reference.empty() ? reference : reference.subspan(at, kPiece),
                &scratch, &block);
    coded.seconds += Seconds() - begin;
    coded.size += block.size();
    coded.blocks.push_back(block);
  }
  return coded;
}

struct DecodeTime {
  double base = 0;
  double variant = 0;
};

// False if something is not given back. The best of `rounds`.
bool Decode(const Pair& pair, const Coded& base, const Coded& variant, int rounds, DecodeTime* best) {
  BlockScratch scratch;
  std::vector<uint8_t> base_piece(kPiece), piece(kPiece);
  *best = {1e9, 1e9};
  for (int round = 0; round < rounds; ++round) {
    DecodeTime time;
    for (size_t i = 0; i < base.blocks.size(); ++i) {
      const size_t at = i * kPiece, size = std::min(kPiece, pair.base.size() - at);
      const absl::Span<uint8_t> base_out(base_piece.data(), size), out(piece.data(), size);
      const auto bytes = [](const std::string& block) {
        return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(block.data()), block.size());
      };
      const double begin = Seconds();
      const CoreStatus first = DecodeBlock(pair.dtype, bytes(base.blocks[i]), {}, &scratch, base_out);
      const double middle = Seconds();
      const CoreStatus second = DecodeBlock(pair.dtype, bytes(variant.blocks[i]), base_out, &scratch, out);
      time.variant += Seconds() - middle;
      time.base += middle - begin;
      if (first != CoreStatus::kOk || second != CoreStatus::kOk ||
          std::memcmp(base_out.data(), &pair.base[at], size) != 0 ||
          std::memcmp(out.data(), &pair.variant[at], size) != 0) {
        return false;
      }
    }
    if (time.base + time.variant < best->base + best->variant) *best = time;
  }
  return true;
}

// What copying the variant takes, and decompressing it from zstd's fastest level, by the same clock.
void PrintYardsticks(const Pair& pair) {
  std::vector<uint8_t> copy(pair.variant.size());
  double begin = Seconds();
  std::memcpy(copy.data(), pair.variant.data(), copy.size());
  begin = Seconds();
  std::memcpy(copy.data(), pair.variant.data(), copy.size());
  const double copied = Seconds() - begin;
  std::vector<uint8_t> stored(ZSTD_compressBound(copy.size()));
  stored.resize(ZSTD_compress(stored.data(), stored.size(), pair.variant.data(), pair.variant.size(), 1));
  begin = Seconds();
  ZSTD_decompress(copy.data(), copy.size(), stored.data(), stored.size());
  const double zstd = Seconds() - begin;
  const double size = 1e-9 * static_cast<double>(copy.size());
  absl::PrintF("  memcpy %.2f GB/s, zstd -1 -d %.2f GB/s\n", size / copied, size / zstd);
}

bool Print(const Pair& pair, int rounds, bool peers) {
  const double size = static_cast<double>(pair.variant.size());
  const Coded base = Encode(pair, pair.base, {});
  const Coded variant = Encode(pair, pair.variant, pair.base);
  DecodeTime time;
  if (!Decode(pair, base, variant, rounds, &time)) return false;
  absl::PrintF("%-24s %5.0f MB, base %.2f %%, variant %.3f %%\n", pair.name, size * 1e-6,
               100 * static_cast<double>(base.size) / size, 100 * static_cast<double>(variant.size) / size);
  absl::PrintF("  GB/s: encode base %.2f, variant %.2f; decode base %.2f, variant %.2f, both %.2f\n",
               1e-9 * size / base.seconds, 1e-9 * size / variant.seconds, 1e-9 * size / time.base,
               1e-9 * size / time.variant, 1e-9 * size / (time.base + time.variant));
  PrintYardsticks(pair);
  if (peers) {
    const size_t element_size = ElementSize(static_cast<uint8_t>(pair.dtype));
    const auto percent = [&](uint64_t bytes) { return 100 * static_cast<double>(bytes) / size; };
    absl::PrintF("  %% of the variant: zstd -19 %.2f, xz -9 %.2f, split Huffman %.2f, xor + zstd -3 %.2f, -19 %.2f\n",
                 percent(ZstdSize(pair.variant, 19)), percent(XzSize(pair.variant, 9)),
                 percent(SplitHuffmanSize(pair.variant, element_size, IsFloat(pair.dtype))),
                 percent(XorZstdSize(pair.variant, pair.base, 3)), percent(XorZstdSize(pair.variant, pair.base, 19)));
  }
  std::fflush(stdout);
  return true;
}

template <class MakeRow>
Pair MakePair(const std::string& name, DType dtype, size_t size, MakeRow make_row) {
  const size_t row_size = kScaleRow * ElementSize(static_cast<uint8_t>(dtype));
  const size_t rows = std::max<size_t>(1, size / row_size);
  Pair pair{name, dtype, std::vector<uint8_t>(rows * row_size), std::vector<uint8_t>(rows * row_size)};
  for (size_t row = 0; row < rows; ++row) {
    make_row(row, absl::MakeSpan(pair.base).subspan(row * row_size, row_size),
             absl::MakeSpan(pair.variant).subspan(row * row_size, row_size));
  }
  return pair;
}

bool PrintAll(size_t size, int rounds, bool peers) {
  using Bytes = absl::Span<uint8_t>;
  bool ok = true;
  for (const double strength : {0.002, 0.005, 0.01, 0.02, 0.03}) {
    const FineTune options = {strength, 1};
    ok =
        Print(MakePair(absl::StrFormat("BF16, moved by %g", strength), DType::kBf16, size,
                       [&](uint64_t row, Bytes base, Bytes variant) { MakeFineTunedRow(options, row, base, variant); }),
              rounds, peers) &&
        ok;
  }
  ok = Print(MakePair("BF16, 1 of 200 moved", DType::kBf16, size,
                      [](uint64_t row, Bytes base, Bytes variant) { MakeNearlyEqualRow(1, 200, row, base, variant); }),
             rounds, peers) &&
       ok;
  for (const double density : {0.02, 0.05}) {
    ok = Print(
             MakePair(absl::StrFormat("INT8, %g ternary", density), DType::kI8, size,
                      [&](uint64_t row, Bytes base, Bytes variant) { MakeTernaryRow(1, density, row, base, variant); }),
             rounds, peers) &&
         ok;
  }
  return ok;
}

}  // namespace
}  // namespace modelvault::bench

int main(int argc, char** argv) {
  unsigned mebibytes = 256;
  int rounds = 3;
  bool peers = false;
  const std::optional<int> exit_code = modelvault::ParseCommandLine(
      "Prints bytes and rates of the host codings on made-up pairs of a base and a variant.",
      [&](modelvault::Command& program) {
        program.AddOption("--mib", &mebibytes, "Size of a variant").ShowDefault();
        program.AddOption("--rounds", &rounds, "Decode so often; the best counts").Range(1, 1000);
        program.AddFlag("--peers", &peers, "Other methods' bytes, too; slow");
      },
      argc, argv);
  if (exit_code.has_value()) return *exit_code;
  if (!modelvault::bench::PrintAll(size_t{mebibytes} << 20, rounds, peers)) {
    absl::FPrintF(stderr, "host_codings: a block was not given back\n");
    return 1;
  }
  return 0;
}
