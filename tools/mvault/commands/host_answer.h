// What a model of a vault answers on the host.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_HOST_ANSWER_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_HOST_ANSWER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "restore/model_engine.h"
#include "tools/mvault/cli/command_line.h"

namespace modelvault {

struct AnswerOptions {
  int tokens = 64;         // At most.
  bool pass_ends = false;  // Go on after a token that begins or ends a text.
  double temperature = 0;
  int top_k = 40;
  uint64_t seed = 1;

  uint32_t temperature_q16() const;
};

// `options` must outlive the parsing.
void AddAnswerOptions(Command* command, AnswerOptions* options);

// What the vault's models compute. NotFound, with what to do about it, for a vault that does not say.
absl::StatusOr<Network> FindNetwork(const Restorer& restorer);

struct Answer {
  std::vector<uint16_t> prompt_ids;
  std::vector<uint16_t> ids;  // Of a model that tells classes, the best one.
  std::string text;
  bool ended = false;                  // The last id begins or ends a text.
  std::vector<uint64_t> score_hashes;  // For each id: HashScores() of all the scores that have been picked from.
};

// `print` (may be empty) is given each piece of the text as it comes. InvalidArgument: the prompt is none;
// ResourceExhausted: it is longer than window and sinks.
absl::StatusOr<Answer> AnswerPrompt(ModelEngine* engine, absl::string_view prompt, const AnswerOptions& options,
                                    const std::function<void(absl::string_view)>& print = nullptr);

// For a model that tells classes; values times 2^16.
absl::StatusOr<Answer> AnswerFeatures(ModelEngine* engine, absl::Span<const int32_t> features);

// The bytes that ids stand for.
std::string TextOf(const Tokenizer& tokenizer, absl::Span<const uint16_t> ids);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_HOST_ANSWER_H_
