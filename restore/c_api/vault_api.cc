// mv_vault_*: opening, listing and proving vaults.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "restore/c_api/failure.h"
#include "restore/c_api/handles.h"
#include "restore/c_api/include/modelvault/modelvault.h"
#include "restore/c_api/open_options.h"
#include "restore/c_api/read_options.h"
#include "restore/c_api/source_file.h"
#include "restore/c_api/stored_formats.h"
#include "restore/c_api/versioned_structs.h"
#include "restore/verify_models.h"
#include "vault/error_place.h"
#include "vault/file_paths.h"
#include "vault/format.h"
#include "vault/remote/open_url.h"

namespace modelvault {
namespace {

absl::Status OpenFile(std::unique_ptr<RandomAccessFile> file, const mv_open_options* caller_options, mv_vault** vault,
                      FailureContext* context) {
  const absl::StatusOr<OpenOptions> options = OpenOptions::From(caller_options, context);
  if (!options.ok()) return options.status();
  absl::StatusOr<std::unique_ptr<VaultReader>> reader = VaultReader::FromFile(std::move(file), options->reader());
  if (!reader.ok()) return reader.status();
  absl::StatusOr<NamedVault> named = NamedVault::FromReader(*std::move(reader), StoredFormats());
  if (!named.ok()) return named.status();
  absl::StatusOr<std::optional<ProvenRevocations>> revocations = options->OpenRevocations(named->vault(), context);
  if (!revocations.ok()) return revocations.status();
  *vault = new mv_vault{std::make_shared<const OpenedVault>(*std::move(named), *std::move(revocations))};
  return absl::OkStatus();
}

absl::string_view OrEmpty(const char* text) { return text != nullptr ? text : ""; }

absl::Status VerifyVault(const OpenedVault& vault, const mv_read_options* caller_options, FailureContext* context) {
  absl::StatusOr<ReadOptions> options = ReadOptions::From(caller_options);
  if (!options.ok()) return options.status();
  const VaultReader& reader = vault.named.vault();
  reader.WillReadAll();
  if (absl::Status status = reader.CheckPadding(); !status.ok()) return status;
  if (absl::Status status = reader.CheckBaseSection(); !status.ok()) return status;
  if (absl::Status status = reader.CheckNetworkSection(); !status.ok()) return status;
  std::vector<std::string> names = {kReservedVariantName};
  std::vector<size_t> positions = {vault.base_position()};
  for (size_t position = 0; position < reader.variants().size(); ++position) {
    const VaultVariant& variant = reader.variants()[position];
    if (absl::Status status = vault.CheckNotRevoked(variant.name); !status.ok()) {
      context->variant = variant.name;
      return status;
    }
    if (!variant.locked()) {
      names.push_back(variant.name);
      positions.push_back(position);
      continue;
    }
    // It is sealed for others, and cannot be restored.
    if (absl::Status status = reader.CheckStoredBlob(variant); !status.ok()) {
      context->variant = variant.name;
      return status;
    }
  }
  return VerifyModels(vault.named, names, options->threads(), [&](size_t i, const absl::Status& verdict) {
    if (verdict.ok()) return options->Report(i + 1, names.size());
    context->variant = vault.InfoOf(positions[i]).name;
    return verdict;
  });
}

}  // namespace
}  // namespace modelvault

using modelvault::Call;
using modelvault::FailureContext;
using modelvault::Required;

extern "C" {

mv_code mv_vault_open(const char* path, mv_vault** vault, mv_failure** failure) {
  return mv_vault_open_with(path, nullptr, vault, failure);
}

mv_code mv_vault_open_with(const char* path, const mv_open_options* options, mv_vault** vault, mv_failure** failure) {
  if (vault != nullptr) *vault = nullptr;
  std::string shown;
  FailureContext context;
  return Call(context, failure, [&] {
    if (absl::Status status = Required(path != nullptr, "path"); !status.ok()) return status;
    context.path = shown = modelvault::WithoutUserInfo(path);
    if (absl::Status status = Required(vault != nullptr, "vault"); !status.ok()) return status;
    auto file = modelvault::OpenFileOrUrl(modelvault::FileSystem::Default(), path);
    return file.ok() ? modelvault::OpenFile(*std::move(file), options, vault, &context) : file.status();
  });
}

mv_code mv_vault_open_memory(const void* bytes, size_t size, const char* name, mv_vault** vault, mv_failure** failure) {
  return mv_vault_open_memory_with(bytes, size, name, nullptr, vault, failure);
}

mv_code mv_vault_open_memory_with(const void* bytes, size_t size, const char* name, const mv_open_options* options,
                                  mv_vault** vault, mv_failure** failure) {
  if (vault != nullptr) *vault = nullptr;
  const char* const known_as = name != nullptr ? name : "memory";
  FailureContext context{.path = known_as};
  return Call(context, failure, [&] {
    if (absl::Status status = Required(bytes != nullptr || size == 0, "bytes"); !status.ok()) return status;
    if (absl::Status status = Required(vault != nullptr, "vault"); !status.ok()) return status;
    const absl::Span<const uint8_t> span(static_cast<const uint8_t*>(bytes), size);
    return modelvault::OpenFile(std::make_unique<modelvault::CallerMemory>(span, known_as), options, vault, &context);
  });
}

mv_code mv_vault_open_source(const mv_source* source, mv_vault** vault, mv_failure** failure) {
  return mv_vault_open_source_with(source, nullptr, vault, failure);
}

mv_code mv_vault_open_source_with(const mv_source* source, const mv_open_options* options, mv_vault** vault,
                                  mv_failure** failure) {
  if (vault != nullptr) *vault = nullptr;
  FailureContext context;
  return Call(context, failure, [&] {
    if (absl::Status status = Required(source != nullptr, "source"); !status.ok()) return status;
    mv_source known;
    if (absl::Status status = modelvault::CopyFromCaller(*source, "source", &known); !status.ok()) return status;
    modelvault::OwnedSource owned(known);
    context.path = known.name != nullptr ? known.name : "source";
    if (absl::Status status = Required(known.read != nullptr, "source->read"); !status.ok()) return status;
    if (known.reserved != 0) return absl::InvalidArgumentError("source->reserved is not 0");
    if (absl::Status status = Required(vault != nullptr, "vault"); !status.ok()) return status;
    auto file = std::make_unique<modelvault::SourceFile>(std::string(context.path), std::move(owned));
    return modelvault::OpenFile(std::move(file), options, vault, &context);
  });
}

void mv_vault_close(mv_vault* vault) { delete vault; }

const char* mv_vault_path(const mv_vault* vault) { return vault != nullptr ? vault->opened->path().c_str() : ""; }

size_t mv_vault_variant_count(const mv_vault* vault) { return vault != nullptr ? vault->opened->base_position() : 0; }

mv_code mv_vault_variant_info(const mv_vault* vault, size_t index, mv_model_info* info, mv_failure** failure) {
  return Call(FailureContext{.path = mv_vault_path(vault)}, failure, [&] {
    if (absl::Status status = Required(vault != nullptr, "vault"); !status.ok()) return status;
    if (absl::Status status = Required(info != nullptr, "info"); !status.ok()) return status;
    const size_t count = mv_vault_variant_count(vault);
    if (index >= count) {
      return absl::InvalidArgumentError(
          absl::StrCat(mv_vault_path(vault), ": no variant with index ", index, ", there are ", count));
    }
    return modelvault::CopyToCaller(vault->opened->InfoOf(index), "info", info);
  });
}

mv_code mv_vault_signature(const mv_vault* vault, mv_signature_info* info, mv_failure** failure) {
  return Call(FailureContext{.path = mv_vault_path(vault)}, failure, [&] {
    if (absl::Status status = Required(vault != nullptr, "vault"); !status.ok()) return status;
    if (absl::Status status = Required(info != nullptr, "info"); !status.ok()) return status;
    const absl::StatusOr<mv_signature_info> signature = vault->opened->SignatureInfo();
    return signature.ok() ? modelvault::CopyToCaller(*signature, "info", info) : signature.status();
  });
}

mv_code mv_vault_verify(const mv_vault* vault, const mv_read_options* options, mv_failure** failure) {
  FailureContext context{.path = mv_vault_path(vault)};
  return Call(context, failure, [&] {
    if (absl::Status status = Required(vault != nullptr, "vault"); !status.ok()) return status;
    return modelvault::VerifyVault(*vault->opened, options, &context);
  });
}

mv_code mv_vault_model(const mv_vault* vault, const char* name, mv_model** model, mv_failure** failure) {
  if (model != nullptr) *model = nullptr;
  return Call(FailureContext{.path = mv_vault_path(vault), .variant = modelvault::OrEmpty(name)}, failure, [&] {
    if (absl::Status status = Required(vault != nullptr, "vault"); !status.ok()) return status;
    if (absl::Status status = Required(name != nullptr, "name"); !status.ok()) return status;
    if (absl::Status status = Required(model != nullptr, "model"); !status.ok()) return status;
    const modelvault::OpenedVault& opened = *vault->opened;
    size_t position = opened.base_position();
    if (name != absl::string_view(modelvault::kReservedVariantName)) {
      const modelvault::VaultReader& reader = opened.named.vault();
      const absl::StatusOr<const modelvault::VaultVariant*> variant = reader.Find(name);
      if (absl::IsNotFound(variant.status())) {
        if (absl::Status hidden = reader.CheckNotHidden(name); !hidden.ok()) return hidden;
      }
      if (!variant.ok()) return variant.status();
      if (absl::Status status = opened.CheckNotRevoked(name); !status.ok()) return status;
      position = static_cast<size_t>(*variant - reader.variants().data());
    }
    *model = new mv_model(vault->opened, position);
    return absl::OkStatus();
  });
}

}  // extern "C"
