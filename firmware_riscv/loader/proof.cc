#include "codec/core/bytes.h"
#include "firmware_riscv/loader/core_errors.h"
#include "firmware_riscv/loader/modelvault_proof.h"
#include "vault/core/crypto.h"
#include "vault/core/revocation_view.h"
#include "vault/core/sealed_blob.h"
#include "vault/core/signature_view.h"
#include "vault/core/tenant_view.h"
#include "vault/core/vault_proof.h"
#include "vault/core/vault_view.h"

using modelvault::ByteView;
using modelvault::CoreStatus;
using modelvault::Crypto;
using modelvault::HashState;
using modelvault::IndexView;
using modelvault::kDigestSize;
using modelvault::kHeaderSize;
using modelvault::RevocationView;
using modelvault::RootFault;
using modelvault::Section;
using modelvault::SectionPlace;
using modelvault::SignatureObserver;
using modelvault::SignedBlobs;
using modelvault::SignedObject;
using modelvault::SignedRoot;
using modelvault::TenantView;
using modelvault::ToError;
using modelvault::TrustedKeys;
using modelvault::VariantEntry;
using modelvault::VaultHeader;

static_assert(MV_DIGEST_SIZE == kDigestSize);

namespace {

constexpr size_t kMaxVaultSize = 0x7FFFFFFF;
constexpr size_t kFeedInterval = 4096;

const Crypto& Functions(const mv_crypto* crypto) { return *reinterpret_cast<const Crypto*>(crypto); }

size_t Smaller(size_t a, size_t b) { return a < b ? a : b; }

bool Same(ByteView a, ByteView b) { return a.size == b.size && memcmp(a.data, b.data, a.size) == 0; }

// A vault that is being proven.
struct Signed {
  ByteView vault;
  const mv_watchdog& watchdog;
  const Crypto& crypto;
  VaultHeader header;
  SignedRoot root;

  CoreStatus Parse(mv_fault* fault);
  CoreStatus ProveRoot(const mv_trust& trust, uint8_t* key_set, mv_fault* fault);
  CoreStatus ProveSections(mv_fault* fault);
  CoreStatus ProveRevocations(ByteView bytes, uint64_t least_number, RevocationView* list);
  CoreStatus Prove(const SignedObject& object, size_t* bad_offset);

  ByteView SectionBytes(Section section) const {
    return vault.Sub(header.section(section).offset, header.section(section).size);
  }
  // Of a part of SIGNATURE.
  uint32_t OffsetOf(ByteView part) const {
    return static_cast<uint32_t>(part.data - SectionBytes(Section::kSignature).data);
  }
  SignatureObserver Observer() const { return {watchdog.feed, watchdog.context}; }
  void Feed() const {
    if (watchdog.feed != nullptr) watchdog.feed(watchdog.context);
  }
};

// Header and SIGNATURE, of which nothing is to be believed yet.
CoreStatus Signed::Parse(mv_fault* fault) {
  *fault = {MV_PLACE_HEADER, 0};
  const CoreStatus parsed = ParseHeader(vault.Sub(0, Smaller(vault.size, kHeaderSize)), vault.size, &header);
  if (parsed != CoreStatus::kOk) return parsed;
  if (!header.has_signature()) return CoreStatus::kUnsigned;
  *fault = {MV_PLACE_SIGNATURE, 0};
  return ParseSignature(SectionBytes(Section::kSignature), header, &root, &fault->number);
}

CoreStatus Signed::ProveRoot(const mv_trust& trust, uint8_t* key_set, mv_fault* fault) {
  *fault = {MV_PLACE_SIGNATURE, 0};
  TrustedKeys trusted;
  trusted.key_set_digest = trust.key_set;
  trusted.least_version = trust.least_version;
  trusted.now = trust.now;
  trusted.observer = Observer();
  RootFault at;
  Feed();
  const CoreStatus proven = modelvault::ProveRoot(vault.Sub(0, kHeaderSize), root, trusted, crypto, key_set, &at);
  Feed();
  if (proven == CoreStatus::kBadSignature) {
    const ByteView signatures = at.in_chain ? root.KeySetAt(at.key_set).signatures : root.signatures;
    fault->number = OffsetOf(signatures) + at.signature * static_cast<uint32_t>(modelvault::kSignatureSize);
  }
  return proven;
}

// Proves an object, tile by tile; if it is not what was signed, *bad_offset is where the tile begins.
CoreStatus Signed::Prove(const SignedObject& object, size_t* bad_offset) {
  *bad_offset = 0;
  const CoreStatus listed = ProveTileList(object, crypto);
  if (listed != CoreStatus::kOk) return listed;
  const size_t tile_size = object.tiles.size == 0 ? object.size : root.tile_size();
  const uint8_t* expected = object.tiles.size == 0 ? object.digest.data : object.tiles.data;
  size_t at = 0;
  do {
    const ByteView tile = vault.Sub(object.offset + at, Smaller(tile_size, object.size - at));
    HashState state;
    uint8_t digest[kDigestSize];
    crypto.hash_begin(&state, nullptr);
    for (size_t done = 0; done < tile.size; done += kFeedInterval) {
      Feed();
      crypto.hash_add(&state, tile.data + done, Smaller(kFeedInterval, tile.size - done));
    }
    crypto.hash_end(&state, digest);
    *bad_offset = at;
    if (memcmp(digest, expected, kDigestSize) != 0) return CoreStatus::kNotAuthentic;
    at += tile.size;
    expected += kDigestSize;
  } while (at < object.size);
  return CoreStatus::kOk;
}

// The base's chunk that reaches beyond `offset` in BASE.
uint32_t ChunkAt(const Signed& vault, size_t offset) {
  modelvault::ChunkPlace place;
  uint32_t chunk = 0;
  while (chunk + 1 < vault.header.chunk_count() &&
         FindChunk(vault.header, vault.SectionBytes(Section::kChunks), chunk, &place) == CoreStatus::kOk &&
         place.offset + place.size <= offset) {
    ++chunk;
  }
  return chunk;
}

CoreStatus Signed::ProveSections(mv_fault* fault) {
  struct Proven {
    Section section;
    mv_place place;
  };
  // INDEX last: without it there is still the base.
  static constexpr Proven kProven[] = {{Section::kModel, MV_PLACE_MODEL},
                                       {Section::kChunks, MV_PLACE_CHUNKS},
                                       {Section::kBase, MV_PLACE_BASE},
                                       {Section::kNetwork, MV_PLACE_NETWORK},
                                       {Section::kIndex, MV_PLACE_INDEX}};
  for (const Proven& proven : kProven) {
    size_t bad_offset;
    const CoreStatus status = Prove(SectionObject(root, header, proven.section), &bad_offset);
    if (status == CoreStatus::kOk) continue;
    *fault = {proven.place, static_cast<uint32_t>(bad_offset)};
    if (proven.place == MV_PLACE_BASE) fault->number = ChunkAt(*this, bad_offset);
    return status;
  }
  return CoreStatus::kOk;
}

bool IsErased(const uint8_t* sector, size_t size) {
  bool erased = true;
  for (size_t i = 0; i < Smaller(size, modelvault::kRevocationHeadSize); ++i) erased = erased && sector[i] == 0xFF;
  return erased;
}

CoreStatus Signed::ProveRevocations(ByteView bytes, uint64_t least_number, RevocationView* list) {
  CoreStatus status = ParseRevocations(bytes, list);
  Feed();
  if (status == CoreStatus::kOk) {
    status = modelvault::ProveRevocations(list, root, least_number, crypto, nullptr, Observer());
  }
  Feed();
  return status;
}

// The list in the proof's sector, if there is one.
CoreStatus ProveItsRevocations(uint64_t least_number, Signed* vault, mv_proof* proof) {
  if (proof->revocations == nullptr) return least_number == 0 ? CoreStatus::kOk : CoreStatus::kRolledBack;
  RevocationView list;
  const CoreStatus status = vault->ProveRevocations({proof->revocations, proof->revocations_size}, least_number, &list);
  if (status != CoreStatus::kOk) return status;
  proof->revocation = list.number;
  memcpy(proof->revocations_digest, list.digest, kDigestSize);
  return status;
}

// Finds the variant in the vault whose INDEX is proven, with what proves it.
CoreStatus Find(const Signed& vault, const mv_variant& variant, const IndexView& index, VariantEntry* entry,
                SignedObject* object) {
  SignedBlobs blobs(vault.root, vault.header, index);
  const ByteView name = {reinterpret_cast<const uint8_t*>(variant.name), variant.name_size};
  CoreStatus status;
  do {
    status = blobs.Next(entry, object);
  } while (status == CoreStatus::kOk && !Same(entry->name, name));
  if (status != CoreStatus::kOk) return status;
  const bool same = variant.opened == nullptr && variant.blob_offset == entry->offset &&
                    variant.blob_size == entry->size && variant.blob_checksum == entry->checksum32 &&
                    variant.digest == entry->xxh64;
  return same ? CoreStatus::kOk : CoreStatus::kBadArgument;
}

// A variant of a vault whose INDEX is proven.
struct Found {
  IndexView index;
  VariantEntry entry;
  SignedObject object;
  TenantView tenant;  // With is_owned: whose it is.
  bool is_owned;

  CoreStatus Find(const mv_variant& variant, Signed* vault, mv_fault* fault) {
    const CoreStatus parsed = vault->Parse(fault);
    if (parsed != CoreStatus::kOk) return parsed;
    *fault = {MV_PLACE_INDEX, 0};
    CoreStatus status = index.Open(vault->header, vault->SectionBytes(Section::kIndex));
    if (status == CoreStatus::kOk) status = ::Find(*vault, variant, index, &entry, &object);
    is_owned = status == CoreStatus::kOk && FindTenant(vault->root, entry.name, &tenant) == CoreStatus::kOk;
    return status;
  }
  bool is_sealed() const { return is_owned && IsSealed(tenant); }
};

CoreStatus ProveVariant(const mv_proof& proof, const mv_variant& variant, Signed* vault, mv_fault* fault) {
  Found found;
  CoreStatus status = found.Find(variant, vault, fault);
  if (status != CoreStatus::kOk) return status;
  *fault = {MV_PLACE_REVOCATIONS, 0};
  RevocationView list;
  if (proof.revocations != nullptr) {
    status = ParseRevocations({proof.revocations, proof.revocations_size}, &list);
    memcpy(list.digest, proof.revocations_digest, kDigestSize);
    if (status == CoreStatus::kOk) {
      status = CheckRevoked(list, vault->root, found.entry.name, vault->crypto, &fault->number);
    }
    if (status != CoreStatus::kOk) return status;
  }
  if (found.is_owned) {
    *fault = {MV_PLACE_SIGNATURE, vault->OffsetOf(found.tenant.signature)};
    vault->Feed();
    status = ProveTenant(vault->root, found.index, found.tenant, vault->crypto);
    vault->Feed();
    if (status != CoreStatus::kOk) return status;
  }
  *fault = {MV_PLACE_DELTA, 0};
  size_t bad_offset;
  status = vault->Prove(found.object, &bad_offset);
  // It is what was signed, but cannot be read.
  return status == CoreStatus::kOk && found.is_sealed() ? CoreStatus::kSealed : status;
}

// Decrypts a variant's blob into `out`, which has room for all that is stored of it.
CoreStatus Unseal(const uint8_t* device_key, Signed* vault, uint8_t* out, mv_variant* variant) {
  mv_fault unused;
  Found found;
  CoreStatus status = found.Find(*variant, vault, &unused);
  if (status != CoreStatus::kOk) return status;
  if (!found.is_sealed()) return CoreStatus::kBadArgument;
  uint8_t content_key[modelvault::kSecretKeySize];
  vault->Feed();
  status = UnwrapContentKey(found.tenant, device_key, vault->crypto, content_key);
  vault->Feed();
  modelvault::OpenedBlob opened;
  if (status == CoreStatus::kOk) {
    const size_t size = found.entry.size;
    memcpy(out, vault->vault.data + found.entry.offset, size);
    status = OpenSealedBlob(vault->root.vault_id(), found.entry, {out, size}, content_key, vault->crypto, out, &opened);
    vault->Feed();
  }
  memset(content_key, 0, sizeof(content_key));
  // To the compiler nobody reads that any more.
  asm volatile("" ::"r"(content_key) : "memory");
  if (status != CoreStatus::kOk) return status;
  modelvault::BlobHead head;
  status = ParseBlobHead(opened.blob, opened.blob.size, vault->header, &head);
  if (status != CoreStatus::kOk) return status;
  variant->digest = opened.xxh64;
  variant->opened = opened.blob.data;
  variant->blob_size = static_cast<uint32_t>(opened.blob.size);
  variant->blob_checksum =
      modelvault::Checksum32(head.has_directory ? opened.blob.Sub(0, head.head_size) : opened.blob);
  return CoreStatus::kOk;
}

}  // namespace

mv_error mv_prove_vault(const uint8_t* vault, size_t vault_size, const mv_trust* trust, const mv_crypto* crypto,
                        const mv_watchdog* watchdog, mv_proof* proof, mv_fault* fault) {
  mv_fault unused;
  if (fault == nullptr) fault = &unused;
  *fault = {MV_PLACE_UNKNOWN, 0};
  *proof = mv_proof{};
  proof->base = MV_REJECTED;
  proof->variants = MV_REJECTED;
  if (vault == nullptr || vault_size > kMaxVaultSize || trust->key_set == nullptr) return MV_BAD_ARGUMENT;
  if (reinterpret_cast<uintptr_t>(vault) % modelvault::kAlignment != 0) return MV_MISALIGNED;
  if (crypto == nullptr) return MV_NO_CRYPTO;
  proof->vault = vault;
  proof->vault_size = vault_size;
  if (watchdog != nullptr) proof->watchdog = *watchdog;
  if (trust->revocations != nullptr && !IsErased(trust->revocations, trust->revocations_size)) {
    proof->revocations = trust->revocations;
    proof->revocations_size = trust->revocations_size;
  }
  Signed its = {{vault, vault_size}, proof->watchdog, Functions(crypto), {}, {}};
  CoreStatus status = its.Parse(fault);
  if (status == CoreStatus::kOk) status = its.ProveRoot(*trust, proof->key_set, fault);
  if (status != CoreStatus::kOk) return ToError(status);
  status = its.ProveSections(fault);
  if (status != CoreStatus::kOk && fault->place != MV_PLACE_INDEX) return ToError(status);
  proof->version = its.root.version;
  memcpy(proof->vault_id, its.root.vault_id().data, sizeof(proof->vault_id));
  proof->base = MV_VERIFIED;
  if (status != CoreStatus::kOk) return ToError(status);
  *fault = {MV_PLACE_REVOCATIONS, 0};
  status = ProveItsRevocations(trust->least_revocation, &its, proof);
  if (status != CoreStatus::kOk) return ToError(status);
  proof->variants = MV_VERIFIED;
  *fault = {MV_PLACE_UNKNOWN, 0};
  return MV_OK;
}

mv_error mv_prove_revocations(const mv_proof* proof, const uint8_t* list, size_t size, uint64_t least_number,
                              const mv_crypto* crypto, uint64_t* number, size_t* list_size) {
  if (proof->base != MV_VERIFIED) return MV_BAD_ARGUMENT;
  if (crypto == nullptr) return MV_NO_CRYPTO;
  Signed its = {{proof->vault, proof->vault_size}, proof->watchdog, Functions(crypto), {}, {}};
  mv_fault unused;
  CoreStatus status = its.Parse(&unused);
  RevocationView view;
  if (status == CoreStatus::kOk) status = its.ProveRevocations({list, size}, least_number, &view);
  if (status != CoreStatus::kOk) return ToError(status);
  *number = view.number;
  *list_size = view.size();
  return MV_OK;
}

mv_error mv_prove_variant(const mv_proof* proof, const mv_variant* variant, const mv_crypto* crypto, mv_fault* fault) {
  mv_fault unused;
  if (fault == nullptr) fault = &unused;
  *fault = {MV_PLACE_UNKNOWN, 0};
  if (proof->base != MV_VERIFIED) return MV_BAD_ARGUMENT;
  if (variant->name_size == 0) return MV_OK;
  if (proof->variants != MV_VERIFIED) return MV_BAD_INDEX;
  if (crypto == nullptr) return MV_NO_CRYPTO;
  Signed its = {{proof->vault, proof->vault_size}, proof->watchdog, Functions(crypto), {}, {}};
  const CoreStatus status = ProveVariant(*proof, *variant, &its, fault);
  if (status == CoreStatus::kOk) *fault = {MV_PLACE_UNKNOWN, 0};
  return ToError(status);
}

mv_error mv_unseal_variant(const mv_proof* proof, const uint8_t* device_key, const mv_crypto* crypto, void* memory,
                           size_t size, mv_variant* variant) {
  if (proof->variants != MV_VERIFIED || variant->opened != nullptr) return MV_BAD_ARGUMENT;
  if (reinterpret_cast<uintptr_t>(memory) % MV_MEMORY_ALIGNMENT != 0) return MV_MISALIGNED;
  if (size < variant->blob_size) return MV_WORKSPACE_TOO_SMALL;
  if (crypto == nullptr) return MV_NO_CRYPTO;
  Signed its = {{proof->vault, proof->vault_size}, proof->watchdog, Functions(crypto), {}, {}};
  return ToError(Unseal(device_key, &its, static_cast<uint8_t*>(memory), variant));
}
