// Makes a vault one that is signed (docs/format.md §12), and signs it. The private keys stay with the caller: what is
// to be signed is a message, what comes back a signature, wherever it was made.
//
// All of them replace the vault in one step, under its lock, as an edit does (vault/vault_editor.h), and check nothing
// of what it holds but that it opens. Errors are VaultReader's and VaultWriter's, besides those named.
#ifndef MODELVAULT_VAULT_VAULT_SIGNING_H_
#define MODELVAULT_VAULT_VAULT_SIGNING_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vault/file_system.h"
#include "vault/signature_section.h"
#include "vault/vault_reader.h"
#include "vault/vault_writer.h"

namespace modelvault {

// All of SIGNATURE that the bytes of the vault do not tell.
struct SigningPlan {
  VaultId vault_id = {};
  uint64_t version = 1;
  uint64_t not_before = 0;  // Seconds since 1970, UTC; 0: no limit.
  uint64_t not_after = 0;
  uint8_t tile_log2 = 16;
  std::vector<KeySet> key_sets = {};
  std::vector<TenantRecord> tenants = {};
};

// The plan that a vault with SIGNATURE was made with.
absl::StatusOr<SigningPlan> PlanOf(const VaultReader& vault);

// SIGNATURE as planned, which nobody has signed, and without the objects' digests.
SignatureSection PlannedSection(const SigningPlan& plan);

// kInvalidArgument unless a reader takes it: what docs/format.md demands of a head, key sets and tenants, and that each
// key set is signed by the one before.
absl::Status CheckPlan(const SigningPlan& plan);

// Gives the vault SIGNATURE as planned, in place of the one that it may have. What has digests there keeps them if they
// are of the same tiles, and must have its bytes: kPermissionDenied for a vault that was tampered with. Nobody has
// signed it then, except, at once, options.sign_root. The log says so.
absl::Status PrepareSignature(FileSystem& file_system, absl::string_view path, const SigningPlan& plan,
                              const VaultWriterOptions& options = {});

// Whose valid signatures of the root the vault has, ascending; nobody's where it has no SIGNATURE.
std::vector<PublicKey> RootSigners(const VaultReader& vault);

// What the keys of a vault's last key set sign, kRootMessageSize bytes; kFailedPrecondition without SIGNATURE.
absl::StatusOr<std::string> RootMessage(const VaultReader& vault);

// Adds signatures of the root; those of other keys stay. kPermissionDenied if a tenant with variants has not signed
// them; kPermissionDenied, and nothing changes, if a key is not of the
// last set or a signature is not its.
absl::Status AddRootSignatures(FileSystem& file_system, absl::string_view path,
                               absl::Span<const std::pair<PublicKey, Signature>> signatures,
                               const VaultWriterOptions& options = {});
absl::Status AddRootSignature(FileSystem& file_system, absl::string_view path, const PublicKey& key,
                              const Signature& signature, const VaultWriterOptions& options = {});

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_VAULT_SIGNING_H_
