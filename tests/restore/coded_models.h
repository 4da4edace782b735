#ifndef MODELVAULT_TESTS_RESTORE_CODED_MODELS_H_
#define MODELVAULT_TESTS_RESTORE_CODED_MODELS_H_

// Models in memory as they are and as a vault stores them, so that what comes out of a vault can be compared with what
// went in.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "codec/core/variant_layout.h"
#include "codec/layout_encoder.h"
#include "codec/model_tensor.h"
#include "codec/shared_tables_builder.h"
#include "restore/restorer.h"
#include "tests/vault/test_vault.h"
#include "vault/file_system.h"
#include "vault/vault_types.h"

namespace modelvault {

using TestBytes = std::vector<uint8_t>;

// A variant as it is.
struct PlainVariant {
  std::string name;
  std::vector<LayoutEntry> layout;  // Empty: the base's.
  TestBytes data;
  bool ternary = false;  // MODEL's priors are learnt from the variants that are.
};

// A base and its variants as they are.
struct PlainModels {
  std::vector<ModelTensor> specs;
  TestBytes base;
  std::vector<PlainVariant> variants;
};

// A variant as a vault stores it, beside what it is.
struct CodedVariant {
  std::string name;
  TestBytes data;
  StoredLayout stored_layout;
  std::vector<VariantTensor> tensors;
  std::unique_ptr<VariantLayout> layout;
  std::vector<std::string> segments;  // None: identical to the base, or nothing but empty tensors.
  ModelDigests digests;
  std::string header;
};

struct CodedModels {
  uint32_t chunk_size = 0;
  uint32_t segment_size = 0;
  std::vector<ModelTensor> specs;
  TestBytes base;
  ModelDigests base_digests;
  std::string base_header;
  bool host_codings = false;
  std::unique_ptr<const ParsedSharedTables> shared;
  std::vector<std::string> chunks;
  std::string network;  // Empty: none.
  std::vector<CodedVariant> variants;

  CodedVariant& variant(const std::string& name);
  const CodedVariant& variant(const std::string& name) const { return const_cast<CodedModels*>(this)->variant(name); }
};

// Bytes that look like weights of `spec`: INT8 and floats around zero, everything else uniform.
TestBytes RandomTensor(const ModelTensor& spec, TestRandom* random);
TestBytes RandomData(const std::vector<ModelTensor>& specs, TestRandom* random);

// About 25 KB in tensors of many dtypes, shapes and odd places, empty ones among them, and with priors, a dictionary of
// rows and strips that end at lines; and the variants "same" (as the base), "ternary", "ternary-too", "dense" (every
// weight ±1), "residual", "unrelated", "reordered" and "retyped" (layouts of their own).
PlainModels MakePlainModels(uint64_t seed);

// The same and the variant "free" (base tensors left out, used twice and thrice, and tensors of its own, some empty:
// more tensors than the base has), for which a vault is one of version 1.1.
PlainModels MakeFreeModels(uint64_t seed);

// Codes them with the library's own encoders. kHost: with host codings.
CodedModels Encode(const PlainModels& plain, uint32_t chunk_size, uint32_t segment_size,
                   BaseProfile profile = BaseProfile::kSmall);

// Puts them into a vault.
absl::Status WriteCodedVault(FileSystem& file_system, const std::string& path, const CodedModels& models);
// The bytes of that vault.
std::string CodedVaultBytes(const CodedModels& models);

// Where strips, segments, chunks and tensors of a variant begin, and one byte to either side: sorted, all within its
// data.
std::vector<uint64_t> Borders(const VariantLayout& layout, uint32_t chunk_size, uint32_t segment_size);

// Opens a vault in memory; the path in its messages is "v.mvlt".
std::unique_ptr<RandomAccessFile> FileOf(const std::string& vault);
absl::StatusOr<std::unique_ptr<Restorer>> OpenBytes(const std::string& vault);

// "base" is the base.
absl::StatusOr<std::unique_ptr<const VaultModel>> OpenModel(const Restorer& restorer, const std::string& name);

// See tests/restore/forged_vault.h.
void RepairEverything(std::string* vault);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_RESTORE_CODED_MODELS_H_
