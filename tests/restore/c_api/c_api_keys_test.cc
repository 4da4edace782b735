// The C library with keys: whose vaults it takes, what it opens, and the code of every refusal. Most of it is asked of
// the golden vault with tenants: acme. is sealed for the ward, beta. for ward and clinic, open. is not sealed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <modelvault/modelvault.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/firmware_riscv/signed_bytes.h"
#include "tests/restore/c_api/c_vault.h"
#include "tests/restore/forged_vault.h"
#include "tests/temp_folder.h"
#include "tests/vault/signed_golden.h"
#include "vault/hex_text.h"
#include "vault/keys/key_text.h"

namespace modelvault {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int64_t kValid = 1700000000;  // The golden vaults are valid from then on.

std::string Golden(const std::string& name) {
  std::ifstream in(absl::StrCat(MODELVAULT_SOURCE_DIR "/tests/vault/golden/", name), std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}
std::string GoldenKey(const std::string& name) { return Golden("keys-1.4/" + name); }

mv_input InMemory(const std::string& bytes) { return {nullptr, bytes.data(), bytes.size()}; }
mv_input InFile(const std::string& path) { return {path.c_str(), nullptr, 0}; }

std::string PublicText(const TestKey& key) { return std::string(FormatKey(KeyKind::kSigningPublic, key.key()).text()); }

// Options as they are built up; what they lead to is theirs.
class Options {
 public:
  Options() { options_.struct_size = sizeof(options_); }
  Options(const Options&) = delete;

  Options& Trust(const std::string& text) {
    trusted_.push_back(Keep(text));
    return *this;
  }
  Options& Open(const std::string& text) {
    opening_.push_back(Keep(text));
    return *this;
  }
  Options& Revocations(const std::string& bytes) {
    revocations_ = Keep(bytes);
    options_.revocations = &revocations_;
    return *this;
  }
  Options& At(int64_t time) {
    options_.time = time;
    return *this;
  }
  // For what the others do not set.
  mv_open_options* operator->() { return &options_; }

  const mv_open_options* get() {
    if (!trusted_.empty()) options_.trusted_keys = trusted_.data();
    options_.trusted_key_count = trusted_.size();
    if (!opening_.empty()) options_.opening_keys = opening_.data();
    options_.opening_key_count = opening_.size();
    return &options_;
  }

 private:
  mv_input Keep(const std::string& text) {
    kept_.push_back(std::make_unique<std::string>(text));
    return InMemory(*kept_.back());
  }

  mv_open_options options_ = {};
  std::vector<std::unique_ptr<std::string>> kept_;
  std::vector<mv_input> trusted_, opening_;
  mv_input revocations_ = {};
};

class CApiKeysTest : public testing::Test {
 protected:
  VaultHandle Open(const std::string& bytes, const mv_open_options* options) {
    mv_vault* vault = nullptr;
    code_ = mv_vault_open_memory_with(bytes.data(), bytes.size(), "v.mvlt", options, &vault, failure_.out());
    EXPECT_EQ(code_, failure_.code());
    EXPECT_EQ(vault == nullptr, code_ != MV_CODE_OK);
    return VaultHandle(vault);
  }
  mv_code OpenCode(const std::string& bytes, Options& options) {
    static_cast<void>(Open(bytes, options.get()));
    return code_;
  }
  // The golden vault as its owner trusts it.
  Options& TrustRoot(Options* options) { return options->Trust(root_).At(kValid); }
  // What the model's file has, or what the failure says.
  mv_code Restore(const VaultHandle& vault, const std::string& name, std::string* file = nullptr) {
    const ModelHandle model = OpenModel(vault, name, &failure_);
    if (model == nullptr) return failure_.code();
    Collected collected;
    const mv_code code = mv_model_stream_file(model.get(), &Collect, &collected, nullptr, failure_.out());
    if (file != nullptr) *file = collected.bytes;
    return code;
  }
  void ExpectRestores(const VaultHandle& vault, const std::string& name, const std::string& input) {
    std::string file;
    EXPECT_EQ(Restore(vault, name, &file), MV_CODE_OK) << failure_.message();
    EXPECT_EQ(file, Golden(absl::StrCat("inputs/", input, ".safetensors"))) << name;
  }

  const std::string tenants_ = Golden("v1.4-tenants.mvlt");
  const std::string root_ = GoldenKey("root.pub"), ward_ = GoldenKey("ward.key"), clinic_ = GoldenKey("clinic.key");
  const std::string list_ = Golden("v1.4-tenants.revocations");
  const TempFolder folder_;
  Failure failure_;
  mv_code code_ = MV_CODE_OK;
};

// --- Sealed variants.

TEST_F(CApiKeysTest, SealedVariantsComeBackBitForBit) {
  const std::string key_path = folder_.Write("ward.key", ward_), trusted_path = folder_.Write("root.pub", root_);
  ASSERT_EQ(::chmod(key_path.c_str(), 0600), 0);
  const mv_input key = InFile(key_path), trusted = InFile(trusted_path);
  mv_open_options options = {};
  options.struct_size = sizeof(options);
  options.require_signature = 1;
  options.trusted_keys = &trusted;
  options.trusted_key_count = 1;
  options.opening_keys = &key;
  options.opening_key_count = 1;
  options.time = kValid;
  const std::string path = folder_.Write("v", tenants_);
  mv_vault* by_path = nullptr;
  EXPECT_EQ(mv_vault_open_with(path.c_str(), &options, &by_path, failure_.out()), MV_CODE_OK) << failure_.message();
  TestSource bytes(&tenants_);
  const mv_source source = bytes.source();
  mv_vault* by_source = nullptr;
  EXPECT_EQ(mv_vault_open_source_with(&source, &options, &by_source, failure_.out()), MV_CODE_OK) << failure_.message();
  Options in_memory;
  const VaultHandle vaults[] = {VaultHandle(by_path), VaultHandle(by_source),
                                Open(tenants_, TrustRoot(&in_memory).Open(ward_).get())};
  for (const VaultHandle& vault : vaults) {
    ASSERT_NE(vault, nullptr) << failure_.message();
    ExpectRestores(vault, "acme.heart", "cardiology");
    ExpectRestores(vault, "beta.liver", "ultrasound");
    ExpectRestores(vault, "beta.same", "unchanged");
    ExpectRestores(vault, "open.lung", "cardiology");
    EXPECT_EQ(mv_vault_verify(vault.get(), nullptr, failure_.out()), MV_CODE_OK) << failure_.message();
    // Digests and names are those of any variant.
    mv_model_info sealed = {}, plain = {};
    sealed.struct_size = plain.struct_size = sizeof(sealed);
    EXPECT_EQ(mv_model_get_info(OpenModel(vault, "acme.heart", &failure_).get(), &sealed, nullptr), MV_CODE_OK);
    EXPECT_STREQ(sealed.name, "acme.heart");
    EXPECT_EQ(mv_model_get_info(OpenModel(vault, "cardiology", &failure_).get(), &plain, nullptr), MV_CODE_OK);
    EXPECT_STREQ(sealed.xxh3_128, plain.xxh3_128);
    EXPECT_STREQ(sealed.xxh64, plain.xxh64);
  }
}

TEST_F(CApiKeysTest, AKeyOpensWhatIsSealedForItAndNoMore) {
  Options clinic, content;
  VaultHandle vault = Open(tenants_, clinic.Open(clinic_).get());
  ExpectRestores(vault, "beta.liver", "ultrasound");
  EXPECT_EQ(Restore(vault, "acme.heart"), MV_CODE_SEALED);
  vault = Open(tenants_, content.Open(GoldenKey("acme.content")).get());
  ExpectRestores(vault, "acme.heart", "cardiology");
  EXPECT_EQ(Restore(vault, "beta.liver"), MV_CODE_SEALED);
}

TEST_F(CApiKeysTest, WithoutItsKeyAVariantIsSealed) {
  Options none, wrong;
  wrong.Open(std::string(FormatKey(KeyKind::kDeviceSecret, std::vector<uint8_t>(32, 99)).text()));
  for (Options* options : {&none, &wrong}) {
    const VaultHandle vault = Open(tenants_, options->get());
    ASSERT_NE(vault, nullptr) << failure_.message();
    EXPECT_EQ(Restore(vault, "acme.heart"), MV_CODE_SEALED);
    EXPECT_THAT(failure_.message(), AllOf(HasSubstr("tenant 'acme.'"), HasSubstr("needs the tenant's key")));
    EXPECT_EQ(failure_.variant(), "acme.heart");
    // By the name that everybody sees.
    mv_model_info info = {};
    info.struct_size = sizeof(info);
    ASSERT_EQ(mv_vault_variant_info(vault.get(), 0, &info, nullptr), MV_CODE_OK);
    EXPECT_THAT(info.name, StartsWith("acme.~"));
    EXPECT_EQ(Restore(vault, info.name), MV_CODE_SEALED);
    EXPECT_EQ(Restore(vault, "open.heart"), MV_CODE_NOT_FOUND);
    EXPECT_EQ(Restore(vault, "nobody"), MV_CODE_NOT_FOUND);
    ExpectRestores(vault, "ultrasound", "ultrasound");
    EXPECT_EQ(mv_vault_verify(vault.get(), nullptr, failure_.out()), MV_CODE_OK) << failure_.message();
  }
  Options right;
  const VaultHandle vault = Open(tenants_, right.Open(ward_).get());
  EXPECT_EQ(Restore(vault, "acme.hearth"), MV_CODE_NOT_FOUND);
  EXPECT_THAT(failure_.message(), HasSubstr("acme.heart'"));
}

// --- Whose vaults are taken.

TEST_F(CApiKeysTest, WhatOthersSignedOrNobodyIsUntrusted) {
  Options options, other, unsigned_one, two, golden;
  EXPECT_EQ(OpenCode(tenants_, TrustRoot(&options)), MV_CODE_OK) << failure_.message();
  EXPECT_EQ(OpenCode(tenants_, other.Trust(PublicText(TestKey(1))).At(kValid)), MV_CODE_UNTRUSTED);
  EXPECT_THAT(failure_.message(), HasSubstr("signed by others"));
  EXPECT_NE(failure_.offset(), MV_NO_OFFSET);
  TrustRoot(&unsigned_one)->require_signature = 1;
  EXPECT_EQ(OpenCode(Golden("v1.0.mvlt"), unsigned_one), MV_CODE_UNTRUSTED);
  EXPECT_THAT(failure_.message(), HasSubstr("not signed"));
  // A key that is one of several is not the key set.
  EXPECT_EQ(OpenCode(Golden("v1.4.mvlt"), two.Trust(PublicText(TestKey(2))).At(kValid)), MV_CODE_UNTRUSTED);
  for (const uint8_t seed : {uint8_t{2}, uint8_t{3}, uint8_t{4}}) golden.Trust(PublicText(TestKey(seed)));
  golden.At(kValid)->threshold = 2;
  EXPECT_EQ(OpenCode(Golden("v1.4.mvlt"), golden), MV_CODE_OK) << failure_.message();
  golden->threshold = 3;
  EXPECT_EQ(OpenCode(Golden("v1.4.mvlt"), golden), MV_CODE_UNTRUSTED);
}

TEST_F(CApiKeysTest, OlderVaultsAreRolledBack) {
  Options options;
  TrustRoot(&options)->least_version = 5;
  EXPECT_EQ(OpenCode(tenants_, options), MV_CODE_OK) << failure_.message();
  options->least_version = 6;
  EXPECT_EQ(OpenCode(tenants_, options), MV_CODE_ROLLED_BACK);
  EXPECT_THAT(failure_.message(), HasSubstr("version 5 of the vault, expected at least 6"));
}

TEST_F(CApiKeysTest, VaultsAreValidForATime) {
  const struct {
    int64_t time;
    mv_code code;
  } cases[] = {{kValid - 1, MV_CODE_EXPIRED},
               {kValid, MV_CODE_OK},
               {4102444800, MV_CODE_OK},
               {4102444801, MV_CODE_EXPIRED},
               {MV_TIME_UNKNOWN, MV_CODE_OK}};
  for (const auto& [time, code] : cases) {
    Options options;
    EXPECT_EQ(OpenCode(tenants_, options.Trust(root_).At(time)), code) << time << failure_.message();
  }
  // 0 is now, which is later than this.
  SigningPlan plan = TestPlan(TestKeySet({TestKey(1)}, 1));
  plan.not_after = kValid;
  const std::string old = SignedBytes(Golden("v1.0.mvlt"), plan, {TestKey(1)});
  Options now;
  EXPECT_EQ(OpenCode(old, now.Trust(PublicText(TestKey(1)))), MV_CODE_EXPIRED);
  EXPECT_EQ(OpenCode(old, now.At(kValid)), MV_CODE_OK) << failure_.message();
}

TEST_F(CApiKeysTest, WhatIsRevokedIsRefused) {
  Options options;
  TrustRoot(&options).Open(ward_).Revocations(list_)->least_revocations = 3;
  const VaultHandle vault = Open(tenants_, options.get());
  ASSERT_NE(vault, nullptr) << failure_.message();
  EXPECT_EQ(Restore(vault, "open.lung"), MV_CODE_REVOKED);
  EXPECT_THAT(failure_.message(), HasSubstr("revoked with its tenant"));
  EXPECT_EQ(failure_.variant(), "open.lung");
  EXPECT_EQ(Restore(vault, "beta.liver"), MV_CODE_REVOKED);
  ExpectRestores(vault, "beta.same", "unchanged");
  ExpectRestores(vault, "base", "base");
  EXPECT_EQ(mv_vault_verify(vault.get(), nullptr, failure_.out()), MV_CODE_REVOKED);
  EXPECT_EQ(failure_.variant(), "beta.liver");

  options->least_revocations = 4;
  EXPECT_EQ(OpenCode(tenants_, options), MV_CODE_ROLLED_BACK);
  EXPECT_THAT(failure_.message(), StartsWith("options->revocations: the revocation list is an older one"));
  for (const size_t at : {size_t{60}, list_.size() - 1}) {  // The key set; a signature.
    std::string altered = list_;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    Options wrong;
    EXPECT_EQ(OpenCode(tenants_, TrustRoot(&wrong).Revocations(altered)), MV_CODE_UNTRUSTED) << at;
  }
  Options damaged;
  EXPECT_EQ(OpenCode(tenants_, TrustRoot(&damaged).Revocations(list_.substr(1))), MV_CODE_DAMAGED);
  // From a file, which is then what failures name.
  const std::string path = folder_.Write("list", list_.substr(1));
  const mv_input in_file = InFile(path);
  damaged->revocations = &in_file;
  EXPECT_EQ(OpenCode(tenants_, damaged), MV_CODE_DAMAGED);
  EXPECT_EQ(failure_.path(), path);
  folder_.Write("list", list_);
  const VaultHandle revoking = Open(tenants_, damaged.get());
  EXPECT_EQ(Restore(revoking, "open.lung"), MV_CODE_REVOKED);
}

// --- What is handed out.

TEST_F(CApiKeysTest, OfABlobThatWasTamperedWithNothingIsHandedOut) {
  for (const char* const name : {"acme.heart", "open.lung"}) {
    const VaultReaderOptions keys = {.trust = std::nullopt, .keys = DeviceKeys({TestSecret(130)})};
    const auto reader = VaultReader::FromFile(
        std::make_unique<MemoryFile>(std::vector<uint8_t>(tenants_.begin(), tenants_.end()), "v"), keys);
    ASSERT_THAT(reader, IsOk());
    const auto variant = (*reader)->Find(name);
    ASSERT_THAT(variant, IsOk());
    for (size_t i = 0; i < (*variant)->stored_size; ++i) {
      SCOPED_TRACE(absl::StrCat(name, ": byte ", i));
      std::string flipped = tenants_;
      char& byte = flipped[static_cast<size_t>((*variant)->offset) + i];
      byte = static_cast<char>(byte ^ (1 << i % 8));
      Options trusting, trustful;
      VaultHandle vault = Open(flipped, TrustRoot(&trusting).Open(ward_).get());
      ASSERT_NE(vault, nullptr) << failure_.message();
      std::string file;
      EXPECT_EQ(Restore(vault, name, &file), MV_CODE_UNTRUSTED) << failure_.message();
      EXPECT_EQ(file, "");
      EXPECT_EQ(failure_.variant(), name);
      EXPECT_NE(failure_.offset(), MV_NO_OFFSET);
      EXPECT_EQ(mv_vault_verify(vault.get(), nullptr, nullptr), MV_CODE_UNTRUSTED);
      ExpectRestores(vault, "ultrasound", "ultrasound");
      // Who trusts nobody sees damage.
      vault = Open(flipped, trustful.Open(ward_).get());
      EXPECT_EQ(Restore(vault, name), MV_CODE_DAMAGED);
    }
  }
}

// Of a base of many tiles those before the wrong one may have been used.
TEST_F(CApiKeysTest, OnlyWhatWasSignedIsHandedOut) {
  const PackedVault packed = PackManyVariants(1);
  const std::string signed_one = SignedBytes(packed.bytes, TestPlan(TestKeySet({TestKey(1)}, 1)), {TestKey(1)});
  const size_t begin = SectionOffset(signed_one, 2), size = SectionSize(signed_one, 2);
  const std::string whole = packed.FileOf("dept-000");
  Options options;
  options.Trust(PublicText(TestKey(1))).At(MV_TIME_UNKNOWN);
  size_t most = 0;
  for (size_t at = 0; at < size; at += size / 13) {
    std::string flipped = signed_one;
    flipped[begin + at] = static_cast<char>(flipped[begin + at] ^ 1);
    RepairEverything(reinterpret_cast<uint8_t*>(flipped.data()), flipped.size());
    // Header and CHUNKS are signed, too.
    EXPECT_EQ(OpenCode(flipped, options), MV_CODE_UNTRUSTED);
    flipped = signed_one;
    flipped[begin + at] = static_cast<char>(flipped[begin + at] ^ 1);
    const VaultHandle vault = Open(flipped, options.get());
    std::string file;
    EXPECT_EQ(Restore(vault, "dept-000", &file), MV_CODE_UNTRUSTED);
    EXPECT_EQ(file, whole.substr(0, file.size()));
    most = std::max(most, file.size());
  }
  EXPECT_GT(most, 0u);
}

TEST_F(CApiKeysTest, NoByteOfASignedVaultMayChange) {
  for (size_t at = 0; at < tenants_.size(); ++at) {
    std::string flipped = tenants_;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    RepairEverything(reinterpret_cast<uint8_t*>(flipped.data()), flipped.size());
    if (flipped == tenants_) continue;  // It was a checksum, and is right again.
    Options options;
    const VaultHandle vault = Open(flipped, TrustRoot(&options).Open(ward_).get());
    const mv_code code = vault == nullptr ? code_ : mv_vault_verify(vault.get(), nullptr, failure_.out());
    EXPECT_THAT(code, AnyOf(MV_CODE_UNTRUSTED, MV_CODE_DAMAGED, MV_CODE_UNSUPPORTED)) << at;
  }
}

// --- What is remembered of a vault.

mv_signature_info EmptyInfo() {
  mv_signature_info info = {};
  info.struct_size = sizeof(info);
  return info;
}

TEST_F(CApiKeysTest, TellsWhatToRememberForTheNextTime) {
  mv_signature_info info = EmptyInfo();
  Options options;
  VaultHandle vault = Open(tenants_, TrustRoot(&options).Revocations(list_).get());
  ASSERT_EQ(mv_vault_signature(vault.get(), &info, failure_.out()), MV_CODE_OK) << failure_.message();
  EXPECT_EQ(info.is_trusted, 1u);
  EXPECT_EQ(info.version, 5u);
  EXPECT_EQ(info.not_before, 1700000000u);
  EXPECT_EQ(info.not_after, 4102444800u);
  EXPECT_STREQ(info.vault_id, "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf");
  EXPECT_EQ(info.revocations, 3u);
  Options next;
  const std::string key_set = info.key_set;
  next.At(kValid)->key_set = key_set.c_str();
  EXPECT_EQ(OpenCode(tenants_, next), MV_CODE_OK) << failure_.message();
  EXPECT_EQ(OpenCode(Golden("v1.4.mvlt"), next), MV_CODE_UNTRUSTED);

  vault = Open(tenants_, nullptr);
  ASSERT_EQ(mv_vault_signature(vault.get(), &info, failure_.out()), MV_CODE_OK);
  EXPECT_EQ(info.is_trusted, 0u);
  EXPECT_EQ(info.version, 5u);
  EXPECT_STREQ(info.key_set, "");
  EXPECT_EQ(info.revocations, 0u);
  const std::string unsigned_one = Golden("v1.2.mvlt");
  vault = Open(unsigned_one, nullptr);
  EXPECT_EQ(mv_vault_signature(vault.get(), &info, failure_.out()), MV_CODE_NOT_FOUND);
}

// Who trusted the first key set is told of the second, and then trusts that alone.
TEST_F(CApiKeysTest, AKeySetThatWasReplacedIsRememberedNoMore) {
  const std::string rotated = Golden("v1.4.mvlt");
  const SigningPlan plan = GoldenPlan();
  mv_signature_info info = EmptyInfo();
  Options first;
  const VaultHandle vault = Open(rotated, first.Trust(PublicText(TestKey(1))).At(kValid).get());
  ASSERT_EQ(mv_vault_signature(vault.get(), &info, failure_.out()), MV_CODE_OK) << failure_.message();
  EXPECT_EQ(info.key_set, HexText(plan.key_sets[1].digest()));
  SigningPlan before = plan;
  before.key_sets.resize(1);
  const std::string by_the_first = SignedBytes(Golden("v1.2.mvlt"), before, {TestKey(1)});
  EXPECT_EQ(OpenCode(by_the_first, first), MV_CODE_OK) << failure_.message();
  Options next;
  const std::string key_set = info.key_set;
  next.At(kValid)->key_set = key_set.c_str();
  EXPECT_EQ(OpenCode(by_the_first, next), MV_CODE_UNTRUSTED);
  EXPECT_EQ(OpenCode(rotated, next), MV_CODE_OK) << failure_.message();
}

// --- Options that are wrong.

TEST_F(CApiKeysTest, KeysThatCannotBeUsedAreNamed) {
  const std::string open_to_all = folder_.Write("ward.key", ward_), missing = folder_.File("none.key");
  ASSERT_EQ(::chmod(open_to_all.c_str(), 0644), 0);
  const auto fails = [&](const mv_input& key, mv_code expected, const std::string& message, const std::string& path) {
    mv_open_options options = {};
    options.struct_size = sizeof(options);
    options.opening_keys = &key;
    options.opening_key_count = 1;
    static_cast<void>(Open(tenants_, &options));
    EXPECT_EQ(code_, expected) << failure_.message();
    EXPECT_THAT(failure_.message(), HasSubstr(message));
    EXPECT_EQ(failure_.path(), path);
  };
  fails(InFile(open_to_all), MV_CODE_INVALID_ARGUMENT, "chmod 600", open_to_all);
  fails(InFile(missing), MV_CODE_NOT_FOUND, missing, missing);
  fails(InMemory(root_), MV_CODE_INVALID_ARGUMENT, "options->opening_keys[0]: expected a tenant's content key",
        "v.mvlt");
  fails(InMemory("x"), MV_CODE_INVALID_ARGUMENT, "options->opening_keys[0]: no key", "v.mvlt");
  fails({}, MV_CODE_INVALID_ARGUMENT, "opening_keys[0]: is empty", "v.mvlt");
  fails({"path", "bytes", 5}, MV_CODE_INVALID_ARGUMENT, "opening_keys[0]: has both a path and bytes", "v.mvlt");
  Options secret, twice;
  EXPECT_EQ(OpenCode(tenants_, secret.Trust(ward_)), MV_CODE_INVALID_ARGUMENT);
  EXPECT_THAT(failure_.message(), HasSubstr("options->trusted_keys[0]: expected a public signing key"));
  EXPECT_EQ(OpenCode(tenants_, twice.Trust(root_).Trust(root_)), MV_CODE_INVALID_ARGUMENT);
  EXPECT_THAT(failure_.message(), HasSubstr("is given twice"));
  // The source is closed whatever fails.
  TestSource bytes(&tenants_);
  const mv_source source = bytes.source();
  mv_vault* vault = nullptr;
  EXPECT_EQ(mv_vault_open_source_with(&source, secret.get(), &vault, nullptr), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(bytes.closed(), 1);
}

TEST_F(CApiKeysTest, OptionsThatMakeNoSenseAreRefused) {
  const auto refused = [&](const std::string& message, const std::function<void(mv_open_options*)>& change) {
    for (const bool trusts : {false, true}) {
      Options options;
      if (trusts) TrustRoot(&options);
      change(options.operator->());
      mv_open_options changed = *options.get();
      change(&changed);
      static_cast<void>(Open(tenants_, &changed));
      EXPECT_EQ(code_, MV_CODE_INVALID_ARGUMENT) << message;
      EXPECT_THAT(failure_.message(), HasSubstr(message));
    }
  };
  refused("require_signature", [](mv_open_options* o) { o->require_signature = 2; });
  refused("reserved", [](mv_open_options* o) { o->reserved = 1; });
  refused("trusted_keys: is NULL", [](mv_open_options* o) {
    o->trusted_keys = nullptr;
    o->trusted_key_count = 1;
  });
  refused("opening_keys: is NULL", [](mv_open_options* o) { o->opening_key_count = 1; });
  refused("trusted_key_count: expected at most 16", [](mv_open_options* o) { o->trusted_key_count = 17; });
  refused("threshold: expected at most", [](mv_open_options* o) { o->threshold = 2; });
  refused("time: expected -1 or more", [](mv_open_options* o) { o->time = -2; });
  refused("least_revocations: needs revocations", [](mv_open_options* o) { o->least_revocations = 1; });
  static constexpr mv_input kNothing = {nullptr, nullptr, 0};
  refused("revocations: is empty", [](mv_open_options* o) { o->revocations = &kNothing; });
  refused("key_set: ", [](mv_open_options* o) { o->key_set = "0123456789abcdef"; });
  refused("struct_size", [](mv_open_options* o) { o->struct_size = sizeof(*o) - 1; });
  // Whom to trust must be said for what needs it.
  const std::vector<std::function<void(mv_open_options*)>> needs = {
      [](mv_open_options* o) { o->require_signature = 1; }, [](mv_open_options* o) { o->least_version = 1; },
      [](mv_open_options* o) { o->time = kValid; },
      [&](mv_open_options* o) {
        static mv_input list;
        list = InMemory(list_);
        o->revocations = &list;
      }};
  for (const auto& change : needs) {
    Options options;
    change(options.operator->());
    EXPECT_EQ(OpenCode(tenants_, options), MV_CODE_INVALID_ARGUMENT);
    EXPECT_THAT(failure_.message(), HasSubstr("whose signature is to be trusted?"));
  }
}

TEST_F(CApiKeysTest, StructsMayBeOfAnotherVersion) {
  struct {
    mv_open_options options;
    uint64_t more;
  } longer = {};
  longer.options.struct_size = sizeof(longer);
  EXPECT_NE(Open(tenants_, &longer.options), nullptr) << failure_.message();
  longer.more = 1;
  EXPECT_EQ(Open(tenants_, &longer.options), nullptr);
  EXPECT_EQ(failure_.message(), "options has members that this version of the library does not know");
  const VaultHandle vault = Open(tenants_, nullptr);
  struct {
    mv_signature_info info;
    uint64_t more;
  } info = {};
  info.info.struct_size = sizeof(info);
  info.more = 7;
  EXPECT_EQ(mv_vault_signature(vault.get(), &info.info, failure_.out()), MV_CODE_OK) << failure_.message();
  EXPECT_EQ(info.more, 0u);
  mv_signature_info shorter = EmptyInfo();
  --shorter.struct_size;
  EXPECT_EQ(mv_vault_signature(vault.get(), &shorter, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(mv_vault_signature(nullptr, &shorter, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.message(), "vault is NULL");
  EXPECT_EQ(mv_vault_signature(vault.get(), nullptr, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.message(), "info is NULL");
}

}  // namespace
}  // namespace modelvault
