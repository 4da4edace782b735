#include <cmath>
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
#include "codec/core/xxh64.h"
#include "nlohmann/json.hpp"
#include "restore/infer/sampler.h"
#include "restore/model_engine.h"
#include "tools/formats/readable_text.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/text_stream.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/run_input.h"
#include "tools/mvault/reports/class_scores.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  std::string name;
  std::optional<std::string> prompt;
  std::string features;
  int tokens = 64;
  double temperature = 0;
  int top_k = 40;
  uint64_t seed = 1;
  std::string activation_bits;
  bool json = false;
};

struct Answer {
  std::vector<uint16_t> prompt_ids;
  std::vector<uint16_t> ids;
  std::string text;
  std::vector<std::string> score_digests;  // Of the scores that each id was picked from.
  bool ended = false;                      // By the model, which began or ended a text.
};

// XXH64 of a token's scores and their exponent, as little-endian 32-bit numbers.
std::string ScoreDigest(const NetworkScores& scores) {
  Xxh64 hash;
  const auto add = [&hash](uint32_t v) {
    const uint8_t bytes[4] = {static_cast<uint8_t>(v), static_cast<uint8_t>(v >> 8), static_cast<uint8_t>(v >> 16),
                              static_cast<uint8_t>(v >> 24)};
    hash.Update({bytes, sizeof(bytes)});
  };
  for (size_t i = 0; i < scores.count; ++i) add(static_cast<uint32_t>(scores.values[i]));
  add(static_cast<uint32_t>(scores.exponent));
  return FormatXxh64(hash.Digest());
}

absl::StatusOr<std::vector<uint16_t>> EncodePrompt(const ModelEngine& engine, const std::string& prompt) {
  absl::StatusOr<std::vector<uint16_t>> ids = engine.Encode(prompt);
  if (!ids.ok()) return ids;
  const size_t room = size_t{engine.network().window} + engine.network().sinks;
  if (ids->empty()) return absl::InvalidArgumentError("the prompt is empty, and nothing begins a text");
  if (ids->size() <= room) return ids;
  return absl::ResourceExhaustedError(absl::StrCat("the prompt has ", ids->size(), " tokens, expected at most the ",
                                                   room, " that the model's window and sinks keep"));
}

// `print` is given each piece of the text.
template <typename Print>
absl::StatusOr<Answer> AnswerPrompt(ModelEngine& engine, const Arguments& arguments, Print print) {
  Answer answer;
  absl::StatusOr<std::vector<uint16_t>> prompt = EncodePrompt(engine, *arguments.prompt);
  if (!prompt.ok()) return prompt.status();
  answer.prompt_ids = *std::move(prompt);
  Sampler sampler(arguments.seed, static_cast<uint32_t>(std::lround(arguments.temperature * 65536)),
                  static_cast<size_t>(arguments.top_k));
  absl::Status status = engine.Run(answer.prompt_ids);
  while (status.ok() && answer.ids.size() < static_cast<size_t>(arguments.tokens)) {
    const uint16_t id = sampler.Pick(engine.scores());
    answer.ended = id == engine.tokenizer()->begin_token() || id == engine.tokenizer()->end_token();
    if (answer.ended) break;
    answer.ids.push_back(id);
    answer.score_digests.push_back(ScoreDigest(engine.scores()));
    const ByteView bytes = engine.tokenizer()->Text(id);
    const absl::string_view text(reinterpret_cast<const char*>(bytes.data), bytes.size);
    absl::StrAppend(&answer.text, text);
    print(text);
    if (answer.ids.size() < static_cast<size_t>(arguments.tokens)) status = engine.Run({id});
  }
  if (!status.ok()) return status;
  return answer;
}

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
  const absl::StatusOr<Answer> answer = AnswerPrompt(engine, arguments, print);
  if (!arguments.json) session.console.Print(absl::StrCat(stream.Finish(), answer.ok() ? "\n" : ""));
  if (!answer.ok()) return answer.status();
  if (arguments.json) {
    Json json = HeadToJson(engine, arguments);
    json.update({{"prompt", *arguments.prompt},
                 {"temperature", arguments.temperature},
                 {"top_k", arguments.top_k},
                 {"seed", arguments.seed},
                 {"prompt_ids", answer->prompt_ids},
                 {"ids", answer->ids},
                 {"text", answer->text},
                 {"ended", answer->ended},
                 {"score_digests", answer->score_digests}});
    session.console.PrintJson(json);
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunFeatures(Session& session, ModelEngine& engine, const Arguments& arguments) {
  const absl::StatusOr<std::vector<int32_t>> features =
      ReadFeatures(session.file_system, arguments.features, engine.network().inputs);
  if (!features.ok()) return features.status();
  if (absl::Status status = engine.RunFeatures(*features); !status.ok()) return status;
  const std::vector<ClassScore> classes = RankClasses(engine.scores());
  if (arguments.json) {
    Json json = HeadToJson(engine, arguments);
    json["classes"] = ClassesToJson(classes);
    json["score_digest"] = ScoreDigest(engine.scores());
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
  if (!(*restorer)->vault().header().has_network()) {
    return absl::NotFoundError(absl::StrCat(arguments.vault,
                                            ": the vault does not say what its models compute: pack "
                                            "or fit it with --model (and --tokenizer)"));
  }
  ModelEngineOptions options;
  if (!arguments.activation_bits.empty()) options.activation_bits = arguments.activation_bits == "4" ? 4 : 8;
  const absl::StatusOr<std::unique_ptr<ModelEngine>> engine = ModelEngine::Open(**restorer, arguments.name, options);
  if (!engine.ok()) return engine.status();
  const bool takes_tokens = (*engine)->network().task == NetworkTask::kTokens;
  if (takes_tokens != arguments.prompt.has_value()) {
    return UsageError(session,
                      absl::StrCat(arguments.vault, takes_tokens ? ": its models take text: give --prompt"
                                                                 : ": its models take numbers: give --features"));
  }
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
  AddVaultArgument(&command, &arguments->vault);
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
  command.AddOption("--tokens", &arguments->tokens, "Tokens of the answer at most")
      .TypeName("N")
      .Range(1, 1000000)
      .ShowDefault();
  command.AddOption("--temperature", &arguments->temperature, "0: always the best token; else how freely it is drawn")
      .Range(0.0, 100.0)
      .ShowDefault();
  command.AddOption("--top-k", &arguments->top_k, "Drawn from so many of the best tokens")
      .TypeName("K")
      .Range(1, static_cast<int>(kMaxTopK))
      .ShowDefault();
  command.AddOption("--seed", &arguments->seed, "Of the drawing").TypeName("N").ShowDefault();
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
