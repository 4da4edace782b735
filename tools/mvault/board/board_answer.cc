#include "tools/mvault/board/board_answer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"

namespace modelvault {
namespace {

constexpr absl::string_view kLinePrefix = "answer ";
constexpr absl::string_view kNamePrefix = "name=";

// The parts by name, so that line, text and JSON agree.
struct NamedPart {
  const char* key;
  uint64_t AnswerMemory::*value;
};
constexpr NamedPart kParts[] = {
    {"variables", &AnswerMemory::variables},
    {"loader", &AnswerMemory::loader},
    {"engine", &AnswerMemory::engine},
    {"cache", &AnswerMemory::cache},
    {"activations", &AnswerMemory::activations},
    {"parameters", &AnswerMemory::parameters},
    {"list", &AnswerMemory::list},
    {"ram_code", &AnswerMemory::ram_code},
    {"stack", &AnswerMemory::stack},
};

struct NamedTime {
  const char* key;
  double AnswerTimes::*value;
};
constexpr NamedTime kTimes[] = {{"start_ms", &AnswerTimes::start},
                                {"open_ms", &AnswerTimes::open},
                                {"load_ms", &AnswerTimes::load},
                                {"prefill_ms", &AnswerTimes::prefill}};

// Words "key=value" before the name, which comes last and may hold anything but a line feed.
std::map<std::string, std::string> TakeFields(absl::string_view* rest) {
  std::map<std::string, std::string> fields;
  while (!rest->empty() && !absl::ConsumePrefix(rest, kNamePrefix)) {
    const size_t space = std::min(rest->find(' '), rest->size());
    fields.insert(std::pair<std::string, std::string>(absl::StrSplit(rest->substr(0, space), absl::MaxSplits('=', 1))));
    rest->remove_prefix(std::min(space + 1, rest->size()));
  }
  return fields;
}

bool ParseIds(absl::string_view text, std::vector<uint16_t>* ids) {
  for (const absl::string_view word : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    uint32_t id;
    if (!absl::SimpleAtoi(word, &id) || id > UINT16_MAX) return false;
    ids->push_back(static_cast<uint16_t>(id));
  }
  return true;
}

bool ParseFields(const std::map<std::string, std::string>& fields, AnswerLine* line) {
  const auto text = [&](const char* key, std::string* value) {
    const auto found = fields.find(key);
    if (found != fields.end()) *value = found->second;
    return found != fields.end();
  };
  std::string prompt, tokens, number, offset;
  bool good = text("prompt", &prompt) && text("tokens", &tokens) && text("scores", &line->scores) &&
              text("status", &line->status) && text("place", &line->place) && text("number", &number) &&
              text("offset", &offset);
  good = good && ParseIds(prompt, &line->prompt_ids) && ParseIds(tokens, &line->ids) &&
         absl::SimpleAtoi(number, &line->number) && absl::SimpleAtoi(offset, &line->offset);
  for (const NamedPart& part : kParts) {
    std::string bytes;
    good = good && text(part.key, &bytes) && absl::SimpleAtoi(bytes, &(line->memory.*part.value));
  }
  return good;
}

const PhaseCounts* Find(const BoardPhases& phases, Phase phase) {
  const auto found = phases.find(static_cast<int>(phase));
  return found == phases.end() ? nullptr : &found->second;
}

std::string Ms(double ms) { return absl::StrFormat("%.2f", ms); }

}  // namespace

uint64_t AnswerMemory::total() const {
  uint64_t sum = 0;
  for (const NamedPart& part : kParts) sum += this->*part.value;
  return sum;
}

absl::StatusOr<AnswerLine> ParseAnswerLine(absl::string_view output) {
  for (absl::string_view text : absl::StrSplit(output, '\n')) {
    text = absl::StripSuffix(text, "\r");
    absl::string_view rest = text;
    if (!absl::ConsumePrefix(&rest, kLinePrefix)) continue;
    AnswerLine line;
    const std::map<std::string, std::string> fields = TakeFields(&rest);
    line.name = std::string(rest);
    if (!ParseFields(fields, &line) || line.name.empty()) {
      return absl::InternalError(absl::StrCat("the board program printed a line that is no answer: ", text));
    }
    return line;
  }
  return absl::NotFoundError("the board program printed no answer");
}

double CyclesPerToken(const BoardPhases& phases) {
  const PhaseCounts* const tokens = Find(phases, Phase::kToken);
  if (tokens == nullptr || tokens->begun == 0) return 0;
  return static_cast<double>(tokens->counts.cycles()) / static_cast<double>(tokens->begun);
}

AnswerTimes AnswerTimesAt(const BoardPhases& phases, double mhz) {
  const auto ms = [&](Phase phase) {
    const PhaseCounts* const counts = Find(phases, phase);
    return counts == nullptr ? 0 : static_cast<double>(counts->counts.cycles()) / (mhz * 1000);
  };
  return {ms(Phase::kOther), ms(Phase::kOpen), ms(Phase::kLoad), ms(Phase::kPrefill),
          CyclesPerToken(phases) / (mhz * 1000)};
}

bool BoardAnswer::matches_host() const {
  return host_error.empty() && line.ids == host_ids && line.scores == host_scores;
}

std::string AnswerFailure(const BoardAnswer& answer) {
  if (answer.ok()) return "";
  const AnswerLine& line = answer.line;
  if (line.status != "ok" || answer.exit_code != 0) {
    const std::string where =
        line.place == "-" ? "" : absl::StrCat(", ", line.place, " ", line.number, " at offset ", line.offset);
    return absl::StrCat("'", line.name, "' on the board: ", line.status, where, ", after ", line.ids.size(), " tokens");
  }
  if (!answer.host_error.empty()) return answer.host_error;
  return absl::StrCat("'", line.name, "': the board answered ", line.ids.size(), " tokens with scores ", line.scores,
                      ", the host ", answer.host_ids.size(), " with ", answer.host_scores);
}

std::string FormatAnswer(const BoardAnswer& answer, const BoardClock& clock, bool functions) {
  const AnswerLine& line = answer.line;
  TextTable table({"what", "figure"});
  // A model that tells classes has no prompt.
  const std::string said =
      line.prompt_ids.empty()
          ? "a class"
          : absl::StrCat(Grouped(line.ids.size()), " tokens after a prompt of ", Grouped(line.prompt_ids.size()));
  table.AddRow({"result", answer.ok() ? absl::StrCat(said, ", as on the host") : "FAILED"});
  std::vector<std::string> parts;
  for (const NamedPart& part : kParts) parts.push_back(absl::StrCat(part.key, " ", Grouped(line.memory.*part.value)));
  table.AddRow({"RAM", absl::StrCat(Grouped(line.memory.total()), " bytes: ", absl::StrJoin(parts, ", "))});
  if (!answer.uncounted.empty()) {
    table.AddRow({"times", absl::StrCat("none, cycles were not counted: ", Printable(answer.uncounted))});
    return table.Format();
  }
  const AnswerTimes times = AnswerTimesAt(answer.phases, clock.mhz);
  table.AddRow({"clock", FormatClock(clock)});
  table.AddRow({line.prompt_ids.empty() ? "answer" : "first token",
                absl::StrCat(Ms(times.first_token()), " ms from reset: start ", Ms(times.start), ", open ",
                             Ms(times.open), ", load ", Ms(times.load),
                             line.prompt_ids.empty() ? ", compute " : ", prompt ", Ms(times.prefill))});
  if (times.token > 0) {
    const auto cycles = static_cast<uint64_t>(CyclesPerToken(answer.phases) + 0.5);
    table.AddRow({"tokens", absl::StrFormat("%.1f a second: %s cycles, %s ms each", 1000 / times.token, Grouped(cycles),
                                            Ms(times.token))});
  }
  return absl::StrCat(table.Format(), "\n", FormatPhases(answer.phases, clock.mhz, functions));
}

Json AnswerToJson(const BoardAnswer& answer, const BoardClock& clock, bool functions) {
  const AnswerLine& line = answer.line;
  const bool counted = answer.uncounted.empty();
  const auto figure = [&](double value) { return counted && value > 0 ? Json(value) : Json(nullptr); };
  Json json = {{"name", line.name},
               {"ok", answer.ok()},
               {"status", line.status},
               {"error", answer.ok() ? Json(nullptr) : Json(AnswerFailure(answer))},
               {"place", line.place == "-" ? Json(nullptr) : Json(line.place)},
               {"number", line.number},
               {"offset", line.offset},
               {"prompt_ids", line.prompt_ids},
               {"ids", line.ids},
               {"text", answer.text},
               {"ended", answer.ended},
               {"scores", line.scores},
               {"host_scores", answer.host_error.empty() ? Json(answer.host_scores) : Json(nullptr)},
               {"matches_host", answer.matches_host()},
               {"uncounted", counted ? Json(nullptr) : Json(answer.uncounted)}};
  const AnswerTimes times = AnswerTimesAt(answer.phases, clock.mhz);
  json["cycles_per_token"] = figure(CyclesPerToken(answer.phases));
  json["tokens_per_second"] = figure(times.token > 0 ? 1000 / times.token : 0);
  json["first_token_ms"] = figure(times.first_token());
  for (const NamedTime& time : kTimes) json[time.key] = figure(times.*time.value);
  for (const NamedPart& part : kParts) json["ram"][part.key] = line.memory.*part.value;
  json["ram_bytes"] = line.memory.total();
  json["phases"] = PhasesToJson(answer.phases, functions);
  return json;
}

}  // namespace modelvault
