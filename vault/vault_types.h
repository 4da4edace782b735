// What a vault's reader and writer both speak of.
#ifndef MODELVAULT_VAULT_VAULT_TYPES_H_
#define MODELVAULT_VAULT_VAULT_TYPES_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "vault/format.h"

namespace modelvault {

// Digests of a model's data section; with host codings of its leaves (docs/format.md §16). They find accidents, they do
// not authenticate.
struct ModelDigests {
  uint64_t xxh64 = 0;
  std::array<uint8_t, 16> xxh3 = {};  // XXH3-128 in its canonical (big-endian) form.

  bool operator==(const ModelDigests&) const = default;
};

// What a vault is created with and keeps for life.
struct VaultParams {
  uint32_t chunk_size = 4096;        // Raw bytes of a base chunk: 256 to 2^24, a multiple of 256.
  uint32_t segment_size = 1u << 20;  // Raw bytes of a delta segment: 4,096 to 2^24, a multiple of 256.
  uint64_t base_data_size = 0;       // Raw bytes of the base's data section: at most 2^60.
  uint32_t tensor_count = 0;         // Of the base; as in MODEL.
  bool host_codings = false;         // Chunks and segments are blocks (docs/format.md §16); no board reads it.

  bool operator==(const VaultParams&) const = default;
};

using SealSalt = std::array<uint8_t, kSealSaltSize>;

// What is stored of a sealed variant (docs/format.md §13).
struct SealedEntry {
  std::string name;    // In INDEX.
  SealSalt salt = {};  // There, in the place of digests.
  bool open = false;   // Its tenant's content key is known.

  bool operator==(const SealedEntry&) const = default;
};

// A variant as INDEX lists it. One that is sealed has name and digests of its own if its tenant's key is known, else
// the name in INDEX and no digests.
struct VaultVariant {
  std::string name;
  uint64_t offset = 0;       // Of its blob in the file; 0 for an empty one, which means: identical to the base.
  uint64_t stored_size = 0;  // Of its blob.
  uint32_t checksum32 = 0;   // Of its blob, or of the blob's head where that has a segment directory.
  ModelDigests digests;      // Of the restored variant.
  std::optional<SealedEntry> sealed = {};

  const std::string& index_name() const { return sealed.has_value() ? sealed->name : name; }
  // Whether it cannot be restored, for lack of a key.
  bool locked() const { return sealed.has_value() && !sealed->open; }
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_VAULT_TYPES_H_
