// MANIFEST: the file headers of the base and of every variant, and the log (docs/format.md §8, proto/manifest.proto).
#ifndef MODELVAULT_VAULT_MANIFEST_H_
#define MODELVAULT_VAULT_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vault/audit_log.h"
#include "vault/vault_types.h"

namespace modelvault {

// A header as its difference from another.
struct HeaderDifference {
  uint64_t reference =
      0;  // That other: 0 the base's, k that of the k-th variant, which comes before and refers to the base's.
  uint64_t prefix_size = 0;  // Bytes shared with the other at its start,
  std::string middle = {};   // then these,
  uint64_t suffix_size = 0;  // then bytes shared at its end.
  uint64_t xxh3 = 0;         // XXH3-64 of the whole header.
  // Of a sealed variant: what is stored, an encrypted SealedHeader. The other fields are what follows from it once it
  // is open.
  std::string sealed = {};

  bool operator==(const HeaderDifference&) const = default;
};

// What is encrypted of a sealed variant beside its blob.
struct OpenedHeader {
  std::string name;
  ModelDigests digests;  // Of the restored variant.
  std::string header;

  bool operator==(const OpenedHeader&) const = default;
};

struct FileHeaders {
  std::string base;
  std::vector<HeaderDifference> variants;  // In the order of INDEX.
  StoredLog log = {};                      // Of a vault with SIGNATURE.
};

// Whether a header is a frame that describes itself, soundly or not: it begins with kFrameMagic.
bool DescribesItself(absl::string_view header);

// The shortest middle: the longest shared start, then the longest shared end of what is left.
HeaderDifference DiffHeader(absl::string_view base, absl::string_view header);

// Says headers that resemble an earlier variant's more than the base's by reference to that one: variants of another
// dtype or tensor order than the base's all differ from it alike, in nearly every byte. `headers` refer to the base's
// only.
absl::Status ShareHeaders(FileHeaders* headers);

// The header of variant `i` of headers.variants, as ApplyHeader.
absl::StatusOr<std::string> VariantFileHeader(const FileHeaders& headers, size_t i);

// The header again. kDataLoss if the difference does not fit the base or the result is not what was packed.
absl::StatusOr<std::string> ApplyHeader(absl::string_view base, const HeaderDifference& difference);

// The section's bytes; equal headers give equal bytes. kResourceExhausted if they would expand more than a reader
// allows (kMaxManifestRatio), or past 2 GiB.
absl::StatusOr<std::string> EncodeManifest(const FileHeaders& headers);

// A sealed header's plaintext beside the base's header, a multiple of kSealedHeaderStep bytes long; errors are
// EncodeManifest's. And the way back: kDataLoss for anything but that.
inline constexpr size_t kSealedHeaderStep = 32;
absl::StatusOr<std::string> EncodeSealedHeader(const OpenedHeader& opened, absl::string_view base);
absl::StatusOr<OpenedHeader> DecodeSealedHeader(absl::string_view bytes, absl::string_view base);

// Reads the section. kDataLoss for anything but what EncodeManifest makes; memory stays within what kMaxManifestRatio
// allows. The differences are not applied yet.
absl::StatusOr<FileHeaders> DecodeManifest(absl::Span<const uint8_t> stored);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_MANIFEST_H_
