// A board that trusts somebody: it boots what they have signed, refuses everything else with an error of its own, and
// boots what there is to fall back to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/firmware_riscv/app/board_fixture.h"
#include "tests/firmware_riscv/signed_bytes.h"
#include "tests/vault/test_vault.h"
#include "vault/core/vault_view.h"

namespace modelvault {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr uint64_t kVersion = 5;
constexpr size_t kModel = 0, kChunks = 1, kBase = 2, kIndex = 3, kSignature = 5;

// The selection of a board that was switched to "ternary" and then to "residual", both with success.
const std::string& SwitchedTwice() {
  static const std::string* const selection = [] {
    Board board(TheSmallVault().bytes);
    const BoardRun run = board.Run(StrapCommand::kConsole, "select ternary\nboot\nselect residual\nboot\nexit\n");
    EXPECT_EQ(run.exit_code, 0) << run.output;
    return new std::string(board.ReadSelection());
  }();
  return *selection;
}

// It has booted "residual" and, before that, "ternary".
class TrustingBoard : public Board {
 public:
  TrustingBoard(const std::string& vault, const TrustStraps& trust) : Board(vault) {
    WriteSelection(SwitchedTwice());
    Trust(trust);
  }
};

class BoardProofTest : public testing::Test {
 protected:
  BoardProofTest() {
    plan_.version = kVersion;
    trust_.key_set = set_.digest();
    vault_ = Signed(plan_);
  }

  std::string Signed(const SigningPlan& plan) const { return SignedBytes(TheSmallVault().bytes, plan, {ann_}); }
  // By the keys that are to come after those.
  std::string SignedByTheNextKeySet() const {
    KeySet next = TestKeySet({eve_}, 1, 2);
    SignNext(set_, {ann_}, &next);
    SigningPlan plan = plan_;
    plan.key_sets.push_back(next);
    return SignedBytes(TheSmallVault().bytes, plan, {eve_});
  }
  // Nothing of the vault is used.
  void ExpectRefused(const std::string& vault, const std::string& error, const std::string& place) const {
    SCOPED_TRACE(error);
    TrustingBoard board(vault, trust_);
    const BoardRun run = board.Run(StrapCommand::kBootAndExit);
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.output,
                StartsWith(absl::StrCat("vault: ", error, " in ", place, "\nboot status=", error, " source=nothing ")));
    EXPECT_EQ(run.counts.at("flash_stores"), 0);  // The selection is not to blame.
  }
  // Only its base is.
  void ExpectBase(const std::string& vault, const std::string& error, const std::string& place) const {
    SCOPED_TRACE(error);
    TrustingBoard board(vault, trust_);
    const BoardRun run = board.Run(StrapCommand::kBootAndExit);
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_THAT(run.output, StartsWith(absl::StrCat("vault: ", error, " in ", place,
                                                    "\nvault: its base alone\nboot: restoring base\nboot status=ok "
                                                    "source=base ")));
    EXPECT_EQ(run.counts.at("flash_stores"), 0);
  }
  // One of its variants is not, and what was good before it boots.
  void ExpectFallsBack(const std::string& vault, const std::string& error, const std::string& place) const {
    SCOPED_TRACE(error);
    TrustingBoard board(vault, trust_);
    const BoardRun run = board.Run(StrapCommand::kBootAndExit);
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_THAT(run.output, HasSubstr(absl::StrCat("boot: restoring residual\n  proof: ", error, " in ", place,
                                                   "\nboot: residual is not used: ", error,
                                                   "\nboot: restoring ternary\nboot status=ok source=last-good ")));
    EXPECT_EQ(board.ReadSelection(), SwitchedTwice());
  }
  // The vault with a bit of a section turned.
  std::string WithBitTurned(size_t section, size_t offset) const {
    std::string bytes = vault_;
    bytes[SectionOffset(bytes, section) + offset] ^= 2;
    return bytes;
  }
  static std::string Repaired(std::string bytes) {
    RepairChecksums(&bytes);
    return bytes;
  }
  static VariantEntry EntryOf(const std::string& bytes, const std::string& name) {
    const auto view = [](const std::string& of) {
      return ByteView{reinterpret_cast<const uint8_t*>(of.data()), of.size()};
    };
    VaultHeader header;
    EXPECT_EQ(ParseHeader(view(bytes).Sub(0, kHeaderSize), bytes.size(), &header), CoreStatus::kOk);
    const SectionPlace& place = header.section(Section::kIndex);
    IndexView index;
    VariantEntry entry;
    EXPECT_EQ(index.Open(header, view(bytes).Sub(place.offset, place.size)), CoreStatus::kOk);
    EXPECT_EQ(index.Find(view(name), &entry), CoreStatus::kOk);
    entry.name = {};
    return entry;
  }
  static std::string WithBlobBitTurned(std::string bytes, const std::string& name) {
    const VariantEntry entry = EntryOf(bytes, name);
    bytes[entry.offset + entry.size / 2] ^= 2;
    return bytes;
  }

  const TestKey ann_{1}, bob_{2}, eve_{66};
  const KeySet set_ = TestKeySet({ann_, bob_}, 1);
  SigningPlan plan_ = TestPlan(set_);
  TrustStraps trust_;
  std::string vault_;
};

TEST_F(BoardProofTest, ASignedVaultBootsWhatIsSelected) {
  TrustingBoard board(vault_, trust_);
  EXPECT_EQ(board.Boots(), "selected residual");
  const BoardRun run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_THAT(run.output, StartsWith(absl::StrCat("vault: signed, version ", kVersion, "\nvault: a base and ")));
  EXPECT_EQ(run.counts.at("flash_stores"), 0);
}

TEST_F(BoardProofTest, ABoardThatTrustsNobodyTakesEveryVault) {
  for (const std::string& vault : {vault_, TheSmallVault().bytes}) {
    Board board(vault);
    board.WriteSelection(SwitchedTwice());
    EXPECT_EQ(board.Boots(), "selected residual");
    EXPECT_THAT(board.Run(StrapCommand::kBootAndExit).output, StartsWith("vault: a base and "));
  }
}

TEST_F(BoardProofTest, WhatIsNotSignedByThoseWhoAreTrustedIsRefused) {
  ExpectRefused(TheSmallVault().bytes, "unsigned", "header");
  ExpectRefused(SignedBytes(TheSmallVault().bytes, plan_, {}), "unsigned", "signature");
  SigningPlan plan = plan_;
  plan.key_sets = {TestKeySet({eve_}, 1)};
  ExpectRefused(SignedBytes(TheSmallVault().bytes, plan, {eve_}), "untrusted", "signature");
  plan = plan_;
  plan.version = kVersion - 1;
  trust_.least_version = kVersion;
  ExpectRefused(Signed(plan), "rolled-back", "signature");
  plan.version = kVersion;
  plan.not_after = 1000;
  trust_.now = 1001;
  ExpectRefused(Signed(plan), "expired", "signature");
}

TEST_F(BoardProofTest, ATurnedBitIsRefusedWhereverItIs) {
  std::string bytes = vault_;
  bytes[56] ^= 1;  // Of the base's digest, in the header.
  ExpectRefused(bytes, "checksum-mismatch", "header");
  RepairChecksums(&bytes);
  ExpectRefused(bytes, "bad-signature", "signature");
  // SIGNATURE's checksum is not signed, and may be repaired.
  ExpectRefused(Repaired(WithBitTurned(kSignature, 16)), "bad-signature", "signature");  // The version.
  const size_t own = kSignatureHeadSize + set_.Encode(true).size();
  ExpectRefused(Repaired(WithBitTurned(kSignature, own + 64 * set_.Find(ann_.key()))), "bad-signature", "signature");
  ExpectRefused(Repaired(WithBitTurned(kSignature, own + 128)), "not-authentic", "signature");  // MODEL's digest.
  // The other sections' checksums are.
  ExpectRefused(Repaired(WithBitTurned(kModel, 9)), "bad-signature", "signature");
  ExpectRefused(WithBitTurned(kModel, 9), "not-authentic", "model");
  ExpectRefused(WithBitTurned(kChunks, 3), "not-authentic", "chunk directory");
  ExpectRefused(WithBitTurned(kBase, SectionSize(vault_, kBase) / 2), "not-authentic", "base chunk 1");
  ExpectBase(WithBitTurned(kIndex, 20), "not-authentic", "index");
  ExpectFallsBack(WithBlobBitTurned(vault_, "residual"), "not-authentic", "delta segment 0");
}

TEST_F(BoardProofTest, BlobsThatChangedPlacesAreRefused) {
  // With their digests' checksums: INDEX says where a blob is, and is signed.
  std::string bytes = vault_;
  const VariantEntry residual = EntryOf(bytes, "residual"), ternary = EntryOf(bytes, "ternary");
  const size_t size = std::min(residual.size, ternary.size);
  const std::string one = bytes.substr(residual.offset, size), other = bytes.substr(ternary.offset, size);
  bytes.replace(residual.offset, size, other);
  bytes.replace(ternary.offset, size, one);
  TrustingBoard board(bytes, trust_);
  const BoardRun run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_THAT(run.output, HasSubstr("boot: residual is not used: not-authentic\n"));
  EXPECT_THAT(run.output, HasSubstr("boot: ternary is not used: not-authentic\n"));
  EXPECT_EQ(ReportLine(run.output, "boot")["source"], "base");
}

TEST_F(BoardProofTest, ARevokedVariantFallsBackAndTheBoardSaysSo) {
  trust_.least_revocation = 3;
  trust_.revocations = RevocationBytes(plan_, {RevokedVariant("residual")}, 3, {ann_});
  ExpectFallsBack(vault_, "revoked", "revocations");
  trust_.revocations = RevocationBytes(plan_, {RevokedVariant("residual"), RevokedVariant("ternary")}, 4, {ann_});
  TrustingBoard board(vault_, trust_);
  const BoardRun run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output, HasSubstr("boot: residual is not used: revoked\n"));
  EXPECT_THAT(run.output, HasSubstr("boot: ternary is not used: revoked\n"));
  EXPECT_EQ(ReportLine(run.output, "boot")["source"], "base");
  EXPECT_EQ(board.ReadSelection(), SwitchedTwice());
}

TEST_F(BoardProofTest, ARevokedTenantsVariantsFallBackToo) {
  plan_.tenants = {TestTenant("resid", bob_, std::nullopt)};
  const std::string vault = SignedBytes(TheSmallVault().bytes, plan_, {ann_}, {bob_});
  TrustingBoard board(vault, trust_);
  EXPECT_EQ(board.Boots(), "selected residual");
  trust_.revocations = RevocationBytes(plan_, {{RevocationKind::kTenant, kBelowEveryVersion, bob_.key()}}, 3, {ann_});
  ExpectFallsBack(vault, "revoked", "revocations");
}

TEST_F(BoardProofTest, AVariantThatItsTenantHasNotSignedFallsBack) {
  plan_.tenants = {TestTenant("resid", bob_, std::nullopt)};
  const std::string vault = SignedBytes(TheSmallVault().bytes, plan_, {ann_}, {bob_});
  ExpectFallsBack(
      SignedAgain(vault, [&](SignatureSection* section) { section->tenants[0].signature = kNoSignature; }, {ann_}),
      "unsigned", "signature");
  ExpectFallsBack(SignedAgain(vault, [&](SignatureSection* section) { section->tenants[0].signature[3] ^= 1; }, {ann_}),
                  "bad-signature", "signature");
}

TEST_F(BoardProofTest, ATrialOfARevokedVariantIsRejected) {
  trust_.revocations = RevocationBytes(plan_, {RevokedVariant("dense")}, 3, {ann_});
  TrustingBoard board(vault_, trust_);
  const BoardRun run = board.Run(StrapCommand::kConsole, "select dense\nboot\nverify\nexit\n");
  EXPECT_THAT(run.output, HasSubstr("  proof: revoked in revocations\nboot: dense is not used: revoked\n"
                                    "boot: dense is rejected\nboot: restoring residual\n"));
  EXPECT_THAT(run.output, HasSubstr("  proof: revoked in revocations\nBAD  dense\n"));
  EXPECT_EQ(board.Boots(), "selected residual");
}

TEST_F(BoardProofTest, WithoutTheListThatMustBeThereOnlyTheBaseBoots) {
  trust_.least_revocation = 3;
  ExpectBase(vault_, "rolled-back", "revocations");
  trust_.revocations = RevocationBytes(plan_, {}, 2, {ann_});
  ExpectBase(vault_, "rolled-back", "revocations");
  trust_.revocations = RevocationBytes(plan_, {}, 3, {});
  ExpectBase(vault_, "unsigned", "revocations");
  trust_.revocations = std::string(100, '\0');
  ExpectBase(vault_, "bad-magic", "revocations");
}

TEST_F(BoardProofTest, AKeySetIsFollowedByTheOneItHasSigned) {
  TrustingBoard board(SignedByTheNextKeySet(), trust_);
  EXPECT_EQ(board.Boots(), "selected residual");
}

TEST_F(BoardProofTest, ASealedVariantBootsOnABoardOfItsGroup) {
  const CodedVariant& residual = TheSmallVault().models.variant("residual");
  const SecretKey content = TestSecret(7);
  const std::string vault =
      SealedBytes(TheSmallVault().bytes, plan_, {ann_}, bob_, TestTenant("s.", bob_, content, {TestGroup(5)}), content,
                  {{"s.residual", &residual}});
  const size_t at = vault.find("s.~");
  ASSERT_NE(at, std::string::npos);
  const std::string select = "select " + vault.substr(at, 3 + 16) + "\nboot\nverify\nexit\n";
  for (const int group : {0, 5, 6}) {
    SCOPED_TRACE(group);
    trust_.device_key.fill(static_cast<uint8_t>(group));
    TrustingBoard board(vault, trust_);
    const BoardRun run = board.Run(StrapCommand::kConsole, select);
    auto report = ReportLine(run.output, "boot");
    if (group == 5) {
      EXPECT_EQ(report["source"], "trial") << run.output;
      EXPECT_EQ(report["xxh64"], TheSmallVault().xxh64.at("residual"));
      EXPECT_THAT(run.output, HasSubstr("good s.~"));
    } else {
      EXPECT_EQ(report["name"], "residual") << run.output;
      EXPECT_THAT(run.output, HasSubstr(" is not used: sealed\n"));
      EXPECT_THAT(run.output, HasSubstr("BAD  s.~"));
    }
  }
}

// A board that has started a vault remembers it, whatever its straps say.
TEST_F(BoardProofTest, AnOlderVaultDoesNotComeBack) {
  SigningPlan older = plan_;
  older.version = kVersion - 1;
  TrustingBoard board(Signed(older), trust_);
  EXPECT_EQ(board.Boots(), "selected residual");
  board.emulated().WriteVault(0, vault_);
  EXPECT_EQ(board.Boots(), "selected residual");
  board.emulated().WriteVault(0, Signed(older));
  const BoardRun run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, StartsWith("vault: rolled-back in signature\nboot status=rolled-back source=nothing "));
  EXPECT_EQ(run.counts.at("flash_stores"), 0);
  board.emulated().WriteVault(0, vault_);
  EXPECT_EQ(board.Boots(), "selected residual");
}

TEST_F(BoardProofTest, AnOlderKeySetDoesNotComeBack) {
  TrustingBoard board(SignedByTheNextKeySet(), trust_);
  EXPECT_EQ(board.Boots(), "selected residual");
  board.emulated().WriteVault(0, vault_);
  EXPECT_THAT(board.Run(StrapCommand::kBootAndExit).output, StartsWith("vault: untrusted in signature\n"));
}

TEST_F(BoardProofTest, AnOlderRevocationListDoesNotComeBack) {
  TrustingBoard board(vault_, trust_);
  trust_.revocations = RevocationBytes(plan_, {RevokedVariant("residual")}, 3, {ann_});
  board.Trust(trust_);
  EXPECT_EQ(board.Boots(), "last-good ternary");
  for (const std::string& list : {RevocationBytes(plan_, {}, 2, {ann_}), std::string()}) {
    trust_.revocations = list;
    board.Trust(trust_);
    const BoardRun run = board.Run(StrapCommand::kBootAndExit);
    EXPECT_THAT(run.output, StartsWith("vault: rolled-back in revocations\nvault: its base alone\n"));
  }
  // One that revokes it no more.
  trust_.revocations = RevocationBytes(plan_, {}, 4, {ann_});
  board.Trust(trust_);
  EXPECT_EQ(board.Boots(), "selected residual");
}

TEST_F(BoardProofTest, WhatIsRememberedIsWrittenOnce) {
  TrustingBoard board(vault_, trust_);
  EXPECT_GT(board.Run(StrapCommand::kBootAndExit).counts.at("flash_stores"), 0);
  EXPECT_EQ(board.Run(StrapCommand::kBootAndExit).counts.at("flash_stores"), 0);
}

TEST_F(BoardProofTest, AnEngineThatIsLoadedAgainIsProvenAgain) {
  TrustingBoard board(vault_, trust_);
  const BoardRun run = board.Run(StrapCommand::kBoot, "verify\nboot\nexit\n");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output, HasSubstr("good residual\n"));
  EXPECT_THAT(run.output, Not(HasSubstr("BAD")));
}

TEST_F(BoardProofTest, ABoardThatWasBuiltWithoutCryptographyProvesNothing) {
  Board board(vault_, MODELVAULT_NO_CRYPTO_BOARD_IMAGE);
  EXPECT_EQ(board.Boots(), "selected base");
  board.Trust(trust_);
  const BoardRun run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, StartsWith("vault: no-crypto in unknown place\nboot status=no-crypto source=nothing "));
}

TEST_F(BoardProofTest, MeasuringProvesToo) {
  TrustingBoard board(vault_, trust_);
  EXPECT_EQ(ReportLine(board.Run(StrapCommand::kMeasure).output, "measure")["status"], "ok");
  trust_.key_set[0] ^= 1;
  board.Trust(trust_);
  EXPECT_EQ(ReportLine(board.Run(StrapCommand::kMeasure).output, "measure")["status"], "untrusted");
}

}  // namespace
}  // namespace modelvault
