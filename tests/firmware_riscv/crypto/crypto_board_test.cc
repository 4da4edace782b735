// The cryptographic functions on the board, from RAM: published answers, the same answers as on the host, and what they
// cost.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "firmware_riscv/crypto/board_crypto.h"
#include "gtest/gtest.h"
#include "tests/firmware_riscv/sim/emulated_board.h"
#include "tests/vault/crypto_vectors.h"

namespace modelvault {
namespace {

// Of crypto_check/main.cc.
constexpr uint32_t kFirstCasePhase = 1;
constexpr uint32_t kBeginPhase = 5;
constexpr uint32_t kEndPhase = 7;

// Of the build: MODELVAULT_BOARD_FAST_HASH.
constexpr bool kFastHash = MODELVAULT_FAST_HASH;

// What the program prints of one set of functions.
struct SetRun {
  std::vector<std::string> results;
  uint32_t room = 0;
  uint32_t stack = 0;
};

struct CryptoRun {
  SetRun all;
  SetRun streaming;
  nlohmann::json phases;

  uint64_t Cycles(uint32_t phase) const {
    for (const nlohmann::json& counts : phases) {
      if (counts["phase"] == phase) return counts["cycles"];
    }
    return 0;
  }
};

CryptoCaseKind KindOf(const CryptoVector& vector) {
  return static_cast<CryptoCaseKind>(LoadLe32(reinterpret_cast<const uint8_t*>(vector.bytes.data()) + 4));
}

bool IsStreaming(const CryptoVector& vector) {
  return KindOf(vector) == CryptoCaseKind::kHash || KindOf(vector) == CryptoCaseKind::kOpen;
}

// Takes `count` results and the two numbers from the front of `lines`.
SetRun TakeSet(std::vector<std::string>* lines, size_t count) {
  SetRun run;
  lines->resize(std::max(lines->size(), count + 2));
  run.results.assign(lines->begin(), lines->begin() + static_cast<std::ptrdiff_t>(count));
  EXPECT_TRUE(absl::SimpleHexAtoi((*lines)[count], &run.room));
  EXPECT_TRUE(absl::SimpleHexAtoi((*lines)[count + 1], &run.stack));
  lines->erase(lines->begin(), lines->begin() + static_cast<std::ptrdiff_t>(count + 2));
  return run;
}

CryptoRun RunOnBoard(const std::vector<CryptoVector>& vectors) {
  std::string cases;
  for (const CryptoVector& vector : vectors) cases += vector.bytes;
  EmulatedBoard board(MODELVAULT_CRYPTO_CHECK, cases);
  const BoardRun run = board.Run();
  EXPECT_EQ(run.exit_code, 0) << run.output;
  std::vector<std::string> lines = absl::StrSplit(run.output, '\n');
  CryptoRun result;
  result.all = TakeSet(&lines, vectors.size());
  result.streaming = TakeSet(&lines, static_cast<size_t>(std::count_if(vectors.begin(), vectors.end(), IsStreaming)));
  result.phases = run.counts["phases"];
  // The streaming set gives what all functions together do.
  std::vector<std::string> expected;
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (IsStreaming(vectors[i])) expected.push_back(result.all.results[i]);
  }
  EXPECT_EQ(result.streaming.results, expected);
  return result;
}

TEST(CryptoBoardTest, GivesWhatIsPublished) {
  const std::vector<CryptoVector> vectors = KnownCryptoVectors();
  const std::vector<std::string> results = RunOnBoard(vectors).all.results;
  for (size_t i = 0; i < vectors.size(); ++i) {
    SCOPED_TRACE(vectors[i].name);
    ASSERT_GT(results[i].size(), 2u);
    EXPECT_EQ(results[i][0], vectors[i].accepted ? '1' : '0');
    if (!vectors[i].output.empty()) {
      EXPECT_EQ(results[i].substr(2), absl::BytesToHexString(vectors[i].output));
    }
  }
}

TEST(CryptoBoardTest, GivesWhatTheHostGives) {
  const std::vector<CryptoVector> vectors = RandomCryptoVectors(/*seed=*/17);
  const std::vector<std::string> results = RunOnBoard(vectors).all.results;
  for (size_t i = 0; i < vectors.size(); ++i) EXPECT_EQ(results[i], RunOnHost(vectors[i])) << vectors[i].name;
}

TEST(CryptoBoardTest, AFirmwareWithoutThemHasNoTable) {
  EXPECT_EQ(EmulatedBoard(MODELVAULT_NO_CRYPTO_CHECK).Run().exit_code, 3);
}

// Prints what one case costs, for the table in docs/porting.md, and holds it to `most` cycles a unit.
void ExpectCost(const char* what, const std::string& bytes, size_t units, double most) {
  const CryptoVector vector = {what, bytes, true, ""};
  const CryptoRun run = RunOnBoard({vector});
  EXPECT_EQ(run.all.results[0], RunOnHost(vector)) << what;
  EXPECT_EQ(run.all.results[0][0], '1') << what;
  const uint64_t runs = IsStreaming(vector) ? 2 : 1;
  const double cycles = static_cast<double>(run.Cycles(kFirstCasePhase + static_cast<uint32_t>(KindOf(vector)))) /
                        static_cast<double>(runs * units);
  std::printf("%-32s %11.1f cycles, %5u bytes of stack\n", what, cycles, run.all.stack);
  EXPECT_GT(cycles, 0) << what;
  EXPECT_LE(cycles, most) << what;
  // All of it on their own stack, with some left over: nothing went beyond.
  EXPECT_GT(run.all.stack, 200u) << what;
  EXPECT_LT(run.all.stack, kCryptoStackSize) << what;
  if (IsStreaming(vector)) {
    EXPECT_EQ(run.streaming.stack, run.all.stack) << what;
    EXPECT_LT(run.streaming.stack, kStreamingStackSize) << what;
  }
}

std::string NamedCase(const std::string& name) {
  for (const CryptoVector& vector : KnownCryptoVectors()) {
    if (vector.name == name) return vector.bytes;
  }
  ADD_FAILURE() << name;
  return "";
}

TEST(CryptoBoardTest, RunsFromRamOnAStackOfItsOwn) {
  constexpr size_t kSize = 8192;
  const std::string bytes(kSize, 'x');
  ExpectCost("verify", NamedCase("Ed25519Test3"), 1, 3.6e6);
  ExpectCost("agree", NamedCase("X25519First"), 1, 3.1e6);
  ExpectCost("hash, a byte in flash", HashCase("", bytes), kSize, kFastHash ? 40 : 55);
  ExpectCost("hash, a byte in flash, by 4095", HashCase("", bytes, 4095), kSize, kFastHash ? 45 : 60);
  ExpectCost("open, a byte from flash", SealedCase(bytes, "", /*in_place=*/false), kSize, 100);
  ExpectCost("open, a byte in place", SealedCase(bytes, "", /*in_place=*/true), kSize, 65);
}

TEST(CryptoBoardTest, HasCodeOfLimitedSize) {
  const CryptoRun run = RunOnBoard({});
  const auto expect = [&run](const char* what, uint32_t set, size_t size, size_t most) {
    std::printf("%-10s %6zu bytes of code and constants, copied in %llu cycles, cleared in %llu\n", what, size,
                static_cast<unsigned long long>(run.Cycles(kBeginPhase + set)),
                static_cast<unsigned long long>(run.Cycles(kEndPhase + set)));
    EXPECT_LE(size, most) << what;
  };
  expect("all", 0, run.all.room - kCryptoStackSize, kFastHash ? 30720 : 25600);
  expect("streaming", 1, run.streaming.room - kStreamingStackSize, kFastHash ? 12800 : 7168);
}

}  // namespace
}  // namespace modelvault
