// Writes the seeds of the fuzz targets vault_view, signature, revocations and sealed (tests/fuzz) anew, for when the
// format changes (tests/regenerate):
//
//   make_vault_fuzz_seeds tests/fuzz/corpus
#include <algorithm>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz/seeds_main.h"
#include "tests/temp_folder.h"
#include "tests/vault/revoking_vault.h"
#include "tests/vault/sealed_seeds.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_vault.h"
#include "vault/section_encoder.h"

namespace modelvault {
namespace {

// How the target takes what follows.
constexpr char kView = 0, kRepairedView = 1, kReader = 2, kHead = 3;

class SeedWriter {
 public:
  explicit SeedWriter(const std::string& corpus)
      : folder_(corpus + "/vault_view/"),
        signature_folder_(corpus + "/signature/"),
        list_folder_(corpus + "/revocations/") {}

  void Put(const std::string& name, char mode, const std::string& bytes) {
    std::ofstream out(folder_ + name, std::ios::binary);
    out << mode << bytes;
    ok_ = ok_ && out.flush().good();
  }

  // SIGNATURE of a vault with sections of 16 times these sizes and this INDEX.
  void PutSignature(const std::string& name, char mode, const std::vector<uint16_t>& sizes,
                    const std::vector<VaultVariant>& variants, const SignatureSection& section) {
    std::string bytes = {mode, static_cast<char>(variants.size())};
    const auto put16 = [&](size_t value) {
      bytes += static_cast<char>(value);
      bytes += static_cast<char>(value >> 8);
    };
    for (const uint16_t size : sizes) put16(size);
    const std::string index = EncodeIndex(variants, false);
    put16(index.size());
    std::ofstream out(signature_folder_ + name, std::ios::binary);
    out << bytes << index << EncodeSignature(section);
    ok_ = ok_ && out.flush().good();
  }

  // A list as it is, and one that the target signs.
  void PutList(const std::string& name, const RevocationList& list) {
    for (const char mode : {'\0', '\1'}) {
      std::ofstream out(list_folder_ + name + (mode == 0 ? "" : "_signed"), std::ios::binary);
      out << mode << EncodeRevocations(list);
      ok_ = ok_ && out.flush().good();
    }
  }

  // A vault of `contents`, after `changes`.
  void PutVault(const std::string& name, char mode, const TestContents& contents,
                const VaultWriterOptions& options = {}, const VaultChanges& changes = {}) {
    const TempFolder folder;
    FileSystem& files = FileSystem::Default();
    absl::Status written = WriteVault(files, folder.File("v"), contents, options);
    if (written.ok() && !changes.remove.empty()) written = ChangeVault(files, folder.File("v"), changes);
    ok_ = ok_ && written.ok();
    Put(name, mode, folder.Read("v"));
  }

  bool ok() const { return ok_; }

 private:
  const std::string folder_;
  const std::string signature_folder_;
  const std::string list_folder_;
  bool ok_ = true;
};

ObjectDigests TestDigests(size_t tiles) {
  ObjectDigests digests;
  digests.tiles.resize(tiles);
  return digests;
}

void WriteSignatures(SeedWriter* out) {
  const TestKey ann(1), bob(2), cat(3);
  const KeySet first = TestKeySet({ann}, 1);
  KeySet second = TestKeySet({ann, bob, cat}, 2, 2);
  SignNext(first, {ann}, &second);
  SignatureSection section;
  section.vault_id.fill(7);
  section.version = 2;
  section.not_before = 1;
  section.not_after = 2000;
  section.tile_log2 = 12;
  section.key_sets = {first, second};
  section.objects.resize(6);
  // As if a key signed with its own first byte.
  for (const PublicKey& key : second.keys) section.signatures.push_back(Signature{key[0]});
  out->PutSignature("rotated", 1, {1, 1, 1, 0, 0, 1}, {}, section);
  out->PutSignature("from_the_first", 4, {1, 1, 1, 0, 0, 1}, {}, section);
  section.key_sets = {first};
  section.signatures = {kNoSignature};
  section.objects = {TestDigests(0), TestDigests(0), TestDigests(3), TestDigests(0), TestDigests(0), TestDigests(0)};
  section.objects.push_back(TestDigests(2));
  section.objects.push_back(TestDigests(0));
  std::vector<VaultVariant> variants(2);
  variants[0].name = "large";
  variants[0].offset = 16384;
  variants[0].stored_size = 5000;
  variants[1].name = "small";
  variants[1].offset = 24000;
  variants[1].stored_size = 50;
  std::sort(variants.begin(), variants.end(), IndexOrder);
  if (variants[0].name != "large") std::swap(section.objects[6], section.objects[7]);
  out->PutSignature("tiles", 0, {1, 1, 600, 0, 0, 1}, variants, section);
  TenantRecord tenant;
  tenant.key = bob.key();
  tenant.prefix = "open";
  section.tenants = {tenant};
  tenant.prefix = "sealed-";
  tenant.flags = kTenantSealed;
  tenant.content_id.fill(1);
  tenant.groups.resize(1);
  section.tenants.push_back(tenant);
  out->PutSignature("tenants", 2, {1, 1, 600, 0, 0, 1}, variants, section);
}

void WriteRevocations(SeedWriter* out) {
  const RevokingVault vault;
  const Revocation tenant = {RevocationKind::kTenant, kBelowEveryVersion, vault.section().tenants[0].key};
  RevocationList list = vault.List({}, {});
  // A sector has room for them.
  static_cast<void>(Revoke({RevocationKind::kVariant, kRevokingVersion + 1, RevokedName("clinic/a")}, &list));
  static_cast<void>(Revoke({RevocationKind::kVariant, 2, RevokedName("b")}, &list));
  out->PutList("empty", vault.List({}, {0, 1}));
  out->PutList("variants", vault.List(list.entries, {1, 2}));
  static_cast<void>(Revoke(tenant, &list));
  out->PutList("tenant", vault.List(list.entries, {0}));
}

bool Write(const std::string& corpus) {
  SeedWriter out(corpus);
  const VaultWriterOptions wide = {.wide_chunks = true, .wide_index = true};
  out.PutVault("narrow", kView, MakeTestContents(70, 2, 300));
  out.PutVault("narrow_repaired", kRepairedView, MakeTestContents(70, 2, 300));
  out.PutVault("wide_repaired", kRepairedView, MakeTestContents(71, 2, 300), wide);
  out.PutVault("reader", kReader, MakeTestContents(72, 5, 300));
  out.PutVault("reader_hole", kReader, MakeTestContents(72, 5, 300), {},
               {.remove = {"dept-0", "dept-2"}, .rename = {}});
  out.PutVault("wide_reader", kReader, MakeTestContents(73, 3, 600), wide);
  out.PutVault("empty_reader", kReader, MakeTestContents(74, 0, 0));
  // Heads: the number of tensors, how much of the blob is at hand, the blob.
  const SegmentEntry segments[] = {{3, 1}, {1, 2}};
  out.Put("head", kHead, "\3\x20" + EncodeBlobHead({LayoutForm::kEachOnce, 3, TestLayout(3)}, segments) + "abcd");
  out.Put("head_layout", kHead, "\3\x0A" + EncodeBlobHead({LayoutForm::kEachOnce, 3, TestLayout(3)}, {}));
  const StoredLayout free = {LayoutForm::kFree, 3, std::string("\0\3\5\2\3\2\3", 7)};
  out.Put("head_free", kHead, "\3\x20" + EncodeBlobHead(free, segments) + "abcd");
  TestContents freely = MakeTestContents(75, 2, 300);
  freely.variants[1].layout = free;
  out.PutVault("reader_free", kReader, freely);
  TestContents talking = MakeTestContents(76, 2, 300);
  talking.network = "what they compute";
  out.PutVault("network_repaired", kRepairedView, talking);
  out.PutVault("reader_network", kReader, talking);
  WriteSignatures(&out);
  WriteRevocations(&out);
  out.Put("head_plain", kHead, "\3\2" + EncodeBlobHead({}, {}) + "abcdef");
  return out.ok();
}

bool WriteSealed(const std::string& corpus) {
  bool ok = true;
  for (const auto& [name, seed] : SealedSeeds()) {
    std::ofstream out(corpus + "/sealed/" + name, std::ios::binary);
    out << seed;
    ok = ok && out.flush().good();
  }
  return ok;
}

bool WriteAll(const std::string& corpus) { return Write(corpus) && WriteSealed(corpus); }

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) { return modelvault::WriteSeeds(argc, argv, modelvault::WriteAll); }
