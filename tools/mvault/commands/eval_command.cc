#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "tools/eval/comparison.h"
#include "tools/eval/eval_input.h"
#include "tools/eval/integer_model.h"
#include "tools/eval/transformer.h"
#include "tools/formats/safetensors.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/eval_models.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/eval_report.h"
#include "tools/packing/network_builder.h"
#include "vault/file_paths.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string source;
  std::string model;
  std::string tokens;
  std::string base;       // Empty: beside the model's file.
  std::string finetunes;  // The same.
  std::string report;     // Empty: none.
  bool integer = false;
  std::string activation_bits;  // Empty: what the model's file says.
  int threads = 0;
  bool json = false;
};

// `file` in the folder of `path`.
std::string Beside(const std::string& path, absl::string_view file) {
  return PathIn(fs::path(path).parent_path().string(), file);
}

// The tokens and the fine-tune of department `name`.
std::string TokensOf(const Arguments& arguments, const std::string& name) {
  return PathIn(arguments.tokens, absl::StrCat(name, ".tok"));
}
std::string FinetuneOf(const Arguments& arguments, const std::string& name) {
  return PathIn(arguments.finetunes, absl::StrCat(name, kSafetensorsExtension));
}

absl::StatusOr<Transformer> MakeModel(const TransformerConfig& config, absl::StatusOr<FloatTensors> tensors,
                                      const std::string& name) {
  if (!tensors.ok()) return tensors.status();
  return Transformer::Create(config, *std::move(tensors), name);
}

absl::StatusOr<TokenScores> Score(const absl::StatusOr<Transformer>& model, const std::string& name,
                                  const std::vector<uint16_t>& tokens) {
  if (!model.ok()) return model.status();
  TokenScores scores = model->Score(tokens);
  const auto bad = std::find_if(scores.nll.begin(), scores.nll.end(), [](float nll) { return !std::isfinite(nll); });
  if (bad == scores.nll.end()) return scores;
  return absl::InvalidArgumentError(absl::StrCat(name, ": weights so large that the prediction of token ",
                                                 bad - scores.nll.begin(), " is not a number"));
}

// By the integer engine.
absl::StatusOr<TokenScores> ScoreIntegers(const EvalModels& models, const EvalModels::Model& model,
                                          const NetworkInput& input, const std::vector<uint16_t>& tokens) {
  TokenScores scores;
  const auto run = [&](absl::Span<const ModelTensor> tensors, DataSource* data) -> absl::Status {
    const std::string name = EvalModels::NameOf(model);
    const absl::StatusOr<std::string> network = BuildNetwork(input, tensors, name);
    if (!network.ok()) return network.status();
    const absl::StatusOr<std::unique_ptr<IntegerModel>> integers = IntegerModel::Create(*network, tensors, data, name);
    if (!integers.ok()) return integers.status();
    absl::StatusOr<TokenScores> scored = (*integers)->Score(tokens, input.config.eval_context);
    if (scored.ok()) scores = *std::move(scored);
    return scored.status();
  };
  if (absl::Status status = models.Use(model, run); !status.ok()) return status;
  return scores;
}

// What describes the network that the integer engine runs; nothing where it does not run any.
absl::StatusOr<std::optional<NetworkInput>> ReadNetwork(FileSystem& file_system, const Arguments& arguments) {
  if (!arguments.integer) return std::nullopt;
  absl::StatusOr<NetworkInput> input = ReadNetworkInput(file_system, arguments.model, "");
  if (!input.ok()) return input.status();
  input->tokenizer.clear();
  if (!arguments.activation_bits.empty()) input->config.activation_bits = arguments.activation_bits == "4" ? 4 : 8;
  // Records are scored from their first token on.
  input->config.window = std::max(input->config.window, input->config.eval_context);
  return *std::move(input);
}

// Everything that is needed exists: better said now than after minutes.
absl::Status CheckFiles(FileSystem& file_system, const Arguments& arguments, const EvalModels& models) {
  for (const EvalModels::Model& m : models.models()) {
    for (const std::string& path : {TokensOf(arguments, m.name), FinetuneOf(arguments, m.name)}) {
      const absl::StatusOr<bool> exists = file_system.Exists(path);
      if (!exists.ok()) return exists.status();
      if (!*exists) return absl::NotFoundError(absl::StrCat("department '", m.name, "': there is no ", path));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<EvalReport> Evaluate(Session& session, const Arguments& arguments) {
  FileSystem& file_system = session.file_system;
  const absl::StatusOr<EvalModel> described = ReadEvalModel(file_system, arguments.model);
  if (!described.ok()) return described.status();
  const TransformerConfig& config = described->config;
  const absl::StatusOr<std::optional<NetworkInput>> network = ReadNetwork(file_system, arguments);
  if (!network.ok()) return network.status();
  const absl::StatusOr<EvalModels> models = EvalModels::Open(file_system, arguments.source);
  if (!models.ok()) return models.status();
  if (absl::Status status = CheckFiles(file_system, arguments, *models); !status.ok()) return status;
  const absl::StatusOr<Transformer> base =
      MakeModel(config, ReadFloatModel(file_system, arguments.base), arguments.base);
  if (!base.ok()) return base.status();

  const std::vector<EvalModels::Model>& list = models->models();
  const auto compare = [&](uint64_t i) -> absl::StatusOr<DepartmentScores> {
    const EvalModels::Model& m = list[i];
    const absl::StatusOr<std::vector<uint16_t>> tokens = ReadTokens(file_system, TokensOf(arguments, m.name), config);
    if (!tokens.ok()) return tokens.status();
    const absl::StatusOr<TokenScores> by_base = Score(base, arguments.base, *tokens);
    if (!by_base.ok()) return by_base.status();
    const std::string path = FinetuneOf(arguments, m.name);
    const absl::StatusOr<TokenScores> by_finetune =
        Score(MakeModel(config, ReadFloatModel(file_system, path), path), path, *tokens);
    if (!by_finetune.ok()) return by_finetune.status();
    const std::string restored = EvalModels::NameOf(m);
    const absl::StatusOr<TokenScores> by_restored =
        network->has_value() ? ScoreIntegers(*models, m, **network, *tokens)
                             : Score(MakeModel(config, models->Read(m), restored), restored, *tokens);
    if (!by_restored.ok()) return by_restored.status();
    return CompareScores(m.name, m.bytes, config.context, *by_base, *by_finetune, *by_restored);
  };
  EvalReport report{arguments.source, arguments.model, {}, {}, {}, {}};
  if (network->has_value()) report.activation_bits = (*network)->config.activation_bits;
  const absl::Status status = OrderedParallel<DepartmentScores>(
      list.size(), ThreadCount(arguments.threads), compare, [&](uint64_t i, DepartmentScores scores) {
        report.departments.push_back(std::move(scores));
        session.console.progress().Update("evaluate", i + 1, list.size());
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  for (const std::string& name : described->departments) {
    const auto is_it = [&](const EvalModels::Model& m) { return m.name == name; };
    if (std::none_of(list.begin(), list.end(), is_it)) report.missing.push_back(name);
  }
  report.summary = Summarize(report.departments);
  return report;
}

absl::StatusOr<ExitCode> Eval(Session& session, Arguments arguments) {
  if (!arguments.activation_bits.empty() && !arguments.integer) {
    return UsageError(session, "--activation-bits is for --integer");
  }
  if (arguments.base.empty()) arguments.base = Beside(arguments.model, absl::StrCat("base", kSafetensorsExtension));
  if (arguments.finetunes.empty()) arguments.finetunes = Beside(arguments.model, "variants");
  if (!arguments.report.empty()) {
    if (absl::Status status = session.file_system.TryOutput(arguments.report); !status.ok()) return status;
  }
  const absl::StatusOr<EvalReport> report = Evaluate(session, arguments);
  if (!report.ok()) return report.status();
  if (!arguments.report.empty()) {
    if (absl::Status status = WriteTextFile(session.file_system, arguments.report, EvalToHtml(*report)); !status.ok()) {
      return status;
    }
  }
  if (arguments.json) {
    session.console.PrintJson(EvalToJson(*report));
  } else {
    session.console.Print(EvalToText(*report));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddEvalCommand(Command& app, Session& session) {
  Command command = app.AddCommand("eval", "Run language models: what accuracy restored variants have");
  auto arguments = std::make_shared<Arguments>();
  command.AddOption("SOURCE", &arguments->source, "A vault, its URL, or a folder of models").Required();
  AddCacheOptions(&command, session);
  command.AddOption("--model", &arguments->model, "Describes the models: JSON with their dimensions")
      .TypeName("FILE")
      .Required();
  command.AddOption("--tokens", &arguments->tokens, "Held-out text: NAME.tok for each variant")
      .TypeName("DIR")
      .Required();
  command.AddOption("--base", &arguments->base, "The base in floats; default: base.safetensors beside the model's file")
      .TypeName("FILE");
  command
      .AddOption("--finetunes", &arguments->finetunes,
                 "The fine-tunes in floats, NAME.safetensors; default: variants/ beside the model's file")
      .TypeName("DIR");
  command.AddFlag("--integer", &arguments->integer,
                  "Score the restored variants with the integer engine, as the board runs them");
  command
      .AddOption("--activation-bits", &arguments->activation_bits,
                 "Of the integer engine: 8, or 4 in groups of 32; default: what the model's file says")
      .TypeName("BITS")
      .OneOf({"4", "8"});
  command.AddOption("--report", &arguments->report, "Also write the results as an HTML page").TypeName("FILE");
  AddThreadsOption(&command, &arguments->threads);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command,
            "  mvault eval all.mvlt --model corpus.json --tokens heldout\n"
            "  mvault eval int8 --model corpus.json --tokens heldout --report int8.html\n"
            "  mvault eval all.mvlt --model corpus.json --tokens heldout --integer\n",
            "Predicts every token of each variant's held-out text with the base, the fine-tune (both as they were in\n"
            "floats) and the restored variant. top-1 is the share of tokens the model thought the most probable;\n"
            "change is restored less fine-tune, with a 95 % paired bootstrap interval over records.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Eval(session, *arguments); }; });
}

}  // namespace modelvault
