#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "restore/model_engine.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/text_stream.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/host_answer.h"
#include "tools/mvault/commands/run_input.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/class_scores.h"
#include "tools/mvault/reports/formatting.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  std::string name;
  std::optional<std::string> prompt;
  std::string features;
  AnswerOptions answer;
  std::string activation_bits;
  bool json = false;
};

Json HeadToJson(const ModelEngine& engine, const Arguments& arguments) {
  return {{"vault", arguments.vault},
          {"name", arguments.name},
          {"activation_bits", engine.network().activation_bits},
          {"list_bytes", engine.weights().is_listed() ? Json(engine.weights().list_size()) : Json(nullptr)}};
}

absl::StatusOr<ExitCode> RunPrompt(Session& session, ModelEngine& engine, const Arguments& arguments) {
  TextStream stream;
  const auto print = [&](absl::string_view text) {
    if (!arguments.json) session.console.PrintNow(stream.Add(text));
  };
  const absl::StatusOr<Answer> answer = AnswerPrompt(&engine, *arguments.prompt, arguments.answer, print);
  if (!arguments.json) session.console.Print(absl::StrCat(stream.Finish(), answer.ok() ? "\n" : ""));
  if (!answer.ok()) return answer.status();
  const Network& network = engine.network();
  if (const size_t count = answer->prompt_ids.size(); count > size_t{network.window} + network.sinks) {
    session.console.PrintNote(absl::StrFormat("of the prompt's %d tokens the first %d and the last %d count", count,
                                              network.sinks, network.window));
  }
  if (arguments.json) {
    Json json = HeadToJson(engine, arguments);
    std::vector<std::string> hashes;
    for (const uint64_t hash : answer->score_hashes) hashes.push_back(FormatHash(hash));
    json.update({{"prompt", *arguments.prompt},
                 {"temperature", arguments.answer.temperature},
                 {"top_k", arguments.answer.top_k},
                 {"seed", arguments.answer.seed},
                 {"prompt_ids", answer->prompt_ids},
                 {"ids", answer->ids},
                 {"text", answer->text},
                 {"ended", answer->ended},
                 {"score_hashes", hashes}});
    session.console.PrintJson(json);
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunFeatures(Session& session, ModelEngine& engine, const Arguments& arguments) {
  const absl::StatusOr<std::vector<int32_t>> features =
      ReadFeatures(session.file_system, arguments.features, engine.network().inputs);
  if (!features.ok()) return features.status();
  const absl::StatusOr<Answer> answer = AnswerFeatures(&engine, *features);
  if (!answer.ok()) return answer.status();
  const std::vector<ClassScore> classes = RankClasses(engine.scores());
  if (arguments.json) {
    Json json = HeadToJson(engine, arguments);
    json["classes"] = ClassesToJson(classes);
    json["score_hash"] = FormatHash(answer->score_hashes[0]);
    session.console.PrintJson(json);
  } else {
    session.console.Print(FormatClasses(classes));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunModel(Session& session, Arguments& arguments) {
  if (arguments.prompt.has_value() == !arguments.features.empty()) {
    return UsageError(session, "give either --prompt or --features");
  }
  absl::StatusOr<std::unique_ptr<Restorer>> restorer = Restorer::Open(session.file_system, arguments.vault);
  if (!restorer.ok()) return restorer.status();
  const absl::StatusOr<Network> network = FindNetwork(**restorer);
  if (!network.ok()) return network.status();
  const bool takes_tokens = network->task == NetworkTask::kTokens;
  if (takes_tokens != arguments.prompt.has_value()) {
    return UsageError(session,
                      absl::StrCat(arguments.vault, takes_tokens ? ": its models take text: give --prompt"
                                                                 : ": its models take numbers: give --features"));
  }
  ModelEngineOptions options;
  if (!arguments.activation_bits.empty()) options.activation_bits = arguments.activation_bits == "4" ? 4 : 8;
  const absl::StatusOr<std::unique_ptr<ModelEngine>> engine = ModelEngine::Open(**restorer, arguments.name, options);
  if (!engine.ok()) return engine.status();
  if (!takes_tokens) return RunFeatures(session, **engine, arguments);
  if (arguments.prompt == "-") {
    absl::StatusOr<std::string> text = ReadStandardInput();
    if (!text.ok()) return text.status();
    arguments.prompt = *std::move(text);
  }
  return RunPrompt(session, **engine, arguments);
}

}  // namespace

void AddRunCommand(Command& app, Session& session) {
  Command command = app.AddCommand("run", "Ask a model of a vault, with the board's integers");
  auto arguments = std::make_shared<Arguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  command.AddOption("NAME", &arguments->name, "The variant; 'base' is the base").Required();
  command
      .AddOption(
          "--prompt",
          [arguments](const std::string& text) {
            arguments->prompt = text;
            return std::string();
          },
          "What the answer goes on from; '-': standard input")
      .TypeName("TEXT");
  command.AddOption("--features", &arguments->features, "Numbers, or a file of them, for a model that tells classes")
      .TypeName("NUMBERS|FILE");
  AddAnswerOptions(&command, &arguments->answer);
  command.AddOption("--activation-bits", &arguments->activation_bits, "8 or 4; default: as the vault says")
      .TypeName("BITS")
      .OneOf({"8", "4"});
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command,
            "  mvault run hospital.mvlt cardiology --prompt 'Q: What is (are) Hypotension ?'\n"
            "  mvault run hospital.mvlt cardiology --prompt - --temperature 0.8 --seed 7 < question.txt\n"
            "  mvault run clinic.mvlt radiology --features measurements.txt --json\n",
            "The model is restored and verified, then it answers with the engine that boards run: the same integers,\n"
            "the same tokens, on every machine. The text is printed as it comes and ends after --tokens, or where the\n"
            "model ends it or begins another.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return RunModel(session, *arguments); }; });
}

}  // namespace modelvault
