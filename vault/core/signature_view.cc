#include "vault/core/signature_view.h"

namespace modelvault {
namespace {

// Objects that are sections, in their order.
constexpr Section kSectionObjects[] = {Section::kModel,   Section::kChunks, Section::kBase,
                                       Section::kNetwork, Section::kIndex,  Section::kManifest};
static_assert(sizeof(kSectionObjects) / sizeof(kSectionObjects[0]) == kSectionObjectCount);

bool AllZero(ByteView bytes) {
  for (size_t i = 0; i < bytes.size; ++i) {
    if (bytes.data[i] != 0) return false;
  }
  return true;
}

// Whether the `count` records of `stride` bytes ascend by their first `size` bytes, none twice.
bool Ascending(const uint8_t* records, size_t count, size_t stride, size_t size) {
  for (size_t i = 1; i < count; ++i) {
    if (memcmp(records + (i - 1) * stride, records + i * stride, size) >= 0) return false;
  }
  return true;
}

// Reads a part of the section and says where it is.
bool Take(ByteReader* reader, uint64_t size, ByteView* part) {
  return size <= reader->remaining() && reader->ReadBytes(static_cast<size_t>(size), part);
}

// Reads the key set at the reader, which comes after one of `keys_before` keys and number `number_before`; 0, 0: it is
// the first.
bool ReadKeySet(ByteReader* reader, size_t keys_before, uint32_t number_before, KeySetView* set) {
  ByteView head, keys;
  if (!Take(reader, kKeySetHeadSize, &head)) return false;
  set->number = LoadLe32(head.data + kKeySetNumberField.offset);
  set->threshold = head.data[kKeySetThresholdField.offset];
  set->key_count = head.data[kKeySetKeyCountField.offset];
  if (set->number <= number_before || set->key_count == 0 || set->key_count > kMaxKeys || set->threshold == 0 ||
      set->threshold > set->key_count || !AllZero(head.Sub(kKeySetZeroField.offset, kKeySetZeroField.size)) ||
      !Take(reader, set->key_count * kPublicKeySize, &keys) ||
      !Ascending(keys.data, set->key_count, kPublicKeySize, kPublicKeySize)) {
    return false;
  }
  set->own = {head.data, head.size + keys.size};
  return Take(reader, keys_before * kSignatureSize, &set->signatures);
}

bool ReadTenant(ByteReader* reader, TenantView* tenant) {
  ByteView head;
  if (!Take(reader, kTenantHeadSize, &head)) return false;
  tenant->flags = head.data[kTenantFlagsField.offset];
  tenant->group_count = head.data[kTenantGroupCountField.offset];
  tenant->key = head.Sub(kTenantKeyField.offset, kTenantKeyField.size);
  tenant->content_id = head.Sub(kTenantContentIdField.offset, kTenantContentIdField.size);
  const uint32_t prefix_size = head.data[kTenantPrefixSizeField.offset];
  const bool sealed = (tenant->flags & kTenantSealed) != 0;
  ByteView prefix;
  if ((tenant->flags & ~kTenantSealed) != 0 || prefix_size == 0 || prefix_size > kMaxTenantPrefixSize ||
      tenant->group_count > (sealed ? kMaxTenantGroups : 0) || head.data[kTenantZeroField.offset] != 0 ||
      AllZero(tenant->content_id) == sealed ||
      !Take(reader, AlignUp(prefix_size), &prefix) || !AllZero(prefix.Sub(prefix_size, prefix.size - prefix_size)) ||
      !Take(reader, tenant->group_count * kTenantGroupSize, &tenant->groups) ||
      !Ascending(tenant->groups.data, tenant->group_count, kTenantGroupSize, kTenantGroupIdSize)) {
    return false;
  }
  tenant->prefix = prefix.Sub(0, prefix_size);
  tenant->own = {head.data, head.size + prefix.size + tenant->groups.size};
  return Take(reader, kSignatureSize, &tenant->signature);
}

// Whether `a` comes before `b` and does not begin it.
bool ApartAndBefore(ByteView a, ByteView b) {
  const int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
  return order < 0;
}

// Whether the fields of the head are in range.
CoreStatus ParseHead(ByteView head, const VaultHeader& header, SignedRoot* root, uint32_t* bad) {
  const uint8_t* const p = head.data;
  root->head = head;
  *bad = kVaultIdField.offset;
  if (AllZero(root->vault_id())) return CoreStatus::kBadRoot;
  root->version = LoadLe64(p + kVaultVersionField.offset);
  *bad = kVaultVersionField.offset;
  if (root->version == 0) return CoreStatus::kBadRoot;
  root->not_before = LoadLe64(p + kNotBeforeField.offset);
  root->not_after = LoadLe64(p + kNotAfterField.offset);
  *bad = kNotAfterField.offset;
  if (root->not_after != 0 && root->not_after < root->not_before) return CoreStatus::kBadRoot;
  root->key_set_count = LoadLe16(p + kKeySetCountField.offset);
  *bad = kKeySetCountField.offset;
  if (root->key_set_count == 0 || root->key_set_count > kMaxKeySets) return CoreStatus::kBadRoot;
  root->tenant_count = LoadLe16(p + kTenantCountField.offset);
  *bad = kTenantCountField.offset;
  const bool tenants = (header.features & kFeatureTenants) != 0;
  if (root->tenant_count > kMaxTenants || (root->tenant_count != 0) != tenants) return CoreStatus::kBadRoot;
  root->tile_log2 = p[kTileLog2Field.offset];
  *bad = kTileLog2Field.offset;
  if (root->tile_log2 < kMinTileLog2 || root->tile_log2 > kMaxTileLog2) return CoreStatus::kBadRoot;
  *bad = kSignatureReservedField.offset;
  return AllZero(head.Sub(kSignatureReservedField.offset, kSignatureReservedField.size)) ? CoreStatus::kOk
                                                                                         : CoreStatus::kBadRoot;
}

// The key sets and tenants that the head counts fill their parts. `bad` begins as the first part's offset.
CoreStatus ParseRecords(SignedRoot* root, uint32_t* bad) {
  const uint32_t begin = *bad;
  ByteReader sets(root->key_sets);
  for (uint32_t i = 0; i < root->key_set_count; ++i) {
    *bad = begin + static_cast<uint32_t>(sets.position());
    const KeySetView before = root->last_key_set;
    if (!ReadKeySet(&sets, before.key_count, before.number, &root->last_key_set)) return CoreStatus::kBadRoot;
  }
  *bad = begin + static_cast<uint32_t>(sets.position());
  if (sets.remaining() != 0) return CoreStatus::kBadRoot;
  ByteReader tenants(root->tenants);
  TenantView before, tenant;
  for (uint32_t i = 0; i < root->tenant_count; ++i) {
    *bad = begin + static_cast<uint32_t>(root->key_sets.size + tenants.position());
    if (!ReadTenant(&tenants, &tenant) || (i > 0 && !ApartAndBefore(before.prefix, tenant.prefix))) {
      return CoreStatus::kBadRoot;
    }
    before = tenant;
  }
  *bad = begin + static_cast<uint32_t>(root->key_sets.size + tenants.position());
  return tenants.remaining() == 0 ? CoreStatus::kOk : CoreStatus::kBadRoot;
}

uint64_t TilesOfSections(const SignedRoot& root, const VaultHeader& header, size_t count) {
  uint64_t tiles = 0;
  for (size_t i = 0; i < count; ++i) tiles += root.TileCount(header.section(kSectionObjects[i]).size);
  return tiles;
}

}  // namespace

bool IsNoSignature(ByteView signature) { return AllZero(signature); }

KeySetView SignedRoot::KeySetAt(uint32_t i) const {
  ByteReader reader(key_sets);
  KeySetView set;
  for (uint32_t at = 0; at <= i; ++at) {
    // What was parsed before parses again.
    if (!ReadKeySet(&reader, set.key_count, set.number, &set)) break;
  }
  return set;
}

TenantView SignedRoot::TenantAt(uint32_t i) const {
  ByteReader reader(tenants);
  TenantView tenant;
  for (uint32_t at = 0; at <= i; ++at) {
    if (!ReadTenant(&reader, &tenant)) break;
  }
  return tenant;
}

CoreStatus ParseSignature(ByteView section, const VaultHeader& header, SignedRoot* root, uint32_t* bad_offset) {
  uint32_t unused;
  uint32_t* const bad = bad_offset == nullptr ? &unused : bad_offset;
  *root = SignedRoot();
  *bad = 0;
  ByteReader reader(section);
  ByteView head;
  if (!Take(&reader, kSignatureHeadSize, &head)) return CoreStatus::kBadRoot;
  if (const CoreStatus status = ParseHead(head, header, root, bad); status != CoreStatus::kOk) return status;
  *bad = kKeySetsSizeField.offset;
  if (!Take(&reader, LoadLe32(head.data + kKeySetsSizeField.offset), &root->key_sets)) return CoreStatus::kBadRoot;
  *bad = kTenantsSizeField.offset;
  if (!Take(&reader, LoadLe32(head.data + kTenantsSizeField.offset), &root->tenants)) return CoreStatus::kBadRoot;
  *bad = kSignatureHeadSize;
  if (const CoreStatus status = ParseRecords(root, bad); status != CoreStatus::kOk) return status;
  *bad = static_cast<uint32_t>(reader.position());
  if (!Take(&reader, root->last_key_set.key_count * kSignatureSize, &root->signatures)) return CoreStatus::kBadRoot;
  *bad = static_cast<uint32_t>(reader.position());
  // Neither product comes near 2^64: at most 2^32 + 6 objects, 6 · 2^52 tiles.
  const uint64_t objects = uint64_t{header.variant_count} + kSectionObjectCount;
  if (!Take(&reader, objects * kDigestSize, &root->objects)) return CoreStatus::kBadRoot;
  *bad = static_cast<uint32_t>(reader.position());
  const uint64_t tiles = TilesOfSections(*root, header, kSectionObjectCount);
  if (tiles * kDigestSize > reader.remaining() || reader.remaining() % kDigestSize != 0) return CoreStatus::kBadRoot;
  (void)Take(&reader, reader.remaining(), &root->tiles);
  return CoreStatus::kOk;
}

SignedObject SectionObject(const SignedRoot& root, const VaultHeader& header, Section section) {
  SignedObject object;
  while (object.number + 1 < kSectionObjectCount && kSectionObjects[object.number] != section) ++object.number;
  object.offset = header.section(section).offset;
  object.size = header.section(section).size;
  object.digest = root.objects.Sub(object.number * kDigestSize, kDigestSize);
  // ParseSignature has seen to it that these digests are there.
  const size_t first = static_cast<size_t>(TilesOfSections(root, header, object.number));
  object.tiles = root.tiles.Sub(first * kDigestSize, static_cast<size_t>(root.TileCount(object.size)) * kDigestSize);
  return object;
}

SignedBlobs::SignedBlobs(const SignedRoot& root, const VaultHeader& header, const IndexView& index)
    : root_(root),
      index_(index),
      cursor_(index.Begin()),
      tile_(static_cast<size_t>(TilesOfSections(root, header, kSectionObjectCount))) {}

CoreStatus SignedBlobs::Next(VariantEntry* entry, SignedObject* object) {
  const size_t number = kSectionObjectCount + cursor_.next;
  const CoreStatus status = index_.Next(&cursor_, entry);
  const size_t left = root_.tiles.size / kDigestSize - tile_;
  if (status == CoreStatus::kNotFound && left != 0) return CoreStatus::kBadRoot;
  if (status != CoreStatus::kOk) return status;
  const uint64_t tiles = root_.TileCount(entry->size);
  if (tiles > left || number >= root_.object_count()) return CoreStatus::kBadRoot;
  object->number = number;
  object->offset = entry->offset;
  object->size = entry->size;
  object->digest = root_.objects.Sub(number * kDigestSize, kDigestSize);
  object->tiles = root_.tiles.Sub(tile_ * kDigestSize, static_cast<size_t>(tiles) * kDigestSize);
  tile_ += static_cast<size_t>(tiles);
  return CoreStatus::kOk;
}

}  // namespace modelvault
