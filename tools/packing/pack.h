// From model files to vaults: what `mvault pack`, `add` and `replace` do. Everything that is written is restored and
// compared with the files it came from before the vault takes its name.
#ifndef MODELVAULT_TOOLS_PACKING_PACK_H_
#define MODELVAULT_TOOLS_PACKING_PACK_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/base_encoder.h"
#include "codec/progress_function.h"
#include "codec/shared_tables_builder.h"
#include "tools/packing/executor.h"
#include "tools/packing/name_rules.h"
#include "tools/packing/network_builder.h"
#include "vault/file_system.h"
#include "vault/vault_reader.h"

namespace modelvault {

// Raw bytes of a segment where the caller does not choose.
constexpr uint32_t DefaultSegmentSize(BaseProfile profile) {
  return profile == BaseProfile::kHost ? kHostUnitSize : 1u << 20;
}

struct VariantInput {
  std::string name;
  std::string path;  // A model file with the base's tensors.
};

struct PackOptions {
  uint32_t chunk_size = 0;         // Raw bytes of a base chunk; 0: DefaultChunkSize().
  uint32_t segment_size = 0;       // Raw bytes between restart points of a delta; 0: DefaultSegmentSize().
  std::optional<uint64_t> budget;  // Bytes the vault may have: more is ResourceExhausted.
  // How the base is stored. Not given: kFast where that fits the budget, else, and without a budget, kSmall; never
  // kHost, which no board reads. A vault that is edited keeps what it has.
  std::optional<BaseProfile> profile;
  int threads = 0;               // Of each process; 0: one a core.
  Executor* executor = nullptr;  // Where the jobs run that make a new vault; null: in this process.
  // Of a new vault: a folder that keeps the results of jobs, for another run to go on from (WorkFolder); empty: none.
  // It is removed when the vault is done, unless it is to be kept.
  std::string work_folder;
  bool keep_work_folder = false;
  NameRules names;  // How variants' names are matched with the base's.
  // Of a new vault: every file becomes a data section without anything between the tensors, so that a board restores
  // the whole of it. A vault that is edited keeps what it has.
  bool whole_file = false;
  // A file that is no model of a known format, or a damaged one, is carried as opaque bytes. So are all variants of a
  // base that is.
  bool opaque = false;
  // What the models of a new vault compute; none: the vault does not say.
  std::optional<NetworkInput> network;
  // Of a vault that is edited: whose it must be (VaultWriterOptions).
  std::optional<VaultTrust> trust;
  // Of a new vault: its SIGNATURE; of either: what signs it (VaultWriterOptions).
  std::optional<SignatureSection> signature;
  RootSigner sign_root;
  // Told of the vault as it is written and verified, just before it takes its name.
  std::function<void(const VaultReader& written)> on_written;
  // Of tenants of such a vault: what seals and opens, and what signs (VaultWriterOptions).
  TenantKeys keys;
  TenantSigner sign_tenant;
  Durability durability = Durability::kOnDisk;
  ProgressFunction progress;
};

struct PackedVariant {
  std::string name;
  uint64_t file_size = 0;         // Of the file that was packed.
  uint64_t stored_size = 0;       // Of its blob in the vault.
  std::vector<size_t> unmatched;  // Its tensors, by their place in its data, without a match in the base.
};

// How the base is stored, and the size that the vault would have with the other profile for boards.
struct ProfileBill {
  BaseProfile profile = BaseProfile::kSmall;
  uint64_t other_size = 0;  // Not known with kHost.
};

// "small", "fast" or "host".
absl::string_view ProfileName(BaseProfile profile);
// Of the two for boards.
inline BaseProfile OtherProfile(BaseProfile profile) {
  return profile == BaseProfile::kSmall ? BaseProfile::kFast : BaseProfile::kSmall;
}

// What a work folder had.
struct WorkDone {
  uint64_t jobs = 0;   // Those whose results are kept.
  uint64_t found = 0;  // Done by an earlier run.
};

struct PackReport {
  uint64_t input_size = 0;              // Of all files packed, the base's included.
  uint64_t base_file_size = 0;          // 0 when variants were added to a vault.
  VaultBytes bytes;                     // Of the vault, as written.
  std::vector<PackedVariant> variants;  // Those packed now, in order of input.
  std::optional<ProfileBill> profile;   // Of a vault that was packed anew.
  std::optional<WorkDone> work;         // With a work folder.
  std::string note;                     // What is to be said of tensors without a match in the base; empty: nothing.
};

// Packs a base and its variants into a new vault at `output`. A variant may lack tensors of the base and have others;
// what has no match is stored on its own. Errors, besides those of files and vaults: names that are invalid
// (InvalidArgument) or occur twice (AlreadyExists), rules for tensors' names that match none (NotFound), variants that
// are of another format than the base, or not of this base (InvalidArgument, with all differences of all of them), over
// budget (ResourceExhausted, listing the costliest variants and what would fit). On any error `output` is as before.
absl::StatusOr<PackReport> PackVault(FileSystem& file_system, absl::string_view base_path,
                                     absl::Span<const VariantInput> variants, absl::string_view output,
                                     const PackOptions& options);

// Adds variants to a vault, against its base and with its MODEL; with `replace` each must be there already and is
// replaced, without it none may be.
absl::StatusOr<PackReport> AddVariants(FileSystem& file_system, absl::string_view vault_path,
                                       absl::Span<const VariantInput> variants, bool replace,
                                       const PackOptions& options);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_PACK_H_
