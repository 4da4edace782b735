// Where a vault's bytes go.
//
// Exact are the sections, MODEL's parts, the blobs and their heads. What shares a stream (the tensors of a base chunk;
// the tensors of a delta segment, their positions and their scales) is told apart by the bits the decoder spends on
// each, and the stream's stored bytes are shared out in that proportion: rounded shares, which add up exactly. With
// host codings (docs/format.md §16) nothing is shared, and all of it is exact.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_ACCOUNTING_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_ACCOUNTING_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codec/core/codec_format.h"
#include "codec/progress_function.h"
#include "restore/named_vault.h"

namespace modelvault {

// `total` cut into whole parts as near to the proportions of `weights` (none negative or not finite) as that goes; they
// add up to it. All weights zero: the first part gets it all; no weights: no parts.
std::vector<uint64_t> Apportion(uint64_t total, absl::Span<const double> weights);

// BASE's bytes, one share for each tensor of the base.
absl::StatusOr<std::vector<uint64_t>> AccountBase(const NamedVault& vault, int threads,
                                                  const ProgressFunction& progress = nullptr);

// A variant's tensor.
struct TensorAccount {
  std::array<uint64_t, kTensorModeCount> segments{};  // How many segments code (their part of) it in each mode.
  uint64_t stored_scales = 0;                         // One for a segment's share of the tensor, or one a group,
  uint64_t escaped_groups = 0;                        // and, of those, with magnitudes of their own instead.
  uint8_t least_scale = 0;                            // Of the others; 0 where there are none.
  uint8_t most_scale = 0;
  uint64_t symbol_bytes = 0;  // Share of the blob: mode, positions and signs, residuals, raw bytes.
  uint64_t scale_bytes = 0;   // Share of the blob.
  uint64_t blocks = 0;        // With host codings, which have none of the above but symbol_bytes.

  uint64_t bytes() const { return symbol_bytes + scale_bytes; }
};

struct VariantAccount {
  uint64_t head_bytes = 0;             // Of the blob, exact: flags, layout, segment directory.
  std::vector<TensorAccount> tensors;  // In the variant's data order. With the head they add up to the blob.
};

// Restores the variant on one thread. Errors are Restore()'s, the verdict over the digest included. With host codings it
// only reads what is stored, and compares checksums.
absl::StatusOr<VariantAccount> AccountVariant(const VaultModel& model, const NamedVault& vault);

// All of a file.
struct VaultAccount {
  uint64_t file = 0;
  uint64_t header = 0;
  uint64_t model_tables = 0;        // MODEL without what follows: tables and the list of tensors.
  uint64_t model_dictionaries = 0;  // Repeated rows of the base.
  uint64_t model_priors = 0;        // Row and column classes, for the variants.
  uint64_t chunks = 0;
  uint64_t base_int8 = 0;   // INT8 tensors in BASE.
  uint64_t base_other = 0;  // Other tensors in BASE.
  uint64_t network = 0;     // NETWORK without its tokenizer.
  uint64_t tokenizer = 0;
  uint64_t heads = 0;  // Of blobs.
  uint64_t trits = 0;  // Positions and signs.
  uint64_t scales = 0;
  uint64_t residuals = 0;  // INT8 tensors that trits do not express.
  uint64_t side = 0;       // Other tensors of variants.
  uint64_t sealed = 0;     // Variants that cannot be opened; of those that can, what sealing adds.
  uint64_t index = 0;
  uint64_t manifest = 0;  // File headers.
  uint64_t signature = 0;
  uint64_t padding = 0;  // And holes.

  uint64_t base() const { return base_int8 + base_other; }
  uint64_t variants() const { return heads + trits + scales + residuals + side + sealed; }
  uint64_t model() const { return model_tables + model_dictionaries + model_priors; }

  // How many tensors, of all variants, have most of their segments in each mode.
  std::array<uint64_t, kTensorModeCount> tensors_by_mode{};
  std::vector<uint64_t> base_tensors;  // AccountBase's.
};
absl::StatusOr<VaultAccount> AccountVault(const NamedVault& vault, int threads,
                                          const ProgressFunction& progress = nullptr);

// An account's parts in the order of the file, for printing; they add up to `file`. `key` is for JSON.
struct AccountPart {
  const char* key;
  const char* label;
  uint64_t bytes;
};
std::vector<AccountPart> Parts(const VaultAccount& account);

// The same by section alone, which costs no decoding.
std::vector<AccountPart> SectionParts(const VaultBytes& sections);

// "gap", "gap-flat", …
const char* ModeName(TensorMode mode);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_ACCOUNTING_H_
