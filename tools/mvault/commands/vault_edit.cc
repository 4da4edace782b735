#include "tools/mvault/commands/vault_edit.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/change_signing.h"
#include "tools/mvault/commands/vault_argument.h"

namespace modelvault {
namespace {

constexpr uint64_t kPiece = 1 << 20;

absl::Status Changed(const VaultReader& written, absl::string_view what) {
  return absl::InternalError(absl::StrCat(written.path(), ": ", what, " did not come through the change unchanged"));
}

// Compares `size` bytes of two files.
absl::Status CompareBytes(const VaultReader& original, uint64_t from, const VaultReader& written, uint64_t to,
                          uint64_t size, absl::string_view what) {
  std::vector<uint8_t> a;
  std::vector<uint8_t> b;
  for (uint64_t done = 0; done < size; done += a.size()) {
    a.resize(static_cast<size_t>(std::min(kPiece, size - done)));
    b.resize(a.size());
    if (absl::Status status = original.file().ReadAt(from + done, absl::MakeSpan(a)); !status.ok()) return status;
    if (absl::Status status = written.file().ReadAt(to + done, absl::MakeSpan(b)); !status.ok()) return status;
    if (a != b) return Changed(written, what);
  }
  return absl::OkStatus();
}

template <typename Header>
absl::StatusOr<bool> SameHeader(const absl::StatusOr<Header>& a, const absl::StatusOr<Header>& b) {
  if (!a.ok()) return a.status();
  if (!b.ok()) return b.status();
  return *a == *b;
}

absl::Status CheckVariant(const VaultReader& original, const VaultVariant& old, const VaultReader& written,
                          const std::string& new_name) {
  const std::string what = absl::StrCat("variant '", new_name, "'");
  const absl::StatusOr<const VaultVariant*> found = written.Find(new_name);
  if (!found.ok()) return found.status();
  const VaultVariant& now = **found;
  if (now.stored_size != old.stored_size || now.digests != old.digests || now.checksum32 != old.checksum32) {
    return Changed(written, what);
  }
  if (now.sealed != old.sealed) return Changed(written, what);
  const absl::StatusOr<bool> same_header =
      old.sealed.has_value() ? SameHeader(original.sealed_header(old.name), written.sealed_header(new_name))
                             : SameHeader(original.variant_header(old.name), written.variant_header(new_name));
  if (!same_header.ok()) return same_header.status();
  if (!*same_header) return Changed(written, absl::StrCat("the file header of ", what));
  return CompareBytes(original, old.offset, written, now.offset, old.stored_size, what);
}

}  // namespace

absl::Status CheckKept(const VaultReader& original, const VaultReader& written, const VaultChanges& changes) {
  if (original.params() != written.params() || original.base_digests() != written.base_digests() ||
      original.base_header() != written.base_header()) {
    return Changed(written, "the base");
  }
  constexpr std::pair<Section, const char*> kKept[] = {{Section::kModel, "MODEL"},
                                                       {Section::kChunks, "CHUNKS"},
                                                       {Section::kBase, "BASE"},
                                                       {Section::kNetwork, "NETWORK"}};
  for (const auto& [section, name] : kKept) {
    const SectionPlace& old = original.header().section(section);
    const SectionPlace& now = written.header().section(section);
    if (old.size != now.size || old.checksum != now.checksum) return Changed(written, name);
    absl::Status status = CompareBytes(original, old.offset, written, now.offset, old.size, name);
    if (!status.ok()) return status;
  }
  const std::set<std::string> removed(changes.remove.begin(), changes.remove.end());
  const std::map<std::string, std::string> renamed(changes.rename.begin(), changes.rename.end());
  for (const VaultVariant& old : original.variants()) {
    if (removed.count(old.name) != 0) continue;
    const auto rename = renamed.find(old.name);
    const std::string& name = rename == renamed.end() ? old.name : rename->second;
    if (absl::Status status = CheckVariant(original, old, written, name); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<VaultEdit> ApplyChanges(FileSystem& file_system, absl::string_view path, const VaultChanges& changes,
                                       const VaultWriterOptions& options,
                                       const std::function<void(const VaultReader& written)>& on_written) {
  absl::StatusOr<std::unique_ptr<VaultWriter>> writer = EditVault(file_system, path, changes, options);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Finish(); !status.ok()) return status;
  VaultEdit edit;
  {
    const absl::StatusOr<std::unique_ptr<VaultReader>> written = (*writer)->OpenWritten();
    if (!written.ok()) return written.status();
    const VaultReader& original = *(*writer)->original();
    if (absl::Status status = CheckKept(original, **written, changes); !status.ok()) return status;
    if (absl::Status status = (*written)->CheckPadding(); !status.ok()) return status;
    edit = {original.header().file_size, (*writer)->file_size(), original.variants().size(),
            (*written)->variants().size()};
    if (on_written != nullptr) on_written(**written);
  }
  if (absl::Status status = (*writer)->Commit(); !status.ok()) return status;
  return edit;
}

void AddEditVault(Command* command, EditArguments* arguments) { AddChangedVaultArgument(command, &arguments->vault); }

void AddEditTenant(Command* command, EditArguments* arguments) { AddTenantOptions(command, &arguments->tenant); }

void AddEditOptions(Command* command, EditArguments* arguments) {
  AddChangeKeyOption(command, &arguments->keys);
  AddJsonFlag(command, &arguments->json);
}

absl::StatusOr<ExitCode> EditAndPrint(Session& session, const std::string& command, const EditArguments& arguments,
                                      const VaultChanges& changes, VaultWriterOptions options) {
  absl::StatusOr<ChangeSigning> signing = ChangeSigning::OfChange(session, arguments.vault, arguments.keys);
  if (!signing.ok()) return signing.status();
  const absl::StatusOr<TenantSide> tenant = TenantSide::Read(arguments.tenant);
  if (!tenant.ok()) return tenant.status();
  if (options.sign_tenant == nullptr) options.sign_tenant = tenant->signer();
  options.keys = tenant->keys();
  options.sign_root = signing->sign_root();
  options.trust = signing->trust();
  const absl::StatusOr<VaultEdit> edit =
      ApplyChanges(session.file_system, arguments.vault, changes, options,
                   [&](const VaultReader& written) { signing->NoteWritten(written); });
  if (!edit.ok()) return edit.status();
  const ChangeSigning::Report& signature = signing->End(session);
  if (arguments.json) {
    session.console.PrintJson({{"command", command},
                               {"vault", arguments.vault},
                               {"old_bytes", edit->old_size},
                               {"new_bytes", edit->new_size},
                               {"old_variants", edit->old_variants},
                               {"new_variants", edit->new_variants},
                               {"signature", signature.json}});
  } else {
    session.console.Print(absl::StrFormat("%s: %s, %s (before: %s, %s)\n%s", Printable(arguments.vault),
                                          Counted(edit->new_size, "byte"), Counted(edit->new_variants, "variant"),
                                          Counted(edit->old_size, "byte"), Counted(edit->old_variants, "variant"),
                                          signature.text));
  }
  return ExitCode::kOk;
}

}  // namespace modelvault
