#include "tools/mvault/board/board_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "tools/eval/median.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "vault/format.h"

namespace modelvault {
namespace {

constexpr size_t kShownFunctions = 12;  // A phase, in text.

// The times by name, so that text, JSON and summary agree.
struct NamedTime {
  const char* key;
  double BoardTimes::*value;
};
constexpr NamedTime kTimes[] = {
    {"total_ms", &BoardTimes::total},   {"one_pass_ms", &BoardTimes::one_pass},
    {"proven_ms", &BoardTimes::proven}, {"open_ms", &BoardTimes::open},
    {"verify_ms", &BoardTimes::verify}, {"use_ms", &BoardTimes::use},
    {"decode_ms", &BoardTimes::decode}, {"hash_ms", &BoardTimes::hash},
    {"other_ms", &BoardTimes::other},   {"flash_wait_ms", &BoardTimes::flash_wait},
};
constexpr NamedTime kModelledTimes[] = {{"total_ms", &BoardTimes::modelled_total},
                                        {"one_pass_ms", &BoardTimes::modelled_one_pass}};

std::string Ms(double ms) { return absl::StrFormat("%.2f", ms); }

CycleCounts AllCounts(const BoardPhases& phases) {
  CycleCounts all = OpenCounts(phases);
  all.Add(VerifyCounts(phases));
  all.Add(UseCounts(phases));
  return all;
}

Json CountsToJson(const CycleCounts& counts) {
  return {{"instructions", counts.instructions},
          {"cycles", counts.cycles()},
          {"executing", counts.executing},
          {"data_wait", counts.data_wait},
          {"fetch_wait", counts.fetch_wait},
          {"flash_reads", counts.flash_reads},
          {"flash_read_bytes", counts.flash_read_bytes}};
}

// Null where nothing was counted.
Json TimesToJson(const BoardTimes& times, bool counted) {
  const auto value = [&](const NamedTime& time) { return counted ? Json(times.*time.value) : Json(nullptr); };
  Json json;
  for (const NamedTime& time : kTimes) json[time.key] = value(time);
  for (const NamedTime& time : kModelledTimes) json["modelled"][time.key] = value(time);
  return json;
}

std::vector<std::string> Row(const std::string& name, const CycleCounts& counts, double mhz) {
  return {name,
          Grouped(counts.cycles()),
          Ms(static_cast<double>(counts.cycles()) / (mhz * 1000)),
          Grouped(counts.executing),
          Grouped(counts.data_wait),
          Grouped(counts.fetch_wait),
          Grouped(counts.instructions),
          Grouped(counts.flash_reads)};
}

// The costliest first.
std::vector<FunctionCounts> Costliest(const PhaseCounts& phase) {
  std::vector<FunctionCounts> functions = phase.functions;
  std::stable_sort(functions.begin(), functions.end(), [](const FunctionCounts& a, const FunctionCounts& b) {
    return a.counts.cycles() > b.counts.cycles();
  });
  return functions;
}

// A C++ function's name without what fills the screen: namespaces of ours, parameters.
std::string ShortName(const std::string& name) {
  const std::string bare = absl::StrReplaceAll(name, {{"modelvault::", ""}, {"(anonymous namespace)::", ""}});
  const size_t parameters = bare.find('(');
  return Printable(parameters == 0 ? bare : bare.substr(0, parameters));
}

// In the order of a run.
constexpr Phase kOrder[] = {Phase::kOther,        Phase::kProveVault, Phase::kOpen,         Phase::kProveVariant,
                            Phase::kVerifyDecode, Phase::kVerifyHash, Phase::kVerifyElse,   Phase::kUseDecode,
                            Phase::kUseHash,      Phase::kUseElse,    Phase::kProvenDecode, Phase::kProvenHash,
                            Phase::kProvenElse,   Phase::kList,       Phase::kWeights,      Phase::kLoad,
                            Phase::kPrefill,      Phase::kToken,      Phase::kConsole};

}  // namespace

std::string FormatPhases(const BoardPhases& phases, double mhz, bool functions) {
  TextTable table(
      {"phase", ">cycles", ">ms", ">executing", ">data wait", ">fetch wait", ">instructions", ">flash reads"});
  for (const Phase number : kOrder) {
    const auto found = phases.find(static_cast<int>(number));
    if (found == phases.end()) continue;
    const PhaseCounts& phase = found->second;
    table.AddRow(Row(BoardPhaseName(static_cast<int>(number)), phase.counts, mhz));
    if (!functions) continue;
    const std::vector<FunctionCounts> costliest = Costliest(phase);
    for (size_t i = 0; i < std::min(costliest.size(), kShownFunctions); ++i) {
      table.AddRow(Row("  " + ShortName(costliest[i].name), costliest[i].counts, mhz));
    }
  }
  return table.Format();
}

std::string FormatClock(const BoardClock& clock) {
  return absl::StrFormat("%g MHz, flash %g MB/s: %d wait states", clock.mhz, clock.flash_mbps, clock.wait_states());
}

Json PhasesToJson(const BoardPhases& phases, bool functions) {
  Json json = Json::array();
  for (const auto& [number, phase] : phases) {
    Json entry = {{"phase", BoardPhaseName(number)}};
    entry.update(CountsToJson(phase.counts));
    if (functions) {
      entry["functions"] = Json::array();
      for (const FunctionCounts& function : Costliest(phase)) {
        Json item = {{"name", function.name}};
        item.update(CountsToJson(function.counts));
        entry["functions"].push_back(std::move(item));
      }
    }
    json.push_back(std::move(entry));
  }
  return json;
}

std::string BoardFailure(const BoardResult& result) {
  if (result.ok()) return "";
  if (!result.host_error.empty()) return result.host_error;
  if (!result.board_ok) {
    return absl::StrCat("the board did not verify '", result.name, "': ", result.line.status, ", restored ",
                        result.line.xxh64, ", expected ", result.line.expected);
  }
  return absl::StrCat("'", result.name, "': the board restored ", result.line.xxh64, ", the host ", result.host_xxh64);
}

namespace {

void AddTimes(const BoardPhases& phases, const BoardClock& clock, TextTable* table) {
  const BoardTimes times = TimesAt(phases, clock.mhz);
  const CycleCounts all = AllCounts(phases);
  table->AddRow({"clock", FormatClock(clock)});
  table->AddRow(
      {"one pass", absl::StrCat(Ms(times.one_pass), " ms: open ", Ms(times.open), ", verify ", Ms(times.verify))});
  table->AddRow({"both passes", absl::StrCat(Ms(times.total), " ms: open ", Ms(times.open), ", verify ",
                                             Ms(times.verify), ", use ", Ms(times.use))});
  table->AddRow({"proven tiles", absl::StrCat(Ms(times.proven), " ms: one pass, each tile proven before it is used")});
  table->AddRow({"of which", absl::StrCat("decode ", Ms(times.decode), ", hash ", Ms(times.hash), ", other ",
                                          Ms(times.other), ", waiting for flash ", Ms(times.flash_wait))});
  table->AddRow({"modelled", absl::StrCat(Ms(times.modelled_one_pass), " and ", Ms(times.modelled_total),
                                          " ms, if a DMA channel read the flash meanwhile")});
  table->AddRow({"instructions", Grouped(all.instructions)});
  table->AddRow({"cycles", Grouped(all.cycles())});
  table->AddRow(
      {"flash reads", absl::StrCat(Grouped(all.flash_reads), ", of ", Grouped(all.flash_read_bytes), " bytes")});
}

}  // namespace

std::string FormatBoardResult(const BoardResult& result, const BoardClock& clock, bool functions) {
  const BoardLine& line = result.line;
  const bool counted = result.uncounted.empty();
  TextTable table({"what", "figure"});
  table.AddRow({"result", result.ok() ? "verified in both passes, as on the host" : "FAILED"});
  table.AddRow({"model", absl::StrCat(Printable(result.name), ", ", Grouped(line.bytes), " bytes, XXH64 ",
                                      Printable(line.xxh64))});
  if (counted) {
    AddTimes(result.phases, clock, &table);
  } else {
    table.AddRow({"cycles", "not counted: " + Printable(result.uncounted)});
  }
  table.AddRow({"RAM", absl::StrCat(Grouped(line.static_ram + line.ram_code + line.stack), " bytes: static ",
                                    Grouped(line.static_ram), ", code ", Grouped(line.ram_code), ", stack ",
                                    Grouped(line.stack))});
  table.AddRow({"for an engine", absl::StrCat(Grouped(line.list), " bytes of differences, ", Grouped(line.weight_ram),
                                              " for the base's bytes")});
  table.AddRow({"window", absl::StrCat(Grouped(line.tile_size), " bytes")});
  return counted ? absl::StrCat(table.Format(), "\n", FormatPhases(result.phases, clock.mhz, functions))
                 : table.Format();
}

Json BoardResultToJson(const BoardResult& result, const BoardClock& clock, bool functions) {
  const CycleCounts all = AllCounts(result.phases);
  const BoardLine& line = result.line;
  const bool counted = result.uncounted.empty();
  const auto count = [&](uint64_t value) { return counted ? Json(value) : Json(nullptr); };
  Json json = {{"name", result.name},
               {"ok", result.ok()},
               {"status", line.status},
               {"error", result.ok() ? Json(nullptr) : Json(BoardFailure(result))},
               {"data_bytes", line.bytes},
               {"xxh64", line.xxh64},
               {"host_xxh64", result.host_xxh64.empty() ? Json(nullptr) : Json(result.host_xxh64)},
               {"matches_host", result.matches_host()},
               {"uncounted", counted ? Json(nullptr) : Json(result.uncounted)}};
  json.update(TimesToJson(TimesAt(result.phases, clock.mhz), counted));
  json.update({{"instructions", count(all.instructions)},
               {"cycles", count(all.cycles())},
               {"flash_reads", count(all.flash_reads)},
               {"flash_read_bytes", count(all.flash_read_bytes)},
               {"window_bytes", line.tile_size},
               {"static_ram_bytes", line.static_ram},
               {"code_ram_bytes", line.ram_code},
               {"stack_bytes", line.stack},
               {"proof_stack_bytes", line.proof_stack},
               {"proven_ram_bytes", line.proven_ram + line.ram_code + line.stack},
               {"list_bytes", line.list},
               {"weight_ram_bytes", line.weight_ram},
               {"ram_bytes", line.static_ram + line.ram_code + line.stack},
               {"phases", PhasesToJson(result.phases, functions)}});
  return json;
}

BoardSummary Summarize(const std::vector<BoardResult>& results, double mhz) {
  BoardSummary summary;
  std::vector<BoardTimes> times;
  for (const BoardResult& result : results) {
    if ((result.name == kReservedVariantName && results.size() > 1) || !result.uncounted.empty()) continue;
    times.push_back(TimesAt(result.phases, mhz));
    if (summary.worst_name.empty() || times.back().total > summary.worst.total) {
      summary.worst_name = result.name;
      summary.worst.total = times.back().total;
    }
  }
  summary.models = times.size();
  if (times.empty()) return summary;
  const auto reduce = [&](const NamedTime& time) {
    std::vector<double> values;
    for (const BoardTimes& t : times) values.push_back(t.*time.value);
    summary.worst.*time.value = *std::max_element(values.begin(), values.end());
    summary.median.*time.value = Median(std::move(values));
  };
  for (const NamedTime& time : kTimes) reduce(time);
  for (const NamedTime& time : kModelledTimes) reduce(time);
  return summary;
}

std::string FormatBoardResults(const std::vector<BoardResult>& results, const BoardClock& clock) {
  TextTable table(
      {"name", ">one pass", ">both passes", ">open", ">verify", ">use", ">decode", ">hash", ">flash wait", "board"});
  const auto add = [&](const std::string& name, const BoardTimes& times, const std::string& verdict) {
    table.AddRow({name, Ms(times.one_pass), Ms(times.total), Ms(times.open), Ms(times.verify), Ms(times.use),
                  Ms(times.decode), Ms(times.hash), Ms(times.flash_wait), verdict});
  };
  size_t good = 0;
  uint64_t most_ram = 0;
  for (const BoardResult& result : results) {
    good += result.ok() ? 1 : 0;
    most_ram = std::max(most_ram, result.line.static_ram + result.line.ram_code + result.line.stack);
    const std::string verdict = result.ok() ? "as on the host" : "FAILED";
    if (result.uncounted.empty()) {
      add(Printable(result.name), TimesAt(result.phases, clock.mhz), verdict);
    } else {
      std::vector<std::string> row(10, "-");
      row.front() = Printable(result.name);
      row.back() = verdict;
      table.AddRow(row);
    }
  }
  const std::string verified =
      absl::StrFormat("%d of %s verified on the board, equal to the host's; %s bytes of RAM at most\n", good,
                      Counted(results.size(), "model"), Grouped(most_ram));
  const BoardSummary summary = Summarize(results, clock.mhz);
  if (summary.models == 0) return absl::StrCat(table.Format(), "\n", verified, "cycles were not counted\n");
  add("median", summary.median, "");
  add("worst", summary.worst, "");
  return absl::StrFormat(
      "Milliseconds at %s.\n\n%s\n%smodelled: median %s and %s ms, if a DMA channel read the flash meanwhile\n",
      FormatClock(clock), table.Format(), verified, Ms(summary.median.modelled_one_pass),
      Ms(summary.median.modelled_total));
}

Json BoardSummaryToJson(const BoardSummary& summary) {
  return {{"models", summary.models},
          {"median", TimesToJson(summary.median, summary.models > 0)},
          {"worst", TimesToJson(summary.worst, summary.models > 0)},
          {"worst_name", summary.models > 0 ? Json(summary.worst_name) : Json(nullptr)}};
}

}  // namespace modelvault
