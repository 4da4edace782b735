// The text that `mvault checksums` writes and `mvault verify --against` reads (docs/cli.md): what the models of a vault
// are to be, kept apart from the vault.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_CHECKSUM_LIST_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_CHECKSUM_LIST_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "restore/named_vault.h"

namespace modelvault {

using Xxh3Digest = std::array<uint8_t, 16>;  // XXH3-128, big-endian.

// By what is hashed: "data/NAME" is a model's data section, "header/NAME" its file before that; the base is "base".
using ChecksumList = std::map<std::string, Xxh3Digest>;

// What a vault says its models are: stored digests, and the hashes of the stored headers. Decodes nothing.
absl::StatusOr<ChecksumList> StoredChecksums(const NamedVault& vault);

// A comment line, then lines of "HASH  WHAT", sorted by WHAT.
std::string FormatChecksums(const ChecksumList& list);

// Reads such text. Empty lines and lines that begin with '#' are passed over. kInvalidArgument, naming `file_name` and
// the line, for anything else, with what the file is where it is no text, a hash given twice, and no hashes at all.
absl::StatusOr<ChecksumList> ParseChecksums(absl::string_view text, absl::string_view file_name);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_CHECKSUM_LIST_H_
