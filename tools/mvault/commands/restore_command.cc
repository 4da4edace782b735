#include <algorithm>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "restore/file_assembler.h"
#include "restore/file_placer.h"
#include "restore/model_output.h"
#include "restore/named_vault.h"
#include "tools/formats/readable_text.h"
#include "tools/formats/safetensors.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/trust_options.h"
#include "tools/mvault/commands/vault_argument.h"
#include "vault/format.h"
#include "vault/near_name.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  std::string name;
  bool base = false;
  std::string tensor;
  std::string output;
  TrustArguments trust;
  int threads = 0;
  bool json = false;
};

// Writes the file of `open`, or of its tensor `tensor` alone, and gives it its name only once all was verified.
absl::StatusOr<uint64_t> WriteModel(Session& session, const Arguments& arguments, const NamedModel& open,
                                    const ModelTensor* tensor, bool host_codings) {
  std::string frame = open.frame;
  ModelStructure structure = open;
  if (tensor != nullptr) {
    absl::StatusOr<std::string> own = SafetensorsHeaderFor({tensor, 1}, {});
    if (!own.ok()) return own.status();
    frame = *std::move(own);
    structure = ModelStructure();
    structure.pieces = {{0, frame.size()}};
  }
  absl::StatusOr<ModelOutput> output = ModelOutput::Create(session.file_system, arguments.output, structure.files);
  if (!output.ok()) return output.status();
  // Else what comes is small, and better gathered.
  const bool any_order = host_codings && FilePlacer::CanPlace(structure) && output->CanStartAll();
  FileAssembler assembler(frame, structure, [&](absl::Span<const uint8_t> bytes) { return output->Append(bytes); });
  const FilePlacer placer(frame, structure, [&](uint64_t offset, absl::Span<const uint8_t> bytes) {
    return output->WriteAt(offset, bytes);
  });
  const uint64_t begin = tensor != nullptr ? tensor->begin : 0;
  const uint64_t size = tensor != nullptr ? tensor->size() : open.model->data_size();
  RestoreOptions options;
  options.threads = arguments.threads;
  options.any_order = any_order;
  std::mutex mutex;
  uint64_t done = 0;
  const auto consumer = [&](uint64_t offset, absl::Span<const uint8_t> bytes) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      session.console.progress().Update("restore", done += bytes.size(), size);
    }
    return any_order ? placer.Place(offset - begin, bytes) : assembler.Append(bytes);
  };
  if (absl::Status started = any_order ? output->StartAll() : absl::OkStatus(); !started.ok()) return started;
  const absl::Status status = tensor != nullptr ? open.model->ReadRange(begin, begin + size, options, consumer)
                                                : open.model->Restore(options, consumer);
  if (!status.ok()) return status;
  absl::Status finished = any_order ? placer.PlaceFrame() : assembler.Finish();
  if (!finished.ok()) return finished;
  if (absl::Status committed = output->Commit(); !committed.ok()) return committed;
  return frame.size() - structure.description_size + size;
}

absl::StatusOr<ExitCode> RestoreModel(Session& session, const Arguments& arguments) {
  if (const std::string fault = TrustUsageFault(arguments.trust); !fault.empty()) return UsageError(session, fault);
  if (arguments.base != arguments.name.empty()) return UsageError(session, "give the name of a variant, or --base");
  if (arguments.output == "-") {
    return UsageError(session,
                      "-o -: a model is not written to standard output, because the verdict over it comes only after "
                      "its last byte; give a file");
  }
  if (SameFile(arguments.vault, arguments.output)) {
    return UsageError(session, absl::StrCat("-o ", arguments.output, " is the vault itself"));
  }
  // A folder may be the output of a model that is one, which the vault says.
  const absl::StatusOr<bool> is_folder = session.file_system.IsFolder(arguments.output);
  if (!is_folder.ok()) return is_folder.status();
  if (!*is_folder) {
    if (absl::Status status = session.file_system.TryOutput(arguments.output); !status.ok()) return status;
  }
  const absl::StatusOr<TrustedVault> trusted = OpenTrustedVault(session.file_system, arguments.vault, arguments.trust);
  if (!trusted.ok()) return trusted.status();
  const NamedVault* const vault = &trusted->vault;
  const std::string name = arguments.base ? kReservedVariantName : arguments.name;
  if (absl::Status status = trusted->CheckNotRevoked(name); !status.ok()) return status;
  if (arguments.tensor.empty()) vault->restorer().WillRestore(name);
  const absl::StatusOr<NamedModel> open = vault->OpenModel(name);
  if (!open.ok()) return open.status();
  const ModelTensor* tensor = nullptr;
  if (!arguments.tensor.empty()) {
    const auto found = std::find_if(open->tensors.begin(), open->tensors.end(),
                                    [&](const ModelTensor& t) { return t.name == arguments.tensor; });
    if (found == open->tensors.end()) {
      std::vector<std::string> names;
      for (const ModelTensor& t : open->tensors) names.push_back(t.name);
      return absl::NotFoundError(absl::StrCat(arguments.vault, ": '", name, "' has no tensor '", arguments.tensor, "'",
                                              NearestNameHint(arguments.tensor, names)));
    }
    tensor = &*found;
  }
  const bool host_codings = vault->vault().header().has_host_codings();
  const absl::StatusOr<uint64_t> size = WriteModel(session, arguments, *open, tensor, host_codings);
  if (!size.ok()) return size.status();
  if (arguments.json) {
    session.console.PrintJson({{"vault", arguments.vault},
                               {"name", name},
                               {"tensor", tensor != nullptr ? Json(tensor->name) : Json(nullptr)},
                               {"output", arguments.output},
                               {"bytes", *size},
                               {"verified", tensor != nullptr ? "checksums" : "digests"}});
  } else {
    session.console.Print(absl::StrFormat(
        "%s: %s bytes, %s\n", Printable(arguments.output), Grouped(*size),
        tensor != nullptr ? "stored checksums verified (the digest covers whole models)" : "digests verified"));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddRestoreCommand(Command& app, Session& session) {
  Command command = app.AddCommand("restore", "Give a model back, byte for byte the file that was packed");
  auto arguments = std::make_shared<Arguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  command.AddOption("NAME", &arguments->name, "The variant; 'base' is the base");
  command.AddFlag("--base", &arguments->base, "The base instead of a variant");
  command.AddOption("--tensor", &arguments->tensor, "Only this tensor, in a safetensors file of its own")
      .TypeName("TENSOR");
  command.AddOption("-o,--output", &arguments->output, "The file to write; an existing one is replaced at the end")
      .TypeName("FILE")
      .Required();
  AddTrustOptions(&command, &arguments->trust);
  AddThreadsOption(&command, &arguments->threads);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command,
            "  mvault restore all.mvlt legal -o legal.safetensors\n"
            "  mvault restore all.mvlt --base -o base.safetensors\n"
            "  mvault restore all.mvlt legal --tensor embed -o embed.safetensors\n",
            "FILE appears only after the model's digests have been compared; on any error it stays as it was. With\n"
            "--tensor the stored checksums of everything that is read are compared, but not the digest, which covers\n"
            "whole models.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return RestoreModel(session, *arguments); }; });
}

}  // namespace modelvault
