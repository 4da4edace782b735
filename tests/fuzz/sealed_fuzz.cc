// Feeds SIGNATURE with tenants, and sealed blobs, to the core. The first byte says how:
//   0  SIGNATURE of a vault with as many variants as the next byte says, INDEX behind it, whose size the two bytes
//   after
//      that are: every tenant is found again, what it owns, and what it would sign
//   1  a sealed blob behind a size and a name; the library's cryptography opens what it sealed alone
//   2  a sealed header's plaintext; the base's header is what FuzzHeader says
// Whatever is accepted must lie where it says, or the program traps. But for mode 1 digests are of a few bytes and
// nothing is checked by them: what is fuzzed is the structure.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "vault/core/sealed_blob.h"
#include "vault/core/signature_view.h"
#include "vault/core/tenant_view.h"
#include "vault/core/vault_view.h"
#include "vault/crypto.h"
#include "vault/manifest.h"
#include "vault/section_encoder.h"
#include "vault/signature_section.h"

namespace modelvault {
namespace {

void Require(bool condition) {
  if (!condition) __builtin_trap();
}

// A sum of all bytes, and whatever is signed is valid if it is not zeros: the parsers' work without the arithmetic.
void SumBegin(HashState* state, const uint8_t*) { std::memset(state->bytes, 0, sizeof(uint64_t)); }
void SumAdd(HashState* state, const uint8_t* bytes, size_t size) {
  uint64_t sum = LoadLe64(state->bytes);
  for (size_t i = 0; i < size; ++i) sum = sum * 31 + bytes[i];
  StoreLe64(state->bytes, sum);
}
void SumEnd(HashState* state, uint8_t digest[kDigestSize]) {
  std::memset(digest, 0, kDigestSize);
  std::memcpy(digest, state->bytes, sizeof(uint64_t));
}
bool Valid(const uint8_t[kSignatureSize], const uint8_t*, size_t, const uint8_t[kPublicKeySize]) { return true; }
bool Agree(uint8_t shared[32], const uint8_t secret[kSecretKeySize], const uint8_t[kPublicKeySize]) {
  std::memcpy(shared, secret, 32);
  return true;
}
bool Open(uint8_t* plain, const uint8_t* cipher, size_t size, const uint8_t[kTagSize], const uint8_t*, size_t,
          const uint8_t[kSecretKeySize]) {
  std::memmove(plain, cipher, size);
  return true;
}
constexpr Crypto kSums = {SumBegin, SumAdd, SumEnd, Valid, Agree, Open};

void FuzzTenants(ByteView bytes) {
  if (bytes.size < 3) return;
  VaultHeader header;
  header.features = kFeatureSignature | kFeatureTenants;
  header.variant_count = bytes.data[0];
  const size_t index_size = LoadLe16(bytes.data + 1);
  const ByteView rest = bytes.Sub(3, bytes.size - 3);
  if (index_size > rest.size) return;
  header.section(Section::kIndex).size = index_size;
  header.section(Section::kIndex).offset = SIZE_MAX / 2;
  SignedRoot root;
  IndexView index;
  if (ParseSignature(rest.Sub(index_size, rest.size - index_size), header, &root) != CoreStatus::kOk) return;
  const bool indexed = index.Open(header, rest.Sub(0, index_size)) == CoreStatus::kOk;
  const uint8_t secret[kSecretKeySize] = {1};
  for (uint32_t i = 0; i < root.tenant_count; ++i) {
    const TenantView tenant = root.TenantAt(i);
    Require(tenant.prefix.size >= 1 && tenant.prefix.size <= kMaxTenantPrefixSize);
    Require(tenant.groups.size == tenant.group_count * kTenantGroupSize && tenant.groups.size <= root.tenants.size);
    std::string name(reinterpret_cast<const char*>(tenant.prefix.data), tenant.prefix.size);
    TenantView owner;
    Require(FindTenant(root, ToByteView(name), &owner) == CoreStatus::kOk && owner.key.data == tenant.key.data);
    uint8_t own[kSealedNameSize];
    SealedName(ToByteView(name), secret, kSums, own);
    name.append(reinterpret_cast<const char*>(own), sizeof(own));
    Require(IsSealedName(tenant, ToByteView(name)) && Owns(tenant, ToByteView(name)));
    uint8_t content[kSecretKeySize];
    (void)UnwrapContentKey(tenant, secret, kSums, content);
    if (indexed) (void)ProveTenant(root, index, tenant, kSums);
  }
  SignatureSection section = DecodeSignature(root);
  std::string again;
  for (const TenantRecord& tenant : section.tenants) again += tenant.Encode(true);
  Require(ToByteView(again).size == root.tenants.size &&
          (again.empty() || std::memcmp(again.data(), root.tenants.data, again.size()) == 0));
}

void FuzzBlob(ByteView bytes) {
  if (bytes.size < 1) return;
  const size_t name_size = bytes.data[0];
  if (bytes.size < 1 + name_size + kSealSaltSize) return;
  VariantEntry entry;
  entry.name = bytes.Sub(1, name_size);
  entry.xxh64 = LoadLe64(bytes.data + 1 + name_size);
  std::memcpy(entry.xxh3, bytes.data + 1 + name_size + 8, sizeof(entry.xxh3));
  const size_t head = 1 + name_size + kSealSaltSize;
  const ByteView stored = bytes.Sub(head, bytes.size - head);
  const uint8_t id[kVaultIdField.size] = {1};
  const uint8_t key[kSecretKeySize] = {2};
  std::vector<uint8_t> out(stored.data, stored.data + stored.size);
  OpenedBlob opened;
  const bool taken = OpenSealedBlob({id, sizeof(id)}, entry, {out.data(), out.size()}, key, HostCrypto(), out.data(),
                                    &opened) == CoreStatus::kOk;
  Require(!taken);  // Nobody has sealed anything with that key.
  if (OpenSealedBlob({id, sizeof(id)}, entry, {out.data(), out.size()}, key, kSums, out.data(), &opened) ==
      CoreStatus::kOk) {
    Require(opened.blob.size + kSealedBlobExtra == stored.size && opened.blob.data >= out.data() &&
            opened.blob.data + opened.blob.size <= out.data() + out.size());
    VaultHeader header;
    header.tensor_count = 3;
    header.max_variant_tensors = 64;
    BlobHead blob;
    (void)ParseBlobHead(opened.blob, opened.blob.size, header, &blob);
  }
}

void FuzzHeader(ByteView bytes) {
  const absl::string_view base = "the header of the base";
  const auto opened = DecodeSealedHeader({reinterpret_cast<const char*>(bytes.data), bytes.size}, base);
  if (!opened.ok()) return;
  Require(opened->header.size() <= 2 * base.size() + kMaxManifestRatio * bytes.size + kMaxManifestExtra);
  const auto encoded = EncodeSealedHeader(*opened, base);
  if (!encoded.ok()) return;  // It takes less room now, and would expand too much.
  Require(encoded->size() % kSealedHeaderStep == 0);
  const auto again = DecodeSealedHeader(*encoded, base);
  Require(again.ok() && *again == *opened);
}

}  // namespace
}  // namespace modelvault

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelvault;
  if (size == 0) return 0;
  const ByteView rest = {data + 1, size - 1};
  if (data[0] % 3 == 0) FuzzTenants(rest);
  if (data[0] % 3 == 1) FuzzBlob(rest);
  if (data[0] % 3 == 2) FuzzHeader(rest);
  return 0;
}
