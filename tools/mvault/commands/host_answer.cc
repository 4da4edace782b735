#include "tools/mvault/commands/host_answer.h"

#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "firmware_riscv/app/score_hash.h"
#include "restore/infer/sampler.h"

namespace modelvault {
namespace {

absl::StatusOr<std::vector<uint16_t>> EncodePrompt(const ModelEngine& engine, absl::string_view prompt) {
  absl::StatusOr<std::vector<uint16_t>> ids = engine.Encode(prompt);
  if (!ids.ok()) return ids;
  if (ids->empty()) return absl::InvalidArgumentError("the prompt is empty, and nothing begins a text");
  return ids;
}

}  // namespace

uint32_t AnswerOptions::temperature_q16() const { return static_cast<uint32_t>(std::lround(temperature * 65536)); }

void AddAnswerOptions(Command* command, AnswerOptions* options) {
  command->AddOption("--tokens", &options->tokens, "Tokens of the answer at most")
      .TypeName("N")
      .Range(1, 1000000)
      .ShowDefault();
  command->AddFlag("--pass-ends", &options->pass_ends, "Go on where the model ends its text or begins another one");
  command->AddOption("--temperature", &options->temperature, "0: always the best token; else how freely it is drawn")
      .TypeName("T")
      .Range(0.0, 100.0)
      .ShowDefault();
  command->AddOption("--top-k", &options->top_k, "Drawn from so many of the best tokens")
      .TypeName("K")
      .Range(1, static_cast<int>(kMaxTopK))
      .ShowDefault();
  command->AddOption("--seed", &options->seed, "Of the drawing").TypeName("N").ShowDefault();
}

absl::StatusOr<Network> FindNetwork(const Restorer& restorer) {
  if (restorer.vault().header().has_network()) return restorer.network();
  return absl::NotFoundError(absl::StrCat(restorer.vault().path(),
                                          ": the vault does not say what its models compute: pack or fit it with "
                                          "--model (and --tokenizer)"));
}

absl::StatusOr<Answer> AnswerPrompt(ModelEngine* engine, absl::string_view prompt, const AnswerOptions& options,
                                    const std::function<void(absl::string_view)>& print) {
  absl::StatusOr<std::vector<uint16_t>> prompt_ids = EncodePrompt(*engine, prompt);
  if (!prompt_ids.ok()) return prompt_ids.status();
  Answer answer;
  answer.prompt_ids = *std::move(prompt_ids);
  Sampler sampler(options.seed, options.temperature_q16(), static_cast<size_t>(options.top_k));
  const Tokenizer& tokenizer = *engine->tokenizer();
  uint64_t hash = kNoScoresHash;
  absl::Status status = engine->Run(answer.prompt_ids);
  while (status.ok()) {
    const uint16_t id = sampler.Pick(engine->scores());
    hash = HashScores(hash, engine->scores());
    answer.ids.push_back(id);
    answer.score_hashes.push_back(hash);
    const std::string text = TextOf(tokenizer, {id});
    answer.text += text;
    if (print) print(text);
    answer.ended = id == tokenizer.begin_token() || id == tokenizer.end_token();
    if ((answer.ended && !options.pass_ends) || answer.ids.size() == static_cast<size_t>(options.tokens)) return answer;
    status = engine->Run({id});
  }
  return status;
}

absl::StatusOr<Answer> AnswerFeatures(ModelEngine* engine, absl::Span<const int32_t> features) {
  if (absl::Status status = engine->RunFeatures(features); !status.ok()) return status;
  Answer answer;
  answer.ids.push_back(BestToken(engine->scores()));
  answer.score_hashes.push_back(HashScores(kNoScoresHash, engine->scores()));
  return answer;
}

std::string TextOf(const Tokenizer& tokenizer, absl::Span<const uint16_t> ids) {
  std::string text;
  for (const uint16_t id : ids) {
    const ByteView bytes = tokenizer.Text(id);
    text.append(reinterpret_cast<const char*>(bytes.data), bytes.size);
  }
  return text;
}

}  // namespace modelvault
