#include "tools/mvault/reports/unmatched_cost.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "restore/named_vault.h"
#include "tools/formats/model_formats.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/reports/accounting.h"

namespace modelvault {

absl::Status TellUnmatchedCost(FileSystem& file_system, const std::string& path, const TenantKeys& keys,
                               PackReport* report) {
  if (report->note.empty()) return absl::OkStatus();
  VaultReaderOptions options;
  options.keys = keys;
  absl::StatusOr<std::unique_ptr<VaultReader>> reader = VaultReader::Open(file_system, path, options);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<NamedVault> vault = NamedVault::FromReader(*std::move(reader), KnownModelFormats());
  if (!vault.ok()) return vault.status();
  uint64_t bytes = 0;
  for (const PackedVariant& variant : report->variants) {
    if (variant.unmatched.empty()) continue;
    const absl::StatusOr<NamedModel> model = vault->OpenModel(variant.name);
    if (!model.ok()) return model.status();
    const absl::StatusOr<VariantAccount> account = AccountVariant(*model->model, *vault);
    if (!account.ok()) return account.status();
    for (const size_t tensor : variant.unmatched) bytes += account->tensors[tensor].bytes();
  }
  absl::StrAppend(&report->note, "\nwhat has no match takes ", Counted(bytes, "byte"), " of the vault");
  return absl::OkStatus();
}

}  // namespace modelvault
