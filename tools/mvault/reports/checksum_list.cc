#include "tools/mvault/reports/checksum_list.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "vault/file_kind.h"
#include "vault/format.h"
#include "vault/hex_text.h"
#include "vault/model_digester.h"

namespace modelvault {
namespace {

constexpr char kComment[] =
    "# XXH3-128 of each model's data section (data/NAME) and of the file header before it (header/NAME).\n";
constexpr size_t kHexSize = 32;
constexpr char kBetween[] = "  ";

Xxh3Digest HashOf(const std::string& bytes) {
  ModelDigester digester;
  digester.Update({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  return digester.Digests().xxh3;
}

}  // namespace

absl::StatusOr<ChecksumList> StoredChecksums(const NamedVault& vault) {
  const VaultReader& reader = vault.vault();
  ChecksumList list;
  list[absl::StrCat("data/", kReservedVariantName)] = reader.base_digests().xxh3;
  list[absl::StrCat("header/", kReservedVariantName)] = HashOf(reader.base_header());
  for (const VaultVariant& variant : reader.variants()) {
    if (variant.locked()) continue;  // Nobody without its key knows what it is.
    const absl::StatusOr<std::string> header = reader.variant_header(variant.name);
    if (!header.ok()) return header.status();
    list["data/" + variant.name] = variant.digests.xxh3;
    list["header/" + variant.name] = HashOf(*header);
  }
  return list;
}

std::string FormatChecksums(const ChecksumList& list) {
  std::string text = kComment;
  for (const auto& [what, digest] : list) absl::StrAppend(&text, HexText(digest), kBetween, what, "\n");
  return text;
}

absl::StatusOr<ChecksumList> ParseChecksums(absl::string_view text, absl::string_view file_name) {
  if (absl::Status status = CheckIsText(text, file_name); !status.ok()) return status;
  ChecksumList list;
  size_t number = 0;
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  // Of old Macs, and of editors told so: carriage returns alone.
  const char line_end = absl::StrContains(text, '\n') ? '\n' : '\r';
  for (absl::string_view line : absl::StrSplit(text, line_end)) {
    ++number;
    if (line_end == '\n') line = absl::StripSuffix(line, "\r");
    if (line.empty() || line.front() == '#') continue;
    const auto bad = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat(file_name, ": line ", number, ": ", what));
    };
    const absl::string_view hex = line.substr(0, kHexSize);
    const bool is_hex = hex.size() == kHexSize && std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit);
    const absl::string_view rest = line.substr(hex.size());
    if (!is_hex || !absl::StartsWith(rest, kBetween)) return bad("expected 32 hexadecimal digits and two spaces");
    const absl::string_view what = rest.substr(sizeof(kBetween) - 1);
    if (!absl::StartsWith(what, "data/") && !absl::StartsWith(what, "header/")) {
      return bad("expected data/NAME or header/NAME after the hash");
    }
    const std::string bytes = absl::HexStringToBytes(hex);
    Xxh3Digest digest;
    std::copy(bytes.begin(), bytes.end(), digest.begin());
    if (!list.emplace(std::string(what), digest).second) return bad(absl::StrCat("'", what, "' is given twice"));
  }
  if (list.empty()) return absl::InvalidArgumentError(absl::StrCat(file_name, ": no checksums in it"));
  return list;
}

}  // namespace modelvault
