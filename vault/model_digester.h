// The two digests of a model's data section, computed as it streams by; and those of a digest of leaves, which threads
// compute side by side (docs/format.md §16).
#ifndef MODELVAULT_VAULT_MODEL_DIGESTER_H_
#define MODELVAULT_VAULT_MODEL_DIGESTER_H_

#include <array>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "vault/vault_types.h"
#include "vault/xxh3.h"

namespace modelvault {

class ModelDigester {
 public:
  ModelDigester();
  ~ModelDigester();
  ModelDigester(const ModelDigester&) = delete;
  ModelDigester& operator=(const ModelDigester&) = delete;

  void Update(absl::Span<const uint8_t> bytes);
  // Of everything so far.
  ModelDigests Digests() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// XXH3-128 of the bytes of one leaf, in its canonical form. A ModelDigester that has had the leaves of a model, in
// their order, has the model's digests.
using LeafDigest = std::array<uint8_t, 16>;
inline LeafDigest DigestLeaf(absl::Span<const uint8_t> bytes) { return Xxh3Of128(bytes); }

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_MODEL_DIGESTER_H_
