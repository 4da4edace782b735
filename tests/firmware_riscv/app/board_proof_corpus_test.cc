// The hospital's vault, signed, on a board that takes no other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/firmware_riscv/app/board_fixture.h"
#include "tests/firmware_riscv/signed_bytes.h"
#include "tests/temp_folder.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class BoardProofCorpusTest : public testing::Test {
 protected:
  BoardProofCorpusTest() {
    const std::string corpus = std::string(MODELVAULT_CORPUS_DIR) + "/medquad-260k/";
    const std::string path = folder_.File("hospital.mvlt");
    const ProgramRun packed =
        Mvault({"pack", "--base", corpus + "int8/base.safetensors", "--variants", corpus + "int8/variants", "--budget",
                "1MiB", "--model", corpus + "corpus.json", "--tokenizer", corpus + "tok512.bin", "-o", path});
    EXPECT_EQ(packed.exit_code, 0) << packed;
    const nlohmann::json list = Mvault({"ls", path, "--json"}).Json();
    for (const nlohmann::json& v : list.at("variants")) {
      xxh64_[v.at("name").get<std::string>()] = v.at("xxh64").get<std::string>();
    }
    std::ifstream in(path, std::ios::binary);
    unsigned_.assign(std::istreambuf_iterator<char>(in), {});
    plan_ = TestPlan(set_);
    plan_.version = 2;
    plan_.tile_log2 = 16;
    trust_.key_set = set_.digest();
    trust_.least_version = 2;
  }

  std::string Signed(const std::vector<TestKey>& signers) const { return SignedBytes(unsigned_, plan_, signers); }

  const TempFolder folder_;
  const TestKey ann_{1}, bob_{2}, cat_{3}, eve_{66};
  const KeySet set_ = TestKeySet({ann_, bob_, cat_}, 2);
  SigningPlan plan_;
  TrustStraps trust_;
  std::map<std::string, std::string> xxh64_;  // Of the departments.
  std::string unsigned_;
};

TEST_F(BoardProofCorpusTest, DepartmentsBootInTheirTurn) {
  ASSERT_EQ(xxh64_.size(), 100u);
  const std::string vault = Signed({ann_, cat_});
  EXPECT_LE(vault.size(), size_t{1} << 20);
  EXPECT_LE(vault.size() - unsigned_.size(), unsigned_.size() / 100);
  Board board(vault);
  board.Trust(trust_);
  for (const char* name : {"diabetes-insulin", "marrow-leukemia", "heart-doctor"}) {
    // Within a watchdog of 50 ms.
    board.emulated().WriteCode(kStrapOffset, WithTrust(MakeStraps(StrapCommand::kConsole), trust_));
    const BoardRun run =
        board.emulated().Run(",watchdog=6000000", absl::StrCat("select ", name, "\nboot\nask What is\nexit\n"));
    EXPECT_EQ(run.exit_code, 0) << run.output;
    EXPECT_THAT(run.output, StartsWith("vault: signed, version 2\nvault: a base and 100 variants\n"));
    auto report = ReportLine(run.output, "boot");
    EXPECT_EQ(report["source"], "trial") << run.output;
    EXPECT_EQ(report["name"], name);
    EXPECT_EQ(report["xxh64"], xxh64_.at(name));
    EXPECT_THAT(run.output, HasSubstr(" tokens"));
  }
}

TEST_F(BoardProofCorpusTest, NothingElseBoots) {
  const auto refusal = [&](const std::string& vault) {
    Board board(vault);
    board.Trust(trust_);
    const BoardRun run = board.Run(StrapCommand::kBootAndExit);
    auto report = ReportLine(run.output, "boot");
    EXPECT_EQ(report["source"], "nothing") << run.output;
    return report["status"];
  };
  EXPECT_EQ(refusal(unsigned_), "unsigned");
  EXPECT_EQ(refusal(Signed({})), "unsigned");
  EXPECT_EQ(refusal(Signed({bob_})), "bad-signature");
  const std::string vault = Signed({ann_, cat_});
  std::string bytes = vault;
  bytes[SectionOffset(bytes, 2) + SectionSize(bytes, 2) - 1] ^= 0x40;
  EXPECT_EQ(refusal(bytes), "not-authentic");
  trust_.least_version = 3;
  EXPECT_EQ(refusal(vault), "rolled-back");
  trust_.key_set = TestKeySet({eve_}, 1).digest();
  EXPECT_EQ(refusal(vault), "untrusted");
}

}  // namespace
}  // namespace modelvault
