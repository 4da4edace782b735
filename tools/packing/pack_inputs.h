// The model files that become a vault's variants, opened, matched with the base and laid out beside it.
#ifndef MODELVAULT_TOOLS_PACKING_PACK_INPUTS_H_
#define MODELVAULT_TOOLS_PACKING_PACK_INPUTS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/core/shared_tables.h"
#include "codec/core/variant_layout.h"
#include "codec/data_source.h"
#include "codec/layout_encoder.h"
#include "codec/segment_encoder.h"
#include "restore/model_file.h"
#include "tools/packing/pack.h"
#include "tools/packing/variant_match.h"
#include "vault/file_system.h"
#include "vault/vault_types.h"

namespace modelvault {

// A variant on its way into a vault.
struct OpenInput {
  const VariantInput* input = nullptr;
  std::unique_ptr<ModelFile> file;
  VariantMatch match;
  std::vector<size_t> unmatched;  // See PackedVariant.
  ModelDigests digests;
  // With PrepareLayouts():
  bool is_base = false;  // Identical to the base, its layout included.
  std::vector<VariantTensor> tensors;
  std::unique_ptr<VariantLayout> layout;
  StoredLayout stored_layout;
  std::unique_ptr<SegmentEncoder> encoder;
  int64_t other_profile_adds = 0;  // To its segments' bytes, if it is known.

  uint64_t segments() const { return is_base ? 0 : encoder->segment_count(); }
};

// Where the base's bytes come from, one source for each user.
using BaseFactory = std::function<std::unique_ptr<DataSource>()>;

// The file must outlive the result and what that makes.
BaseFactory BaseInFile(const ModelFile* file);

// Opens the file of a new vault's base.
absl::StatusOr<ModelFile> OpenBaseFile(FileSystem& file_system, absl::string_view path, const PackOptions& options);

// Opens all variants, which must outlive the result. `*note` is what is to be said of those that do not match entirely
// and are packed all the same. Errors as PackVault's.
absl::StatusOr<std::vector<OpenInput>> OpenInputs(FileSystem& file_system, absl::Span<const VariantInput> variants,
                                                  absl::string_view base_path, const ModelStructure& base_structure,
                                                  const PackOptions& options, std::string* note);

// Bytes of all data sections.
uint64_t TotalSize(const std::vector<OpenInput>& inputs);

// Lays out every input, whose digests are known, beside the base; `shared` must outlive them. `plain` as
// SegmentEncoder's.
absl::Status PrepareLayouts(const SharedTables& shared, const ModelDigests& base_digests, uint32_t segment_size,
                            bool plain, std::vector<OpenInput>* inputs);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_PACK_INPUTS_H_
