// Damaged vaults: a call may fail, it never crashes, and bytes that it calls proven are the packed ones.
#include <gtest/gtest.h>
#include <modelvault/modelvault.h>

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/restore/c_api/c_vault.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

class CApiMutationTest : public testing::Test {
 protected:
  static const PackedVault& Vault() {
    static const PackedVault* const vault = new PackedVault(PackSmallVault());
    return *vault;
  }

  // Lists and restores everything. Whether a failure was seen.
  bool UseAll(const std::string& bytes) {
    const VaultHandle vault = OpenMemory(bytes, &failure_);
    if (vault == nullptr) {
      EXPECT_NE(failure_.message(), "");
      return true;
    }
    bool failed = false;
    const auto ok = [&](mv_code code) {
      EXPECT_EQ(code, failure_.code());
      EXPECT_EQ(code == MV_CODE_OK, failure_.message().empty());
      EXPECT_NE(code, MV_CODE_INTERNAL) << failure_.message();
      failed = failed || code != MV_CODE_OK;
      return code == MV_CODE_OK;
    };
    std::vector<std::string> names = {"base"};
    for (size_t i = 0; i < mv_vault_variant_count(vault.get()); ++i) {
      mv_model_info info = {};
      info.struct_size = sizeof(info);
      if (ok(mv_vault_variant_info(vault.get(), i, &info, failure_.out()))) names.push_back(info.name);
    }
    for (const std::string& name : names) {
      const ModelHandle model = OpenModel(vault, name, &failure_);
      size_t count = 0;
      if (!ok(mv_model_tensor_count(model.get(), &count, failure_.out()))) continue;
      for (size_t i = 0; i < count; ++i) {
        mv_tensor_info info = {};
        info.struct_size = sizeof(info);
        if (!ok(mv_model_tensor_info(model.get(), i, &info, failure_.out())) || info.size > 1 << 20) continue;
        std::string tensor(info.size, '?');
        ok(mv_model_read_tensor(model.get(), info.name, tensor.data(), tensor.size(), nullptr, failure_.out()));
      }
      Collected file;
      if (ok(mv_model_stream_file(model.get(), &Collect, &file, nullptr, failure_.out())) &&
          Vault().models.count(name) != 0 && !forged_) {
        EXPECT_EQ(file.bytes, Vault().FileOf(name));
      }
    }
    ok(mv_vault_verify(vault.get(), nullptr, failure_.out()));
    return failed;
  }

  Failure failure_;
  bool forged_ = false;  // Checksums are right: other bytes may be proven.
};

TEST_F(CApiMutationTest, EveryDamagedByteIsFound) {
  ASSERT_FALSE(UseAll(Vault().bytes));
  for (size_t at = 0; at < Vault().bytes.size(); at += at < 1000 ? 3 : 97) {
    std::string damaged = Vault().bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    EXPECT_TRUE(UseAll(damaged)) << "byte " << at;
  }
  for (size_t size = 0; size < Vault().bytes.size(); size += 331) {
    EXPECT_TRUE(UseAll(Vault().bytes.substr(0, size))) << size << " bytes";
  }
}

TEST_F(CApiMutationTest, LiesUnderRightChecksumsNeverCrash) {
  forged_ = true;
  TestRandom random(1502);
  int failed = 0;
  constexpr int kVaults = 3000;
  for (int i = 0; i < kVaults; ++i) {
    SCOPED_TRACE(absl::StrCat("vault ", i));
    std::string forged = Vault().bytes;
    const uint64_t changes = 1 + random.Below(3);
    for (uint64_t c = 0; c < changes; ++c) {
      // In the header, in a section, or anywhere.
      const uint64_t place = random.Below(7);
      const size_t at = place == 0   ? random.Below(248)
                        : place == 6 ? random.Below(forged.size())
                                     : SectionOffset(Vault().bytes, place - 1) +
                                           random.Below(SectionSize(Vault().bytes, place - 1) + 1);
      if (at + 8 > forged.size()) continue;
      switch (random.Below(4)) {
        case 0:
          forged[at] = static_cast<char>(random.Next());
          break;
        case 1:
          Store<uint32_t>(&forged, at, random.Below(2) == 0 ? UINT32_MAX : 0);
          break;
        case 2:
          Store<uint64_t>(&forged, at, random.Next() >> random.Below(64));
          break;
        default:
          forged[at] = static_cast<char>(forged[at] ^ (1 << random.Below(8)));
          break;
      }
    }
    RepairChecksums(&forged);
    failed += UseAll(forged) ? 1 : 0;
  }
  EXPECT_GT(failed, kVaults / 2);
}

}  // namespace
}  // namespace modelvault
