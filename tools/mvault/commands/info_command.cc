#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "restore/named_vault.h"
#include "tools/formats/model_formats.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/trust_options.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/accounting.h"
#include "tools/mvault/reports/checksum_list.h"
#include "tools/mvault/reports/file_report.h"
#include "tools/mvault/reports/formatting.h"
#include "tools/mvault/reports/model_diff.h"
#include "tools/mvault/reports/network_report.h"
#include "tools/mvault/reports/signature_report.h"
#include "vault/file_paths.h"
#include "vault/format.h"
#include "vault/hex_text.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  std::string name;
  TrustArguments trust;
  int threads = 0;
  bool json = false;
};

// How BASE codes a tensor: "2 tables", "raw bytes", "1 table, 3 repeated rows".
std::string BaseCoding(const TensorRecord& t, const VaultHeader& header) {
  if (t.size == 0) return "empty";
  if (header.has_host_codings()) return "blocks";
  size_t coded = 0;
  for (size_t plane = 0; plane < t.element_size; ++plane) coded += t.tables[plane] != kRawPlane ? 1 : 0;
  std::string text = coded == 0 ? "raw bytes"
                     : coded == t.element_size
                         ? "prefix codes"
                         : absl::StrFormat("prefix codes for %d of %d byte planes", coded, t.element_size);
  if ((t.flags & kFlagDictionary) != 0) {
    absl::StrAppend(&text, ", ", t.dictionary_rows, t.dictionary_rows == 1 ? " repeated row" : " repeated rows");
  }
  return text;
}

// Where variants' differences are expected in a tensor.
std::string PriorText(const TensorRecord& t) {
  const bool rows = (t.flags & kFlagRowPrior) != 0;
  const bool columns = (t.flags & kFlagColumnPrior) != 0;
  return rows && columns ? "rows, columns" : rows ? "rows" : columns ? "columns" : "-";
}

// "gap", or with several segments "gap (7), raw (1)".
std::string ModesText(const TensorAccount& account) {
  if (account.blocks > 0) return "blocks";
  std::vector<std::string> modes;
  std::vector<std::string> counted;
  for (size_t m = 0; m < kTensorModeCount; ++m) {
    if (account.segments[m] == 0) continue;
    modes.push_back(ModeName(static_cast<TensorMode>(m)));
    counted.push_back(absl::StrCat(modes.back(), " (", account.segments[m], ")"));
  }
  if (modes.empty()) return "same";  // Of a variant that is the base, or an empty tensor: nothing is stored.
  return modes.size() == 1 ? modes[0] : absl::StrJoin(counted, ", ");
}

std::string ScalesText(const TensorAccount& account) {
  std::string text = "-";
  if (account.most_scale > 0) {
    text = account.least_scale == account.most_scale ? absl::StrCat(account.most_scale)
                                                     : absl::StrCat(account.least_scale, "-", account.most_scale);
  }
  if (account.escaped_groups > 0) absl::StrAppend(&text, " + ", account.escaped_groups, " free");
  return text;
}

Json ModesJson(const std::array<uint64_t, kTensorModeCount>& counts) {
  Json json = Json::object();
  for (size_t m = 0; m < kTensorModeCount; ++m) {
    if (counts[m] > 0) json[ModeName(static_cast<TensorMode>(m))] = counts[m];
  }
  return json;
}

// What info tells of base and variants alike.
Json ModelJson(const NamedVault& vault, const NamedModel& open, const std::string& path) {
  const ModelDigests& digests = open.model->digests();
  return {{"vault", path},
          {"name", open.model->name()},
          {"format", open.format},
          {"file_bytes", open.file_size()},
          {"header_bytes", open.frame.size()},
          {"data_bytes", open.model->data_size()},
          {"stored_bytes", open.model->stored_size()},
          {"weights", vault.weights()},
          {"bits_per_weight", BitsPerWeight(open.model->stored_size(), vault.weights())},
          {"xxh3_128", HexText(digests.xxh3)},
          {"xxh64", FormatHash(digests.xxh64)}};
}

std::string ModelText(const NamedVault& vault, const NamedModel& open) {
  const ModelDigests& digests = open.model->digests();
  return absl::StrFormat(
      "%s: %s bytes of file (%s of header, %s of data), stored in %s bytes, %s bits a weight\n"
      "digests of the data: XXH3-128 %s, XXH64 %s\n\n",
      Printable(open.model->name()), Grouped(open.file_size()), Grouped(open.frame.size()),
      Grouped(open.model->data_size()), Grouped(open.model->stored_size()),
      FormatBits(BitsPerWeight(open.model->stored_size(), vault.weights())), HexText(digests.xxh3),
      FormatHash(digests.xxh64));
}

// The base's tensors with their shares of BASE.
Json BaseTensorsJson(const NamedVault& vault, const std::vector<uint64_t>& bytes) {
  Json json = Json::array();
  for (size_t i = 0; i < bytes.size(); ++i) {
    const ModelTensor& info = vault.tensors()[i];
    const TensorRecord& record = vault.restorer().shared().tensor(i);
    Json tables = Json::array();
    for (size_t plane = 0; plane < record.element_size; ++plane) {
      tables.push_back(record.tables[plane] == kRawPlane ? Json(nullptr) : Json(record.tables[plane]));
    }
    json.push_back({{"name", info.name},
                    {"dtype", info.type_name()},
                    {"shape", info.shape},
                    {"coding", BaseCoding(record, vault.vault().header())},
                    {"tables", tables},
                    {"repeated_rows", (record.flags & kFlagDictionary) != 0 ? record.dictionary_rows : 0},
                    {"row_prior", (record.flags & kFlagRowPrior) != 0},
                    {"column_prior", (record.flags & kFlagColumnPrior) != 0},
                    {"stored_bytes", bytes[i]},
                    {"bits_per_weight", BitsPerWeight(bytes[i], info.elements())}});
  }
  return json;
}

std::string BaseTensorsText(const NamedVault& vault, const std::vector<uint64_t>& bytes) {
  TextTable table({"tensor", "dtype", "shape", "coding", "prior", ">bytes", ">bits/weight"});
  for (size_t i = 0; i < bytes.size(); ++i) {
    const ModelTensor& info = vault.tensors()[i];
    const TensorRecord& record = vault.restorer().shared().tensor(i);
    table.AddRow({Printable(info.name), Printable(info.type_name()), FormatShape(info.shape),
                  BaseCoding(record, vault.vault().header()), PriorText(record), Grouped(bytes[i]),
                  FormatBits(BitsPerWeight(bytes[i], info.elements()))});
  }
  return table.Format();
}

absl::StatusOr<ExitCode> InfoOfVault(Session& session, const Arguments& arguments, const NamedVault& vault) {
  const absl::StatusOr<VaultAccount> account =
      AccountVault(vault, arguments.threads, session.console.progress().Function());
  if (!account.ok()) return account.status();
  const VaultHeader& header = vault.vault().header();
  const ModelDigests digests = vault.vault().base_digests();
  const size_t variant_count = vault.vault().variants().size();
  if (arguments.json) {
    Json json = {{"vault", arguments.vault},
                 {"bytes", account->file},
                 {"format", absl::StrCat(kVersionMajor, ".", header.version_minor())},
                 {"wide_chunks", (header.features & kFeatureWideChunks) != 0},
                 {"wide_index", (header.features & kFeatureWideIndex) != 0},
                 {"chunk_size", header.chunk_size},
                 {"segment_size", header.segment_size},
                 {"weights", vault.weights()},
                 {"base_data_bytes", header.base_data_size},
                 {"base_xxh3_128", HexText(digests.xxh3)},
                 {"base_xxh64", FormatHash(digests.xxh64)},
                 {"variants", variant_count},
                 {"network", NetworkJsonOf(vault)},
                 {"signature", SignatureJson(vault.vault())},
                 {"sections", PartsToJson(SectionParts(vault.vault().BytesBySection()))},
                 {"parts", PartsToJson(Parts(*account))},
                 {"tensors_by_mode", ModesJson(account->tensors_by_mode)},
                 {"base_tensors", BaseTensorsJson(vault, account->base_tensors)}};
    session.console.PrintJson(json);
    return ExitCode::kOk;
  }
  std::string text = absl::StrFormat(
      "%s: %s bytes, format %d.%d, a base and %s of %s\n"
      "chunks of %s bytes, segments of %s bytes\n"
      "base: %s of data, XXH3-128 %s, XXH64 %s\n%s%s\n%s\n",
      Printable(arguments.vault), Grouped(account->file), kVersionMajor, header.version_minor(),
      Counted(variant_count, "variant"), Counted(vault.weights(), "weight"), Grouped(header.chunk_size),
      Grouped(header.segment_size), Counted(header.base_data_size, "byte"), HexText(digests.xxh3),
      FormatHash(digests.xxh64), NetworkTextOf(vault), SignatureText(vault.vault()),
      FormatParts(Parts(*account), account->file));
  std::vector<std::string> modes;
  for (size_t m = 0; m < kTensorModeCount; ++m) {
    if (account->tensors_by_mode[m] == 0) continue;
    modes.push_back(absl::StrCat(ModeName(static_cast<TensorMode>(m)), " ", Grouped(account->tensors_by_mode[m])));
  }
  if (!modes.empty()) absl::StrAppend(&text, "variants' tensors by coding: ", absl::StrJoin(modes, ", "), "\n\n");
  absl::StrAppend(&text, "base tensors (rounded shares of BASE):\n", BaseTensorsText(vault, account->base_tensors));
  session.console.Print(text);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> InfoOfBase(Session& session, const Arguments& arguments, const NamedVault& vault,
                                    const NamedModel& open) {
  const absl::StatusOr<std::vector<uint64_t>> bytes =
      AccountBase(vault, arguments.threads, session.console.progress().Function());
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<std::vector<TensorQuantisation>> quantisation = ReadStoredQuantisation(open);
  if (!quantisation.ok()) return quantisation.status();
  if (arguments.json) {
    Json json = ModelJson(vault, open, arguments.vault);
    json["tensors"] = BaseTensorsJson(vault, *bytes);
    json["quantisation"] = QuantisationJson(*quantisation);
    session.console.PrintJson(json);
  } else {
    session.console.Print(ModelText(vault, open) + BaseTensorsText(vault, *bytes) + QuantisationText(*quantisation));
  }
  return ExitCode::kOk;
}

Json VariantTensorsJson(const NamedModel& open, const VariantAccount& account,
                        const std::vector<TensorDifference>& differences) {
  Json json = Json::array();
  for (size_t i = 0; i < open.tensors.size(); ++i) {
    const TensorAccount& tensor = account.tensors[i];
    const TensorDifference& difference = differences[i];
    const bool scaled = tensor.most_scale > 0;
    json.push_back({{"name", open.tensors[i].name},
                    {"dtype", open.tensors[i].type_name()},
                    {"shape", open.tensors[i].shape},
                    {"modes", ModesJson(tensor.segments)},
                    {"elements", difference.elements},
                    {"differing", difference.differing},
                    {"density", Share(difference.differing, difference.elements)},
                    {"least_scale", scaled ? Json(tensor.least_scale) : Json(nullptr)},
                    {"most_scale", scaled ? Json(tensor.most_scale) : Json(nullptr)},
                    {"stored_scales", tensor.stored_scales},
                    {"free_groups", tensor.escaped_groups},
                    {"symbol_bytes", tensor.symbol_bytes},
                    {"scale_bytes", tensor.scale_bytes},
                    {"stored_bytes", tensor.bytes()},
                    {"bits_per_weight", BitsPerWeight(tensor.bytes(), difference.elements)}});
  }
  return json;
}

std::string VariantTensorsText(const NamedModel& open, const VariantAccount& account,
                               const std::vector<TensorDifference>& differences) {
  TextTable table({"tensor", "dtype", "shape", "coding", ">differ", ">density", ">scales", ">bytes", ">for scales",
                   ">bits/weight"});
  size_t same = 0;
  for (size_t i = 0; i < open.tensors.size(); ++i) {
    const TensorAccount& tensor = account.tensors[i];
    const TensorDifference& difference = differences[i];
    const bool in_base = !difference.dtype_b.empty();  // A tensor without elements may be the variant's own.
    if (in_base && difference.differing == 0 && tensor.bytes() == 0) {
      ++same;
      continue;
    }
    table.AddRow({Printable(open.tensors[i].name), Printable(open.tensors[i].type_name()),
                  FormatShape(open.tensors[i].shape), ModesText(tensor), Grouped(difference.differing),
                  Percent(difference.differing, difference.elements), ScalesText(tensor), Grouped(tensor.bytes()),
                  Grouped(tensor.scale_bytes), FormatBits(BitsPerWeight(tensor.bytes(), difference.elements))});
  }
  std::string text = same < open.tensors.size() ? table.Format() : "";
  if (same > 0)
    absl::StrAppendFormat(&text, "%s more with the base's values, which take%s no bytes\n", Counted(same, "tensor"),
                          same == 1 ? "s" : "");
  absl::StrAppendFormat(&text, "head of the blob: %s; tensors' bytes are rounded shares of the rest\n",
                        Counted(account.head_bytes, "byte"));
  return text;
}

absl::StatusOr<ExitCode> InfoOfVariant(Session& session, const Arguments& arguments, const NamedVault& vault,
                                       const NamedModel& open) {
  const absl::StatusOr<VariantAccount> account = AccountVariant(*open.model, vault);
  if (!account.ok()) return account.status();
  const absl::StatusOr<NamedModel> base = vault.OpenModel(kReservedVariantName);
  if (!base.ok()) return base.status();
  const absl::StatusOr<std::vector<TensorDifference>> differences =
      CompareModels(vault, open, *base, PartnersInBase(open), "compare", &session.console.progress());
  if (!differences.ok()) return differences.status();
  const absl::StatusOr<std::vector<TensorQuantisation>> quantisation = ReadStoredQuantisation(open);
  if (!quantisation.ok()) return quantisation.status();
  if (arguments.json) {
    Json json = ModelJson(vault, open, arguments.vault);
    json["quantisation"] = QuantisationJson(*quantisation);
    json["head_bytes"] = account->head_bytes;
    json["tensors"] = VariantTensorsJson(open, *account, *differences);
    session.console.PrintJson(json);
    return ExitCode::kOk;
  }
  session.console.Print(ModelText(vault, open) + VariantTensorsText(open, *account, *differences) +
                        QuantisationText(*quantisation));
  return ExitCode::kOk;
}

// Whether `path` is a model, and no vault, which is told by what it begins with.
absl::StatusOr<bool> IsModel(FileSystem& file_system, const std::string& path) {
  if (IsUrl(path)) return false;
  const absl::StatusOr<bool> is_folder = file_system.IsFolder(path);
  if (!is_folder.ok() || *is_folder) return is_folder;
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForRead(path);
  if (!file.ok()) return file.status();
  std::vector<uint8_t> head(static_cast<size_t>(std::min<uint64_t>(kModelHeadSize, (*file)->size())));
  if (absl::Status status = (*file)->ReadAt(0, absl::MakeSpan(head)); !status.ok()) return status;
  return KnownModelFormats().Recognises(head);
}

absl::StatusOr<ExitCode> InfoOfFile(Session& session, const Arguments& arguments) {
  if (!arguments.name.empty()) {
    return UsageError(session,
                      absl::StrCat(arguments.vault, " is a model, no vault: it has no '", arguments.name, "'"));
  }
  const absl::StatusOr<ModelFile> file = OpenModelFile(session.file_system, arguments.vault);
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::vector<TensorQuantisation>> quantisation =
      file->format().ReadQuantisation(file->file(), file->structure().files);
  if (!quantisation.ok()) return quantisation.status();
  if (arguments.json) {
    session.console.PrintJson(FileJson(*file, *quantisation));
  } else {
    session.console.Print(FileText(*file, *quantisation));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Info(Session& session, const Arguments& arguments) {
  if (const std::string fault = TrustUsageFault(arguments.trust); !fault.empty()) return UsageError(session, fault);
  const absl::StatusOr<bool> is_model = IsModel(session.file_system, arguments.vault);
  if (!is_model.ok()) return is_model.status();
  if (*is_model && !arguments.trust.keys.empty()) {
    return UsageError(session, absl::StrCat(arguments.vault, " is a model, no vault: it has no signature"));
  }
  if (*is_model) return InfoOfFile(session, arguments);
  const absl::StatusOr<TrustedVault> trusted = OpenTrustedVault(session.file_system, arguments.vault, arguments.trust);
  if (!trusted.ok()) return trusted.status();
  const NamedVault* const vault = &trusted->vault;
  if (arguments.name.empty()) return InfoOfVault(session, arguments, *vault);
  if (absl::Status status = trusted->CheckNotRevoked(arguments.name); !status.ok()) return status;
  vault->restorer().WillRestore(arguments.name);
  const absl::StatusOr<NamedModel> open = vault->OpenModel(arguments.name);
  if (!open.ok()) return open.status();
  return open->model->is_base() ? InfoOfBase(session, arguments, *vault, *open)
                                : InfoOfVariant(session, arguments, *vault, *open);
}

}  // namespace

void AddInfoCommand(Command& app, Session& session) {
  Command command =
      app.AddCommand("info", "Tell where a vault's bytes go, how one model is coded, or what a model file holds");
  auto arguments = std::make_shared<Arguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  command.AddOption("NAME", &arguments->name, "A variant, or 'base'; default: the whole vault");
  AddTrustOptions(&command, &arguments->trust);
  AddThreadsOption(&command, &arguments->threads);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command,
            "  mvault info all.mvlt\n  mvault info all.mvlt legal\n  mvault info all.mvlt base --json\n"
            "  mvault info words.tflite\n",
            "Decodes everything it tells about. Sections and blobs are exact; what shares a stream is told apart by\n"
            "the bits the decoder spends on it: rounded shares, which add up exactly. Scales are in steps of the INT8\n"
            "grid; 'free' counts groups whose weights have magnitudes of their own.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Info(session, *arguments); }; });
}

}  // namespace modelvault
