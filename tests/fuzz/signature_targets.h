// What the fuzz target of SIGNATURE does with an input, its promises checked with aborts.
// tests/vault/fuzz_seeds_test.cc runs the same on the seeds, which must parse.
//
//   signature: u8 mode (bit 0: signatures are looked at by their first byte alone, so that more of them are right; bit
//              1: there are tenants; bit 2: the first key set is trusted, not the last), u8 count of variants, six
//              times u16 a section's size in units of 16 bytes, piece INDEX, rest = SIGNATURE
#ifndef MODELVAULT_TESTS_FUZZ_SIGNATURE_TARGETS_H_
#define MODELVAULT_TESTS_FUZZ_SIGNATURE_TARGETS_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/fuzz/codec_targets.h"
#include "vault/core/signature_view.h"
#include "vault/core/vault_proof.h"
#include "vault/crypto.h"
#include "vault/signature_section.h"

namespace modelvault {

inline bool FirstByteVerifies(const uint8_t signature[kSignatureSize], const uint8_t*, size_t,
                              const uint8_t key[kPublicKeySize]) {
  return signature[0] == key[0];
}

inline void CheckInside(ByteView part, const std::vector<uint8_t>& whole) {
  Check(part.size == 0 || (part.data >= whole.data() && part.size <= whole.size() &&
                           part.data + part.size <= whole.data() + whole.size()));
}

// What a parsed section hands out lies inside it and says what it says.
inline void CheckParts(const SignedRoot& root, const VaultHeader& header, const std::vector<uint8_t>& section) {
  std::string key_sets, tenants;
  const SignatureSection values = DecodeSignature(root);
  for (size_t i = 0; i < values.key_sets.size(); ++i) key_sets += values.key_sets[i].Encode(i > 0);
  for (const TenantRecord& tenant : values.tenants) tenants += tenant.Encode(true);
  const auto same = [](ByteView part, const std::string& encoded) {
    return part.size == encoded.size() && std::memcmp(part.data, encoded.data(), part.size) == 0;
  };
  Check(same(root.key_sets, key_sets) && same(root.tenants, tenants));
  Check(root.object_count() == kSectionObjectCount + header.variant_count);
  Check(root.last_key_set.threshold >= 1 && root.last_key_set.threshold <= root.last_key_set.key_count);
  for (const Section s : kSectionsInFile) {
    if (s == Section::kSignature) continue;
    const SignedObject object = SectionObject(root, header, s);
    CheckInside(object.digest, section);
    CheckInside(object.tiles, section);
    Check(object.tiles.size / kDigestSize == root.TileCount(object.size));
  }
}

inline void WalkBlobs(const SignedRoot& root, const VaultHeader& header, const std::vector<uint8_t>& index_bytes,
                      const std::vector<uint8_t>& section) {
  IndexView index;
  if (index.Open(header, {index_bytes.data(), index_bytes.size()}) != CoreStatus::kOk) return;
  SignedBlobs blobs(root, header, index);
  VariantEntry entry;
  SignedObject object;
  CoreStatus status = blobs.Next(&entry, &object);
  size_t count = 0;
  for (; status == CoreStatus::kOk; status = blobs.Next(&entry, &object), ++count) {
    Check(object.number == kSectionObjectCount + count);
    CheckInside(object.digest, section);
    CheckInside(object.tiles, section);
    (void)ProveTileList(object, HostCrypto());
  }
  Check(status == CoreStatus::kBadRoot || status == CoreStatus::kBadIndex ||
        (status == CoreStatus::kNotFound && count == header.variant_count));
}

inline CoreStatus FuzzSignature(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const uint8_t mode = input.Byte();
  VaultHeader header;
  header.features = kFeatureSignature | ((mode & 2) != 0 ? kFeatureTenants : 0);
  header.variant_count = input.Byte();
  size_t end = kHeaderSize;
  for (const Section s : kSectionsInFile) {
    if (s == Section::kSignature) continue;
    SectionPlace& place = header.section(s);
    place.offset = end;
    place.size = input.Byte();
    place.size = 16 * (place.size + 256u * input.Byte());
    end = place.end() + (s == Section::kNetwork ? size_t{1} << 24 : 0);  // Room for blobs.
  }
  const std::vector<uint8_t> index = input.Piece();
  header.section(Section::kIndex).size = index.size();
  const std::vector<uint8_t> section = input.Rest();
  SignedRoot root;
  uint32_t bad_offset = 0;
  const CoreStatus parsed = ParseSignature({section.data(), section.size()}, header, &root, &bad_offset);
  if (parsed != CoreStatus::kOk) {
    Check(parsed == CoreStatus::kBadRoot && bad_offset <= section.size() + kSignatureHeadSize);
    return parsed;
  }
  CheckParts(root, header, section);
  WalkBlobs(root, header, index, section);

  Crypto crypto = HostCrypto();
  if ((mode & 1) != 0) crypto.verify = FirstByteVerifies;
  Digest first, last;
  KeySetDigest(root.KeySetAt((mode & 4) != 0 ? 0 : root.key_set_count - 1), crypto, first.data());
  const TrustedKeys trusted = {.key_set_digest = first.data(), .least_version = 2, .now = 1000};
  const uint8_t header_bytes[kHeaderSize] = {};
  RootFault fault;
  const CoreStatus proven = ProveRoot({header_bytes, sizeof(header_bytes)}, root, trusted, crypto, last.data(), &fault);
  Check(proven == CoreStatus::kOk || proven == CoreStatus::kUnsigned || proven == CoreStatus::kBadSignature ||
        proven == CoreStatus::kNotAuthentic || proven == CoreStatus::kRolledBack || proven == CoreStatus::kExpired);
  Check(fault.key_set < root.key_set_count && fault.signature <= kMaxKeys);
  if (proven == CoreStatus::kOk) {
    Check(root.version >= 2 && root.not_before <= 1000 && (root.not_after == 0 || root.not_after >= 1000));
    Check(DecodeSignature(root).key_sets.back().digest() == last);
  }
  return parsed;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_SIGNATURE_TARGETS_H_
