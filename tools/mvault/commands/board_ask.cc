#include "tools/mvault/commands/board_ask.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "restore/model_engine.h"
#include "tools/mvault/board/board_answer.h"
#include "tools/mvault/board/board_machine.h"
#include "tools/mvault/cli/text_stream.h"
#include "tools/mvault/commands/board_trust.h"
#include "tools/mvault/commands/run_input.h"
#include "tools/mvault/reports/formatting.h"
#include "vault/format.h"

namespace modelvault {
namespace {

// What both machines are asked.
struct Question {
  std::string prompt;             // As the board is given it.
  std::vector<int32_t> features;  // Of a model that tells classes.
};

absl::StatusOr<Question> ReadQuestion(FileSystem& file_system, const BoardArguments& arguments,
                                      const Network& network) {
  Question question{*arguments.ask, {}};
  if (network.task == NetworkTask::kFeatures) {
    absl::StatusOr<std::vector<int32_t>> features = ReadFeatures(file_system, *arguments.ask, network.inputs);
    if (!features.ok()) return features.status();
    question.features = *std::move(features);
    question.prompt = FeatureText(question.features);
  }
  if (question.prompt.size() <= kStrapPromptRoom) return question;
  return absl::ResourceExhaustedError(absl::StrCat("--ask: ", question.prompt.size(), " bytes, expected at most the ",
                                                   kStrapPromptRoom, " that the board is asked with"));
}

// What the host answers.
void AddHost(const NamedVault& vault, const BoardArguments& arguments, const std::string& name,
             const Question& question, BoardAnswer* answer) {
  const auto ask = [&]() -> absl::StatusOr<Answer> {
    const absl::StatusOr<std::unique_ptr<ModelEngine>> engine = ModelEngine::Open(vault.restorer(), name);
    if (!engine.ok()) return engine.status();
    return question.features.empty() ? AnswerPrompt(engine->get(), question.prompt, arguments.answer)
                                     : AnswerFeatures(engine->get(), question.features);
  };
  const absl::StatusOr<Answer> host = ask();
  if (!host.ok()) {
    answer->host_error = std::string(host.status().message());
    return;
  }
  answer->host_ids = host->ids;
  answer->host_scores = FormatHash(host->score_hashes.back());
}

absl::StatusOr<BoardAnswer> AskOnce(const BoardEmulator& board, const BoardArguments& arguments,
                                    const std::string& name, const Question& question) {
  AnswerStraps straps;
  straps.tokens = static_cast<uint32_t>(arguments.answer.tokens);
  straps.pass_ends = arguments.answer.pass_ends;
  straps.top_k = static_cast<uint32_t>(arguments.answer.top_k);
  straps.temperature = arguments.answer.temperature_q16();
  straps.seed = arguments.answer.seed;
  straps.prompt = {reinterpret_cast<const uint8_t*>(question.prompt.data()), question.prompt.size()};
  const absl::StatusOr<EmulatorRun> run = board.Run(
      MakeAnswerStraps(name, straps, static_cast<uint32_t>(arguments.tile.value_or(0))), arguments.clock.wait_states());
  if (!run.ok()) return run.status();
  absl::StatusOr<AnswerLine> line = ParseAnswerLine(run->output);
  if (!line.ok()) return NoLineError(name.empty() ? kReservedVariantName : name, line.status(), *run);
  BoardAnswer answer;
  answer.line = *std::move(line);
  answer.exit_code = run->exit_code;
  answer.uncounted = run->uncounted;
  if (answer.uncounted.empty()) {
    absl::StatusOr<BoardPhases> phases = ParseCounts(run->counts);
    if (!phases.ok()) return phases.status();
    answer.phases = *std::move(phases);
  }
  return answer;
}

// What the board's ids say.
void AddText(const Network& network, BoardAnswer* answer) {
  if (answer->line.ids.empty()) return;
  const uint16_t last = answer->line.ids.back();
  if (network.task == NetworkTask::kFeatures) {
    answer->text = absl::StrCat("class ", last);
  } else if (network.tokenizer.size > 0) {
    Tokenizer tokenizer;
    tokenizer.View(network.tokenizer);
    answer->text = TextOf(tokenizer, answer->line.ids);
    answer->ended = last == tokenizer.begin_token() || last == tokenizer.end_token();
  }
}

std::string ToText(const BoardAnswer& answer, const BoardArguments& arguments,
                   const std::optional<EnergyOptions>& energy) {
  TextStream stream;
  std::string text = stream.Add(answer.text);
  absl::StrAppend(&text, stream.Finish(), "\n\n", FormatAnswer(answer, arguments.clock, arguments.functions));
  if (energy.has_value() && answer.uncounted.empty()) {
    absl::StrAppend(&text, "\n", FormatPhaseEnergy(answer.phases, arguments.clock, *energy));
  }
  return text;
}

Json ToJson(const BoardAnswer& answer, const BoardArguments& arguments, const std::optional<EnergyOptions>& energy) {
  Json json = {{"vault", arguments.vault},
               {"mhz", arguments.clock.mhz},
               {"flash_mbps", arguments.clock.flash_mbps},
               {"wait_states", arguments.clock.wait_states()}};
  json.update(AnswerToJson(answer, arguments.clock, arguments.functions));
  if (energy.has_value()) {
    json["energy_options"] = EnergyOptionsToJson(*energy);
    json["energy"] =
        answer.uncounted.empty() ? PhaseEnergyToJson(answer.phases, arguments.clock, *energy) : Json(nullptr);
  }
  return json;
}

}  // namespace

absl::StatusOr<ExitCode> AskBoard(Session& session, const NamedVault& vault, const BoardArguments& arguments,
                                  const std::optional<EnergyOptions>& energy) {
  const std::string name = arguments.base ? std::string(kReservedVariantName) : arguments.name;
  if (absl::Status status = CheckBoardName(name); !status.ok()) return status;
  if (name != kReservedVariantName) {
    if (absl::Status found = vault.vault().Find(name).status(); !found.ok()) return found;
  }
  const absl::StatusOr<Network> network = FindNetwork(vault.restorer());
  if (!network.ok()) return network.status();
  const absl::StatusOr<Question> question = ReadQuestion(session.file_system, arguments, *network);
  if (!question.ok()) return question.status();
  const absl::StatusOr<std::unique_ptr<BoardEmulator>> board = MakeBoard(session, vault.vault(), arguments);
  if (!board.ok()) return board.status();
  absl::StatusOr<BoardAnswer> answer = AskOnce(**board, arguments, BoardNameOf(vault.vault(), name), *question);
  if (!answer.ok()) return answer.status();
  AddText(*network, &*answer);
  AddHost(vault, arguments, name, *question, &*answer);
  if (!answer->ok()) session.console.PrintError(absl::DataLossError(AnswerFailure(*answer)));
  if (arguments.json) {
    session.console.PrintJson(ToJson(*answer, arguments, energy));
  } else {
    session.console.Print(ToText(*answer, arguments, energy));
  }
  return answer->ok() ? ExitCode::kOk : ExitCode::kDifferent;
}

}  // namespace modelvault
