#include "tools/mvault/board/board_figures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"

namespace modelvault {
namespace {

constexpr absl::string_view kLinePrefix = "measure ";
constexpr absl::string_view kNamePrefix = "name=";

uint64_t Number(const nlohmann::json& object, const char* key) { return object.at(key).get<uint64_t>(); }

CycleCounts ToCounts(const nlohmann::json& object) {
  return {Number(object, "instructions"),   Number(object, "executing"),     Number(object, "data_wait"),
          Number(object, "fetch_wait"),     Number(object, "flash_reads"),   Number(object, "flash_read_bytes"),
          Number(object, "flash_accesses"), Number(object, "flash_fetches"), Number(object, "ram_reads"),
          Number(object, "ram_writes"),     Number(object, "ram_fetches"),   Number(object, "multiplications"),
          Number(object, "divisions"),      Number(object, "branches")};
}

CycleCounts Sum(const BoardPhases& phases, std::initializer_list<Phase> wanted) {
  CycleCounts sum;
  for (const Phase phase : wanted) {
    const auto found = phases.find(static_cast<int>(phase));
    if (found != phases.end()) sum.Add(found->second.counts);
  }
  return sum;
}

// Cycles with all waits for data hidden behind computing, as far as there is any.
uint64_t Overlapped(const CycleCounts& counts) {
  return counts.fetch_wait + std::max(counts.executing, counts.data_wait);
}

// Takes "key=value" fields off a line. False for anything else.
bool ParseField(absl::string_view word, BoardLine* line, std::set<std::string>* seen) {
  const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(word, absl::MaxSplits('=', 1));
  const auto [key, value] = field;
  seen->insert(std::string(key));
  if (key == "status") {
    line->status = std::string(value);
  } else if (key == "xxh64") {
    line->xxh64 = std::string(value);
  } else if (key == "expected") {
    line->expected = std::string(value);
  } else if (key == "bytes") {
    return absl::SimpleAtoi(value, &line->bytes);
  } else if (key == "tile") {
    return absl::SimpleAtoi(value, &line->tile_size);
  } else if (key == "static_ram") {
    return absl::SimpleAtoi(value, &line->static_ram);
  } else if (key == "proven_ram") {
    return absl::SimpleAtoi(value, &line->proven_ram);
  } else if (key == "list") {
    return absl::SimpleAtoi(value, &line->list);
  } else if (key == "weight_ram") {
    return absl::SimpleAtoi(value, &line->weight_ram);
  } else if (key == "ram_code") {
    return absl::SimpleAtoi(value, &line->ram_code);
  } else if (key == "stack") {
    return absl::SimpleAtoi(value, &line->stack);
  } else if (key == "proof_stack") {
    return absl::SimpleAtoi(value, &line->proof_stack);
  }
  return true;  // Later firmware may say more.
}

}  // namespace

uint64_t WaitStates(double mhz, double flash_mbps) {
  const double wait = std::round(4 * mhz / flash_mbps - 1);
  return static_cast<uint64_t>(std::clamp(wait, 0.0, static_cast<double>(kMaxWaitStates)));
}

absl::StatusOr<BoardLine> ParseBoardLine(absl::string_view output) {
  for (absl::string_view text : absl::StrSplit(output, '\n')) {
    text = absl::StripSuffix(text, "\r");
    absl::string_view rest = text;
    if (!absl::ConsumePrefix(&rest, kLinePrefix)) continue;
    BoardLine line;
    std::set<std::string> seen;
    bool good = true;
    // The name comes last and may hold anything but a line feed.
    while (good && !rest.empty() && !absl::ConsumePrefix(&rest, kNamePrefix)) {
      const size_t space = std::min(rest.find(' '), rest.size());
      good = ParseField(rest.substr(0, space), &line, &seen);
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    line.name = std::string(rest);
    for (const char* key : {"status", "bytes", "xxh64", "expected", "tile", "static_ram", "ram_code", "stack"}) {
      good = good && seen.count(key) > 0;
    }
    if (!good || line.name.empty()) {
      return absl::InternalError(absl::StrCat("the board program printed a line that is none of measure's: ", text));
    }
    return line;
  }
  return absl::NotFoundError("the board program printed no result");
}

void CycleCounts::Add(const CycleCounts& other) {
  instructions += other.instructions;
  executing += other.executing;
  data_wait += other.data_wait;
  fetch_wait += other.fetch_wait;
  flash_reads += other.flash_reads;
  flash_read_bytes += other.flash_read_bytes;
  flash_accesses += other.flash_accesses;
  flash_fetches += other.flash_fetches;
  ram_reads += other.ram_reads;
  ram_writes += other.ram_writes;
  ram_fetches += other.ram_fetches;
  multiplications += other.multiplications;
  divisions += other.divisions;
  branches += other.branches;
}

std::string BoardPhaseName(int phase) {
  static constexpr std::array<const char*, 19> kNames = {
      "start-up",     "open",      "verify: decode", "verify: hash", "use: decode",   "use: hash",   "console",
      "verify: else", "use: else", "proven: decode", "proven: hash", "proven: else",  "list: build", "weights",
      "load",         "prefill",   "token",          "proof: vault", "proof: variant"};
  return phase >= 0 && static_cast<size_t>(phase) < kNames.size() ? kNames[static_cast<size_t>(phase)]
                                                                  : absl::StrCat("phase ", phase);
}

absl::StatusOr<BoardPhases> ParseCounts(absl::string_view report) {
  // The library reports a missing key or a wrong type by an exception.
  try {
    const nlohmann::json json = nlohmann::json::parse(report.begin(), report.end());
    BoardPhases phases;
    for (const nlohmann::json& phase : json.at("phases")) {
      PhaseCounts& counts = phases[phase.at("phase").get<int>()];
      counts.counts = ToCounts(phase);
      counts.begun = Number(phase, "begun");
      for (const nlohmann::json& function : phase.at("functions")) {
        counts.functions.push_back({function.at("name").get<std::string>(), ToCounts(function)});
      }
    }
    return phases;
  } catch (const nlohmann::json::exception& error) {
    return absl::InternalError(absl::StrCat("the cycle plugin's report: ", error.what()));
  }
}

CycleCounts OpenCounts(const BoardPhases& phases) { return Sum(phases, {Phase::kOpen}); }

CycleCounts VerifyCounts(const BoardPhases& phases) {
  return Sum(phases, {Phase::kVerifyDecode, Phase::kVerifyHash, Phase::kVerifyElse});
}

CycleCounts UseCounts(const BoardPhases& phases) {
  return Sum(phases, {Phase::kUseDecode, Phase::kUseHash, Phase::kUseElse});
}

CycleCounts LoadCounts(const BoardPhases& phases) { return Sum(phases, {Phase::kLoad}); }

CycleCounts ProvenCounts(const BoardPhases& phases) { return Sum(phases, {Phase::kProvenDecode, Phase::kProvenElse}); }

BoardTimes TimesAt(const BoardPhases& phases, double mhz) {
  const auto ms = [&](uint64_t cycles) { return static_cast<double>(cycles) / (mhz * 1000); };
  const CycleCounts open = OpenCounts(phases), verify = VerifyCounts(phases), use = UseCounts(phases);
  CycleCounts all = open;
  all.Add(verify);
  all.Add(use);
  BoardTimes times;
  times.total = ms(all.cycles());
  times.open = ms(open.cycles());
  times.verify = ms(verify.cycles());
  times.use = ms(use.cycles());
  times.decode = ms(Sum(phases, {Phase::kVerifyDecode, Phase::kUseDecode}).executing);
  times.hash = ms(Sum(phases, {Phase::kVerifyHash, Phase::kUseHash}).executing);
  times.other = ms(Sum(phases, {Phase::kOpen, Phase::kVerifyElse, Phase::kUseElse}).executing);
  times.flash_wait = ms(all.data_wait + all.fetch_wait);
  times.one_pass = ms(open.cycles() + verify.cycles());
  times.proven = ms(open.cycles() + ProvenCounts(phases).cycles());
  times.modelled_total = ms(open.cycles() + Overlapped(verify) + Overlapped(use));
  times.modelled_one_pass = ms(open.cycles() + Overlapped(verify));
  return times;
}

}  // namespace modelvault
