// Codes what a vault with host codings has in place of coded chunks and deltas: blocks (docs/format.md §16). Models are
// read once; nothing is counted before.
#ifndef MODELVAULT_TOOLS_PACKING_HOST_CODER_H_
#define MODELVAULT_TOOLS_PACKING_HOST_CODER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/core/variant_layout.h"
#include "codec/data_source.h"
#include "codec/host/unit_encoder.h"
#include "vault/model_digester.h"
#include "vault/shelf.h"
#include "vault/vault_types.h"

namespace modelvault {

// A chunk or a segment, coded, as bytes: what is stored, and at the end its leaf.
struct HostUnit {
  absl::string_view stored;
  LeafDigest leaf = {};
};
// What such bytes, which it views, say; InternalError if they are too few.
absl::StatusOr<HostUnit> HostUnitIn(absl::string_view bytes);

// Thread-safe: memory and sources are lent to as many threads as there are.
class HostCoder {
 public:
  // `base` makes the sources of the base's bytes, one for each thread.
  explicit HostCoder(std::function<std::unique_ptr<DataSource>()> base);

  // Codes bytes [begin, begin + size) of the base, a chunk, whose layout is `layout`.
  absl::StatusOr<std::string> CodeBase(const VariantLayout& layout, uint64_t begin, uint64_t size);

  // Codes bytes [begin, begin + size) of `variant`, a segment, against the base.
  absl::StatusOr<std::string> CodeVariant(const VariantLayout& layout, DataSource* variant, uint64_t begin,
                                          uint64_t size);

  // The digests of `variant`, which has the base's layout, if it is the base; else nothing, after the first segment
  // that differs.
  absl::StatusOr<std::optional<ModelDigests>> DigestsOfBase(DataSource* variant, uint32_t segment_size);

 private:
  struct Room {
    std::unique_ptr<DataSource> base;
    UnitEncoder encoder;
    std::vector<uint8_t> data;
    std::vector<uint8_t> base_data;
  };

  // `variant`: null for the base itself.
  absl::StatusOr<std::string> Code(const VariantLayout& layout, DataSource* variant, uint64_t begin, uint64_t size);

  Shelf<Room> rooms_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_HOST_CODER_H_
