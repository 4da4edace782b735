// The log of a vault with SIGNATURE: what was done to it, when, and whose signatures it had before (docs/format.md
// §12). Each entry is chained to those before by a digest, so that who knows the last digest of a log can tell whether
// a longer one goes on from it. MANIFEST holds it, and so the root's signatures cover it.
#ifndef MODELVAULT_VAULT_AUDIT_LOG_H_
#define MODELVAULT_VAULT_AUDIT_LOG_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/signature_section.h"

namespace modelvault {

// Numbers are those of LogAction.Kind in proto/manifest.proto.
enum class LogActionKind : uint8_t {
  kBegun = 1,     // The vault got SIGNATURE; `count` variants were in it.
  kAdded = 2,     // A variant.
  kReplaced = 3,  // A variant, by another of its name.
  kRemoved = 4,
  kRenamed = 5,    // From `name` to `new_name`.
  kCompacted = 6,  // Holes were closed.
  kTenants = 7,    // The tenants changed; there are `count` now.
  kKeys = 8,       // The keys changed; the last key set is number `count`.
  kRestated = 9,   // Nothing but what SIGNATURE says of itself: its version or how long it is valid.
};

inline constexpr size_t kLogDigestSize = 16;

struct LogAction {
  LogActionKind kind = LogActionKind::kBegun;
  std::string name = {};  // In INDEX: of a sealed variant, what everybody sees.
  std::string new_name = {};
  std::array<uint8_t, kLogDigestSize> digest = {};  // Of what was added: the first bytes of its object's.
  uint64_t count = 0;

  bool operator==(const LogAction&) const = default;
};

struct LogEntry {
  uint64_t version = 0;  // That the vault had from then on.
  uint64_t time = 0;     // Seconds since 1970, UTC, by the clock of whoever did it.
  std::vector<LogAction> actions;
  std::vector<PublicKey> signers_before;  // Who had signed the root until then, ascending.

  bool operator==(const LogEntry&) const = default;
};

// As MANIFEST has it. Bytes, since they are what is chained.
struct StoredLog {
  std::vector<std::string> entries;
  Digest digest = {};  // Of the last entry, and so of all; zeros: there is none.

  bool operator==(const StoredLog&) const = default;
};

// The digest of a log that ended with `before` and has one entry more.
Digest ChainLog(const Digest& before, absl::string_view entry);

void AppendLog(const LogEntry& entry, StoredLog* log);

// kDataLoss, with the entry's number, for a chain that does not end with the log's digest, or an entry that does not
// parse.
absl::StatusOr<std::vector<LogEntry>> DecodeLog(const StoredLog& log);

// The digests after each entry, the last one the log's own.
std::vector<Digest> ChainOf(const StoredLog& log);

// The time for an entry: SOURCE_DATE_EPOCH where that is set, so that a build can be repeated, else the clock's.
uint64_t LogTime();

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_AUDIT_LOG_H_
