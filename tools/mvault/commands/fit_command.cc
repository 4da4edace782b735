#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "codec/core/codec_format.h"
#include "nlohmann/json.hpp"
#include "restore/named_vault.h"
#include "tools/fitting/fit_input.h"
#include "tools/fitting/fit_run.h"
#include "tools/fitting/int8_files.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/commands/change_signing.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/network_options.h"
#include "tools/mvault/commands/profile_option.h"
#include "tools/mvault/commands/variant_inputs.h"
#include "tools/mvault/reports/fit_report.h"
#include "vault/file_kind.h"

namespace modelvault {
namespace {

struct Arguments {
  FitFiles files;
  VariantArguments variants;
  NameRuleArguments names;
  NetworkArguments network;
  std::string output;
  std::string report;       // Empty: none.
  std::string json_report;  // The same.
  std::optional<uint64_t> budget;
  std::string profile;
  FitRunOptions run;
  std::string grid = "curvature";
  std::string metric = "kronecker";
  std::vector<std::string> weights, floors, tensor_weights;  // NAME=x
  std::string tensor_weights_file;                           // More of them. Empty: none.
  int group = kGroupSize;
  // Left out, for comparisons.
  bool move_base = false, no_base_rate = false, no_scale_refit = false, no_side_tensors = false,
       no_shared_prices = false;
  bool table = false;
  bool json = false;
};

// Splits NAME=x at the last '='.
bool ParsePair(const std::string& text, std::pair<std::string, double>* pair) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) return false;
  pair->first = text.substr(0, equals);
  return absl::SimpleAtod(text.substr(equals + 1), &pair->second);
}

// Adds a file's tensor weights to those of the command line: each line as one option, '#' begins a comment line.
// kInvalidArgument names the file and the line.
absl::Status ReadTensorWeights(FileSystem& file_system, Arguments* a) {
  const std::string& path = a->tensor_weights_file;
  if (path.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> text = ReadTextFile(file_system, path);
  if (!text.ok()) return text.status();
  if (absl::Status status = CheckIsText(*text, path); !status.ok()) return status;
  absl::string_view lines = *text;
  absl::ConsumePrefix(&lines, "\xEF\xBB\xBF");  // Some editors begin UTF-8 with it.
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(lines, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const auto bad = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": line ", number, ": '", line, "': ", what));
    };
    std::pair<std::string, double> pair;
    if (!ParsePair(std::string(line), &pair)) return bad("expected TEXT=number");
    if (!(pair.second > 0) || !std::isfinite(pair.second)) return bad("a weight must be positive");
    for (const auto& [part, weight] : a->run.curvature.tensor_weights) {
      if (part == pair.first) return bad(absl::StrCat("a weight is given twice for '", part, "'"));
    }
    a->run.curvature.tensor_weights.push_back(pair);
  }
  return absl::OkStatus();
}

// Gives the options' values their places; kInvalidArgument for what does not parse.
absl::Status Complete(Arguments* a) {
  const auto bad = [](const char* option, const std::string& text) {
    return absl::InvalidArgumentError(absl::StrCat(option, " '", text, "': expected NAME=number"));
  };
  const auto twice = [](const char* option, const std::string& name) {
    return absl::InvalidArgumentError(absl::StrCat(option, " is given twice for '", name, "'"));
  };
  std::pair<std::string, double> pair;
  for (const std::string& text : a->weights) {
    if (!ParsePair(text, &pair)) return bad("--weight", text);
    if (!a->run.fit.weights.insert(pair).second) return twice("--weight", pair.first);
  }
  for (const std::string& text : a->floors) {
    if (!ParsePair(text, &pair)) return bad("--floor", text);
    if (!a->run.fit.floors.insert(pair).second) return twice("--floor", pair.first);
  }
  for (const std::string& text : a->tensor_weights) {
    if (!ParsePair(text, &pair)) return bad("--tensor-weight", text);
    for (const auto& [part, weight] : a->run.curvature.tensor_weights) {
      if (part == pair.first) return twice("--tensor-weight", part);
    }
    a->run.curvature.tensor_weights.push_back(pair);
  }
  a->run.profile = ParseProfile(a->profile).value_or(BaseProfile::kSmall);
  a->run.fit.keep_base = !a->move_base;
  // All bytes of a base that is not coded cost the same.
  a->run.fit.model.base_rate = !a->no_base_rate && a->run.profile == BaseProfile::kSmall;
  a->run.fit.model.refit_scales = !a->no_scale_refit;
  a->run.fit.model.side_tensors = !a->no_side_tensors;
  a->run.fit.shared_prices = !a->no_shared_prices;
  if (a->budget.has_value()) a->run.budget = *a->budget;
  a->run.fit.model.grid = a->grid == "range" ? GridRule::kRowRange : GridRule::kCurvature;
  a->run.curvature.magnitude = a->metric == "magnitude";
  a->run.curvature.use_kronecker = a->metric == "kronecker";
  a->run.curvature.use_importance = a->metric != "identity";
  if (!a->report.empty() || !a->json_report.empty()) a->run.curve = {0.25, 0.5, 1, 2};
  return absl::OkStatus();
}

// Whether a new file `path` would be in the place of one that is read.
bool Replaces(const std::string& path, const Arguments& a) {
  const FitFiles& files = a.files;
  return SameFile(path, files.base) || SameFile(path, files.curvature) || SameFile(path, files.importance) ||
         SameFile(path, a.tensor_weights_file) || SameFile(path, a.network.model) ||
         SameFile(path, a.network.tokenizer) ||
         std::any_of(files.variants.begin(), files.variants.end(),
                     [&](const VariantInput& v) { return SameFile(path, v.path); });
}

// Where `path`, which need not exist, is or would be; empty if that cannot be told.
std::filesystem::path PlaceOf(const std::string& path) {
  std::error_code error;
  std::filesystem::path place = std::filesystem::absolute(path, error);
  if (!error) place = std::filesystem::weakly_canonical(place, error);
  return error ? std::filesystem::path() : place;
}

// Whether files written to `a` and `b`, which need not exist, would be one.
bool SameOutput(const std::string& a, const std::string& b) {
  if (SameFile(a, b)) return true;
  const std::filesystem::path place = PlaceOf(a);
  return !place.empty() && place == PlaceOf(b);
}

// Whether `folder` is `path`, or lies below it, so that `path` cannot be a file. Neither need exist.
bool IsOrContains(const std::string& path, const std::string& folder) {
  const std::filesystem::path outer = PlaceOf(path);
  const std::filesystem::path inner = PlaceOf(folder);
  return !outer.empty() && std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

// kInvalidArgument if a file that is written would replace one that is read, or another one that is written.
absl::Status CheckOutputs(const Arguments& a) {
  const std::pair<const char*, const std::string&> outputs[] = {
      {"-o", a.output}, {"--report", a.report}, {"--json-report", a.json_report}};
  for (const auto& [option, path] : outputs) {
    if (path.empty()) continue;
    if (Replaces(path, a)) {
      return absl::InvalidArgumentError(absl::StrCat(option, " ", path, " is one of the files to be read"));
    }
    for (const auto& [other, other_path] : outputs) {
      if (other == option) break;
      if (SameOutput(path, other_path)) {
        return absl::InvalidArgumentError(absl::StrCat(option, " ", path, " is the file of ", other));
      }
    }
  }
  const std::string& folder = a.run.export_folder;
  const std::string variants = folder.empty() ? "" : Int8VariantsIn(folder);
  const std::pair<const char*, const std::string&> folders[] = {{"--export-int8", variants},
                                                                {"--work", a.run.work_folder}};
  for (const auto& [option, path] : outputs) {
    for (const auto& [maker, made] : folders) {
      if (path.empty() || made.empty() || !IsOrContains(path, made)) continue;
      return absl::InvalidArgumentError(absl::StrCat(option, " ", path, " would be a folder: that of ", maker));
    }
  }
  if (folder.empty()) return absl::OkStatus();
  std::vector<std::string> names;
  for (const VariantInput& v : a.files.variants) names.push_back(v.name);
  const Int8Files exported = Int8FilesIn(folder, names);
  std::vector<std::string> places = {exported.base};
  for (const VariantInput& v : exported.variants) places.push_back(v.path);
  for (const std::string& place : places) {
    if (Replaces(place, a)) {
      return absl::InvalidArgumentError(absl::StrCat("--export-int8 ", folder, " would replace files to be read"));
    }
    for (const auto& [option, path] : outputs) {
      if (path.empty() || !SameOutput(path, place)) continue;
      return absl::InvalidArgumentError(absl::StrCat(option, " ", path, " is a file of --export-int8 ", folder));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> Fit(Session& session, Arguments arguments) {
  if (arguments.group != static_cast<int>(kGroupSize)) {
    return UsageError(session, absl::StrCat("--group ", arguments.group, ": the vault's format has one scale for ",
                                            kGroupSize, " weights"));
  }
  if (absl::Status status = Complete(&arguments); !status.ok()) return UsageError(session, status.message());
  if (absl::Status s = CheckNetworkOptions(arguments.network); !s.ok()) return UsageError(session, s.message());
  if (absl::Status status = ReadTensorWeights(session.file_system, &arguments); !status.ok()) return status;
  absl::StatusOr<std::vector<VariantInput>> variants = FindVariants(session.file_system, arguments.variants);
  if (!variants.ok()) return variants.status();
  if (variants->empty()) return UsageError(session, "nothing to fit: give --variants or --variant");
  arguments.files.variants = *std::move(variants);
  absl::StatusOr<NameRules> names = FindNameRules(arguments.names);
  if (!names.ok()) return names.status();
  arguments.files.names = *std::move(names);
  if (absl::Status status = CheckOutputs(arguments); !status.ok()) return UsageError(session, status.message());
  for (const std::string& report : {arguments.report, arguments.json_report}) {
    if (report.empty()) continue;
    if (absl::Status status = session.file_system.TryOutput(report); !status.ok()) return status;
  }
  absl::StatusOr<std::optional<NetworkInput>> network = FindNetwork(session.file_system, arguments.network);
  if (!network.ok()) return network.status();
  arguments.run.network = *std::move(network);
  arguments.run.progress = session.console.progress().Function();
  const absl::StatusOr<FitInput> input =
      FitInput::Open(session.file_system, arguments.files, arguments.run.curvature, arguments.run.fit.threads);
  if (!input.ok()) return WithWayOn(input.status(), arguments.files.variants);
  const absl::StatusOr<ChangeSigning> signing = ChangeSigning::OfNewVault(session, arguments.output, {});
  if (!signing.ok()) return signing.status();
  const absl::StatusOr<FitRun> run = RunFit(session.file_system, *input, arguments.output, arguments.run);
  if (!run.ok()) return run.status();
  static_cast<void>(signing->End(session));
  const FitReport report = MakeFitReport(arguments.output, *input, arguments.run, *run);
  absl::Status status;
  if (!arguments.report.empty()) status = WriteTextFile(session.file_system, arguments.report, FitToHtml(report));
  if (status.ok() && !arguments.json_report.empty()) {
    status = WriteTextFile(session.file_system, arguments.json_report, FitToJson(report).dump(1, ' ', true) + "\n");
  }
  if (!status.ok()) return status;
  if (arguments.json) {
    session.console.PrintJson(FitToJson(report));
  } else {
    session.console.Print(FitToText(report, arguments.table));
  }
  return ExitCode::kOk;
}

void AddPairs(Command* command, const std::string& name, std::vector<std::string>* pairs, const std::string& type,
              const std::string& help) {
  command->AddOption(name, pairs, help).TypeName(type).OneValue();
}

void AddFactor(Command* command, const std::string& name, double* factor, const std::string& help) {
  command->AddOption(name, factor, help).TypeName("X").ShowDefault();
}

void AddFileOptions(Command* command, Arguments* a) {
  command->AddOption("--base", &a->files.base, "The base in floats; default: the mean of the variants")
      .TypeName("FILE");
  AddVariantOptions(command, &a->variants);
  AddNameRuleOptions(command, &a->names);
  AddNetworkOptions(command, &a->network);
  command
      ->AddOption("--curvature", &a->files.curvature,
                  "What is known of the weights: TENSOR.G and TENSOR.H (Kronecker factors), TENSOR.importance, "
                  "TENSOR.tensor_weight; modelvault.curvature makes it")
      .TypeName("FILE");
  command
      ->AddOption("--importance", &a->files.importance,
                  "A value for each weight, for tensors without Kronecker factors, in place of the curvature file's")
      .TypeName("FILE");
  AddSizeOption(command, "--budget", &a->budget, "Bytes the vault may have; default 1MiB");
  AddProfileOption(
      command, &a->profile, false,
      "How the base is stored: coded, so that most is left for the variants, or as it is, for a board that "
      "computes with it; default small");
  command->AddOption("--group", &a->group, "Weights that share a scale; the format has 128")
      .TypeName("N")
      .ShowDefault();
  command->AddOption("-o,--output", &a->output, "The vault; an existing file is replaced once all is verified")
      .TypeName("VAULT")
      .Required();
  command->AddOption("--report", &a->report, "Also write what it cost as an HTML page").TypeName("FILE");
  command->AddOption("--json-report", &a->json_report, "Also write what it cost as JSON").TypeName("FILE");
  command->AddFlag("--table", &a->table, "Print a line for every variant, not only for the ten that lose most");
  command
      ->AddOption("--export-int8", &a->run.export_folder,
                  "Also leave the INT8 models there: base.safetensors and variants/NAME.safetensors")
      .TypeName("DIR");
}

void AddWeightOptions(Command* command, Arguments* a) {
  AddPairs(command, "--floor", &a->floors, "NAME=NATS",
           "Variant NAME may lose so much, by the curvature's prediction, whatever tensor weights say");
  AddPairs(command, "--weight", &a->weights, "NAME=X", "Variant NAME's errors count X times as much");
  AddPairs(command, "--tensor-weight", &a->tensor_weights, "TEXT=X",
           "Errors of tensors with TEXT in their name count X times as much, in place of the curvature file's weights");
  command
      ->AddOption("--tensor-weights", &a->tensor_weights_file,
                  "More of these, a line each: modelvault.tensor_weights makes them")
      .TypeName("FILE");
}

void AddMethodOptions(Command* command, Arguments* a) {
  ModelFitOptions& fit = a->run.fit.model;
  AddFactor(command, "--gain", &fit.gain, "Multiply the fine-tunes' differences by X before they are fitted");
  AddFactor(command, "--damping", &a->run.curvature.damping, "Added to the curvature's diagonal, times its mean");
  command
      ->AddOption("--grid", &a->grid,
                  "Steps of the base's rows: by their curvature and the price of a byte, or by their range")
      .TypeName("curvature|range")
      .OneOf({"curvature", "range"})
      .ShowDefault();
  AddFactor(command, "--grid-factor", &fit.grid_factor, "Makes the base's grid coarser");
  AddFactor(command, "--start-scale", &fit.start_scale,
            "Scale to begin with, in units of the difference that just pays for its bits");
  command->AddOption("--rounds", &a->run.fit.rounds, "Fits of the variants, each with the last one's prices of symbols")
      .TypeName("N")
      .Range(1, 20)
      .ShowDefault();
  command
      ->AddOption("--metric", &a->metric,
                  "What errors are held against: all that is given, or less of it, for comparisons")
      .TypeName("kronecker|diagonal|identity|magnitude")
      .OneOf({"kronecker", "diagonal", "identity", "magnitude"})
      .ShowDefault();
  command->AddFlag("--move-base", &a->move_base, "Move the base amid the variants: fewer bytes, another base");
  command->AddFlag("--no-base-rate", &a->no_base_rate, "Round the base to the nearest step");
  command->AddFlag("--no-scale-refit", &a->no_scale_refit, "Keep all scales as they begin");
  command->AddFlag("--no-side-tensors", &a->no_side_tensors, "Leave small tensors at the base's");
  command->AddFlag("--no-shared-prices", &a->no_shared_prices, "Price all symbols of a tensor alike");
  command->AddOption("--lambda", &a->run.lambda, "Fit at this price of a bit, rather than look for the budget's")
      .TypeName("X");
}

}  // namespace

void AddFitCommand(Command& app, Session& session) {
  Command command = app.AddCommand("fit", "Quantise float checkpoints into a vault within a budget");
  auto a = std::make_shared<Arguments>();
  AddFileOptions(&command, a.get());
  AddWeightOptions(&command, a.get());
  AddMethodOptions(&command, a.get());
  command.AddOption("--work", &a->run.work_folder, "Where an interrupted fit finds its results; default VAULT.fit-work")
      .TypeName("DIR");
  command.AddFlag("--keep-work", &a->run.keep_work_folder, "Do not remove that folder at the end");
  AddThreadsOption(&command, &a->run.fit.threads);
  AddJsonFlag(&command, &a->json);
  SetFooter(
      &command,
      "  mvault fit --variants departments --curvature curvature.safetensors --budget 1MiB -o all.mvlt\n"
      "  mvault fit --base base.safetensors --variants departments --curvature curvature.safetensors \\\n"
      "      -o all.mvlt --report all.html --export-int8 int8\n",
      "Tensors of F32, F16 or BF16 with two dimensions and more get INT8 weights and ternary deltas; small ones\n"
      "are rounded, tensors of other types each model keeps as its own. All variants pay the same price for a\n"
      "bit; it is raised or lowered until the vault just fits the budget. Killed and started again with the same\n"
      "command line, it goes on where it was.");
  command.OnParsed([&session, a] { session.command = [&session, a] { return Fit(session, *a); }; });
}

}  // namespace modelvault
