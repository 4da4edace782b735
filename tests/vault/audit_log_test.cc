// The log of a signed vault: what changes say in it, and that nothing of it is changed unseen.
#include "vault/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_vault.h"
#include "vault/manifest.h"
#include "vault/vault_editor.h"
#include "vault/vault_reader.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AuditLogTest : public testing::Test {
 protected:
  AuditLogTest() {
    EXPECT_THAT(WriteVault(files_, path_, MakeTestContents(20, 6, 40000)), IsOk());
    options_.log_time = 1000;
  }

  void Sign(const KeySet& set, const std::vector<TestKey>& keys) {
    options_.sign_root = SignerOf(keys);
    ASSERT_THAT(PrepareSignature(files_, path_, TestPlan(set), options_), IsOk());
    options_.sign_root = nullptr;
  }
  StoredLog Stored() {
    const auto vault = VaultReader::Open(files_, path_);
    EXPECT_THAT(vault, IsOk());
    return vault.ok() ? (*vault)->file_headers().log : StoredLog();
  }
  std::vector<LogEntry> Log() {
    const auto log = DecodeLog(Stored());
    EXPECT_THAT(log, IsOk());
    return log.ok() ? *log : std::vector<LogEntry>();
  }
  // As an action of the log has it.
  std::array<uint8_t, kLogDigestSize> DigestOfBlob(const std::string& name) {
    std::array<uint8_t, kLogDigestSize> digest = {};
    const auto vault = VaultReader::Open(files_, path_);
    const auto blob = (*vault)->signed_variant(name);
    EXPECT_THAT(blob, IsOk());
    if (blob.ok()) std::copy_n(blob->digest.data, digest.size(), digest.begin());
    return digest;
  }

  const TempFolder folder_;
  FileSystem& files_ = FileSystem::Default();
  const std::string path_ = folder_.File("v");
  const TestKey ann_{1}, bob_{2};
  const KeySet set_ = TestKeySet({ann_, bob_}, 1);
  VaultWriterOptions options_;
};

TEST_F(AuditLogTest, BeginsWithSignature) {
  EXPECT_THAT(Stored().entries, IsEmpty());
  ASSERT_THAT(ChangeVault(files_, path_, {}), IsOk());
  EXPECT_THAT(Stored().entries, IsEmpty());
  Sign(set_, {ann_});
  EXPECT_THAT(
      Log(),
      ElementsAre(LogEntry{
          .version = 1, .time = 1000, .actions = {{.kind = LogActionKind::kBegun, .count = 6}}, .signers_before = {}}));
}

TEST_F(AuditLogTest, TellsWhatEveryChangeDidAndWhoHadSignedBefore) {
  Sign(set_, {ann_});
  VaultChanges changes;
  changes.remove = {"dept-0", "dept-2"};
  changes.rename = {{"dept-1", "renamed"}};
  changes.compact = true;
  options_.log_time = 2000;
  ASSERT_THAT(ChangeVault(files_, path_, changes,
                          {MakeTestVariant("added", 1, false, 9), MakeTestVariant("dept-2", 1, false, 10)}, options_),
              IsOk());
  std::vector<LogEntry> log = Log();
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(log[1].version, 2u);
  EXPECT_EQ(log[1].time, 2000u);
  EXPECT_THAT(log[1].signers_before, ElementsAre(ann_.key()));
  EXPECT_THAT(log[1].actions,
              testing::UnorderedElementsAre(
                  LogAction{.kind = LogActionKind::kRemoved, .name = "dept-0"},
                  LogAction{.kind = LogActionKind::kReplaced, .name = "dept-2", .digest = DigestOfBlob("dept-2")},
                  LogAction{.kind = LogActionKind::kRenamed, .name = "dept-1", .new_name = "renamed"},
                  LogAction{.kind = LogActionKind::kCompacted},
                  LogAction{.kind = LogActionKind::kAdded, .name = "added", .digest = DigestOfBlob("added")}));

  // Nobody has signed that one: the next change says so.
  ASSERT_THAT(ChangeVault(files_, path_, {}, {}, options_), IsOk());
  log = Log();
  ASSERT_EQ(log.size(), 3u);
  EXPECT_EQ(log[2].version, 2u);
  EXPECT_THAT(log[2].signers_before, IsEmpty());
  EXPECT_THAT(log[2].actions, IsEmpty());
}

TEST_F(AuditLogTest, TellsOfKeys) {
  Sign(set_, {ann_, bob_});
  KeySet next = TestKeySet({bob_}, 1, 2);
  SignNext(set_, {ann_}, &next);
  SigningPlan plan = TestPlan(set_);
  plan.version = 2;
  plan.key_sets = {set_, next};
  ASSERT_THAT(PrepareSignature(files_, path_, plan, options_), IsOk());
  plan.version = 3;
  ASSERT_THAT(PrepareSignature(files_, path_, plan, options_), IsOk());
  const std::vector<LogEntry> log = Log();
  ASSERT_EQ(log.size(), 3u);
  EXPECT_THAT(log[1].actions, ElementsAre(LogAction{.kind = LogActionKind::kKeys, .count = 2}));
  EXPECT_THAT(log[1].signers_before, testing::UnorderedElementsAre(ann_.key(), bob_.key()));
  EXPECT_THAT(log[2].actions, ElementsAre(LogAction{.kind = LogActionKind::kRestated}));
  const auto vault = VaultReader::Open(files_, path_);
  ASSERT_THAT(vault, IsOk());
  EXPECT_THAT((*vault)->CheckSigned(), IsOk());
}

TEST_F(AuditLogTest, IsChained) {
  Sign(set_, {ann_});
  for (int i = 0; i < 3; ++i) ASSERT_THAT(ChangeVault(files_, path_, {}, {}, options_), IsOk());
  const StoredLog stored = Stored();
  ASSERT_EQ(stored.entries.size(), 4u);
  const std::vector<Digest> chain = ChainOf(stored);
  EXPECT_EQ(chain.back(), stored.digest);
  const auto refused = StatusIs(StatusCode::kDataLoss, HasSubstr("they were changed"));
  for (size_t i = 0; i < stored.entries.size(); ++i) {
    StoredLog forged = stored;
    forged.entries[i].back() ^= 1;
    EXPECT_THAT(DecodeLog(forged), refused) << i;
    forged = stored;
    forged.entries.erase(forged.entries.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(DecodeLog(forged), refused) << i;
    // MANIFEST with it is not read.
    FileHeaders headers;
    headers.log = forged;
    const auto manifest = EncodeManifest(headers);
    ASSERT_THAT(manifest, IsOk());
    EXPECT_THAT(DecodeManifest({reinterpret_cast<const uint8_t*>(manifest->data()), manifest->size()}), refused);
  }
  StoredLog swapped = stored;
  AppendLog({.version = 9, .time = 5, .actions = {}, .signers_before = {}}, &swapped);
  std::swap(swapped.entries[3], swapped.entries[4]);
  EXPECT_THAT(DecodeLog(swapped), refused);
}

TEST_F(AuditLogTest, EntriesThatDoNotParseAreNamed) {
  LogEntry entry{.version = 1, .time = 2, .actions = {}, .signers_before = {}};
  for (const int kind : {0, 10}) {
    StoredLog log;
    AppendLog(entry, &log);
    LogEntry bad = entry;
    bad.actions = {{.kind = static_cast<LogActionKind>(kind)}};
    AppendLog(bad, &log);
    EXPECT_THAT(DecodeLog(log), StatusIs(StatusCode::kDataLoss, HasSubstr("entry 2 does not parse"))) << kind;
  }
  StoredLog log;
  log.entries = {"\xff"};
  log.digest = ChainLog({}, log.entries[0]);
  EXPECT_THAT(DecodeLog(log), StatusIs(StatusCode::kDataLoss, HasSubstr("entry 1 does not parse")));
}

TEST_F(AuditLogTest, TimeMayBeFixed) {
  ASSERT_EQ(::setenv("SOURCE_DATE_EPOCH", "1234567890", 1), 0);
  EXPECT_EQ(LogTime(), 1234567890u);
  ASSERT_EQ(::setenv("SOURCE_DATE_EPOCH", "never", 1), 0);
  EXPECT_GT(LogTime(), 1700000000u);
  ASSERT_EQ(::unsetenv("SOURCE_DATE_EPOCH"), 0);
}

}  // namespace
}  // namespace modelvault
