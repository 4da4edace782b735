#include "vault/signature_section.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "codec/text_bytes.h"
#include "vault/core/vault_proof.h"
#include "vault/crypto.h"
#include "vault/hex_text.h"
#include "vault/section_encoder.h"

namespace modelvault {
namespace {

template <size_t kSize>
void Append(const std::array<uint8_t, kSize>& bytes, std::string* out) {
  out->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

template <size_t kSize>
void CopyTo(ByteView bytes, std::array<uint8_t, kSize>* out) {
  std::memcpy(out->data(), bytes.data, kSize);
}

template <size_t kSize>
std::vector<std::array<uint8_t, kSize>> Split(ByteView bytes) {
  std::vector<std::array<uint8_t, kSize>> out(bytes.size / kSize);
  for (size_t i = 0; i < out.size(); ++i) CopyTo(bytes.Sub(i * kSize, kSize), &out[i]);
  return out;
}

uint8_t* At(std::string* bytes, FieldPlace field) { return reinterpret_cast<uint8_t*>(bytes->data()) + field.offset; }

Digest DigestOfList(const std::vector<Digest>& list) {
  std::string bytes;
  for (const Digest& digest : list) Append(digest, &bytes);
  return DigestOf(bytes);
}

}  // namespace

std::string KeySet::Encode(bool with_signatures) const {
  std::string bytes(kKeySetHeadSize, '\0');
  StoreLe32(At(&bytes, kKeySetNumberField), number);
  *At(&bytes, kKeySetThresholdField) = threshold;
  *At(&bytes, kKeySetKeyCountField) = static_cast<uint8_t>(keys.size());
  for (const PublicKey& key : keys) Append(key, &bytes);
  if (with_signatures) {
    for (const Signature& signature : signatures) Append(signature, &bytes);
  }
  return bytes;
}

Digest KeySet::digest() const {
  KeySetView view;
  const std::string bytes = Encode(false);
  view.own = ToByteView(bytes);
  Digest digest;
  KeySetDigest(view, HostCrypto(), digest.data());
  return digest;
}

size_t KeySet::Find(const PublicKey& key) const {
  return static_cast<size_t>(std::find(keys.begin(), keys.end(), key) - keys.begin());
}

std::string KeySetMessage(const Digest& before, const Digest& own) {
  uint8_t message[kKeySetMessageSize];
  KeySetMessage(before.data(), own.data(), message);
  return std::string(reinterpret_cast<const char*>(message), sizeof(message));
}

std::string TenantRecord::Encode(bool with_signature) const {
  std::string bytes(kTenantHeadSize, '\0');
  *At(&bytes, kTenantFlagsField) = flags;
  *At(&bytes, kTenantPrefixSizeField) = static_cast<uint8_t>(prefix.size());
  *At(&bytes, kTenantGroupCountField) = static_cast<uint8_t>(groups.size());
  std::memcpy(At(&bytes, kTenantKeyField), key.data(), key.size());
  std::memcpy(At(&bytes, kTenantContentIdField), content_id.data(), content_id.size());
  bytes += prefix;
  bytes.resize(static_cast<size_t>(AlignUp(bytes.size())));
  for (const TenantGroup& group : groups) {
    Append(group.id, &bytes);
    Append(group.ephemeral, &bytes);
    Append(group.wrapped, &bytes);
  }
  if (with_signature) Append(signature, &bytes);
  return bytes;
}

bool SignatureSection::has_signature() const {
  return std::any_of(signatures.begin(), signatures.end(), [](const Signature& s) { return s != kNoSignature; });
}

std::string EncodeSignature(const SignatureSection& section) {
  std::string key_sets, tenants, objects, tiles;
  for (size_t i = 0; i < section.key_sets.size(); ++i) key_sets += section.key_sets[i].Encode(i > 0);
  for (const TenantRecord& tenant : section.tenants) tenants += tenant.Encode(true);
  for (const ObjectDigests& object : section.objects) {
    Append(object.digest, &objects);
    for (const Digest& tile : object.tiles) Append(tile, &tiles);
  }
  std::string bytes(kSignatureHeadSize, '\0');
  std::memcpy(At(&bytes, kVaultIdField), section.vault_id.data(), section.vault_id.size());
  StoreLe64(At(&bytes, kVaultVersionField), section.version);
  StoreLe64(At(&bytes, kNotBeforeField), section.not_before);
  StoreLe64(At(&bytes, kNotAfterField), section.not_after);
  const Digest objects_digest = DigestOf(objects);
  std::memcpy(At(&bytes, kObjectsDigestField), objects_digest.data(), objects_digest.size());
  StoreLe32(At(&bytes, kKeySetsSizeField), static_cast<uint32_t>(key_sets.size()));
  StoreLe32(At(&bytes, kTenantsSizeField), static_cast<uint32_t>(tenants.size()));
  StoreLe16(At(&bytes, kKeySetCountField), static_cast<uint16_t>(section.key_sets.size()));
  StoreLe16(At(&bytes, kTenantCountField), static_cast<uint16_t>(section.tenants.size()));
  *At(&bytes, kTileLog2Field) = section.tile_log2;
  absl::StrAppend(&bytes, key_sets, tenants);
  for (const Signature& signature : section.signatures) Append(signature, &bytes);
  absl::StrAppend(&bytes, objects, tiles);
  return bytes;
}

SignatureSection DecodeSignature(const SignedRoot& root) {
  SignatureSection section;
  CopyTo(root.vault_id(), &section.vault_id);
  section.version = root.version;
  section.not_before = root.not_before;
  section.not_after = root.not_after;
  section.tile_log2 = root.tile_log2;
  for (uint32_t i = 0; i < root.key_set_count; ++i) {
    const KeySetView view = root.KeySetAt(i);
    const ByteView keys = view.own.Sub(kKeySetHeadSize, view.own.size - kKeySetHeadSize);
    section.key_sets.push_back({.number = view.number,
                                .threshold = view.threshold,
                                .keys = Split<kPublicKeySize>(keys),
                                .signatures = Split<kSignatureSize>(view.signatures)});
  }
  for (uint32_t i = 0; i < root.tenant_count; ++i) {
    const TenantView view = root.TenantAt(i);
    TenantRecord& tenant = section.tenants.emplace_back();
    tenant.flags = view.flags;
    CopyTo(view.key, &tenant.key);
    CopyTo(view.content_id, &tenant.content_id);
    tenant.prefix.assign(reinterpret_cast<const char*>(view.prefix.data), view.prefix.size);
    for (size_t at = 0; at < view.groups.size; at += kTenantGroupSize) {
      TenantGroup& group = tenant.groups.emplace_back();
      ByteReader reader(view.groups.Sub(at, kTenantGroupSize));
      ByteView id, ephemeral, wrapped;
      if (reader.ReadBytes(group.id.size(), &id) && reader.ReadBytes(group.ephemeral.size(), &ephemeral) &&
          reader.ReadBytes(group.wrapped.size(), &wrapped)) {
        CopyTo(id, &group.id);
        CopyTo(ephemeral, &group.ephemeral);
        CopyTo(wrapped, &group.wrapped);
      }
    }
    CopyTo(view.signature, &tenant.signature);
  }
  section.signatures = Split<kSignatureSize>(root.signatures);
  return section;
}

ObjectDigests DecodeObject(const SignedObject& object) {
  ObjectDigests digests;
  CopyTo(object.digest, &digests.digest);
  digests.tiles = Split<kDigestSize>(object.tiles);
  return digests;
}

Digest DigestOf(absl::string_view bytes) {
  HashState state;
  Digest digest;
  HostCrypto().hash_begin(&state, nullptr);
  HostCrypto().hash_add(&state, ToByteView(bytes).data, bytes.size());
  HostCrypto().hash_end(&state, digest.data());
  return digest;
}

absl::StatusOr<ObjectDigests> DigestObject(
    uint64_t offset, uint64_t size, uint8_t tile_log2,
    absl::FunctionRef<absl::Status(uint64_t offset, absl::Span<uint8_t> out)> read) {
  ObjectDigests digests;
  const uint64_t tile_size = uint64_t{1} << tile_log2;
  std::string tile;
  uint64_t done = 0;
  do {
    tile.resize(static_cast<size_t>(std::min(size - done, tile_size)));
    absl::Span<uint8_t> out(reinterpret_cast<uint8_t*>(tile.data()), tile.size());
    if (!out.empty()) {
      if (absl::Status status = read(offset + done, out); !status.ok()) return status;
    }
    digests.tiles.push_back(DigestOf(tile));
    done += tile.size();
  } while (done < size);
  if (digests.tiles.size() == 1) {
    digests.digest = digests.tiles.front();
    digests.tiles.clear();
  } else {
    digests.digest = DigestOfList(digests.tiles);
  }
  return digests;
}

ObjectDigests DigestObject(absl::string_view bytes, uint8_t tile_log2) {
  absl::StatusOr<ObjectDigests> digests =
      DigestObject(0, bytes.size(), tile_log2, [&](uint64_t offset, absl::Span<uint8_t> out) {
        std::memcpy(out.data(), bytes.data() + offset, out.size());
        return absl::OkStatus();
      });
  return *std::move(digests);
}

std::string RootMessageOf(ByteView header, const SignatureSection& section) {
  // What the message covers begins the section, whatever its objects.
  const std::string bytes = EncodeSignature(section);
  SignedRoot root;
  ByteReader reader(ToByteView(bytes));
  const uint8_t* const head = ToByteView(bytes).data;
  (void)(reader.ReadBytes(kSignatureHeadSize, &root.head) &&
         reader.ReadBytes(LoadLe32(head + kKeySetsSizeField.offset), &root.key_sets) &&
         reader.ReadBytes(LoadLe32(head + kTenantsSizeField.offset), &root.tenants));
  uint8_t message[kRootMessageSize];
  RootMessage(header, root, HostCrypto(), message);
  return std::string(reinterpret_cast<const char*>(message), sizeof(message));
}

absl::Status PlaceSignature(absl::string_view message, const PublicKey& key, const Signature& signature,
                            SignatureSection* section) {
  const KeySet& signers = section->key_sets.back();
  const size_t place = signers.Find(key);
  const std::string name = HexText(key);
  if (place == signers.keys.size()) {
    return absl::PermissionDeniedError(absl::StrCat("key ", name, " is none of the ", signers.keys.size(),
                                                    " keys of key set ", signers.number, ", which signs"));
  }
  const ByteView bytes = ToByteView(message);
  if (!HostCrypto().verify(signature.data(), bytes.data, bytes.size, key.data())) {
    return absl::PermissionDeniedError(absl::StrCat("the signature is not key ", name, "'s of this vault"));
  }
  section->signatures.resize(signers.keys.size());
  section->signatures[place] = signature;
  return absl::OkStatus();
}

absl::Status PlaceSignatures(absl::string_view message, const RootSigner& signer, SignatureSection* section) {
  const auto signatures = signer(message);
  if (!signatures.ok()) return signatures.status();
  for (const auto& [key, signature] : *signatures) {
    if (absl::Status status = PlaceSignature(message, key, signature, section); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace modelvault
