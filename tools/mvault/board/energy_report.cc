#include "tools/mvault/board/energy_report.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/eval/median.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/board/energy_account.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "vault/format.h"

namespace modelvault {
namespace {

constexpr int kSlowerClocks[] = {1, 2, 4, 8};  // What the clock is divided by.

// The parts by name, so that text and JSON agree.
struct NamedPart {
  const char* key;
  const char* heading;
  double EnergyParts::*value;
};
constexpr NamedPart kParts[] = {
    {"flash_uj", ">flash", &EnergyParts::flash},          {"ram_uj", ">RAM", &EnergyParts::ram},
    {"multiply_uj", ">multiply", &EnergyParts::multiply}, {"instructions_uj", ">others", &EnergyParts::instructions},
    {"waiting_uj", ">waiting", &EnergyParts::waiting},    {"static_uj", ">static", &EnergyParts::fixed},
};

std::string Uj(double uj) { return absl::StrFormat("%.1f", uj); }
std::string Uj(const std::optional<double>& uj) { return uj.has_value() ? Uj(*uj) : "-"; }
Json FiniteOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json ToJson(const std::optional<double>& value) { return value.has_value() ? Json(*value) : Json(nullptr); }

double Ms(const CycleCounts& counts, double mhz) { return static_cast<double>(counts.cycles()) / (mhz * 1000); }

std::vector<std::string> PartsRow(const std::string& name, uint64_t times, const CycleCounts& counts,
                                  const BoardClock& clock, const EnergyTable& table) {
  const EnergyParts parts = EnergyOf(counts, table, clock.mhz);
  std::vector<std::string> row = {name, Grouped(times), absl::StrFormat("%.2f", Ms(counts, clock.mhz))};
  for (const NamedPart& part : kParts) row.push_back(Uj(parts.*part.value));
  row.push_back(Uj(parts.total()));
  return row;
}

std::string FormatParts(const BoardPhases& phases, const BoardClock& clock, const EnergyTable& table) {
  std::vector<std::string> headings = {"uJ", ">times", ">ms"};
  for (const NamedPart& part : kParts) headings.emplace_back(part.heading);
  headings.emplace_back(">sum");
  TextTable text(headings);
  for (const EnergyGroup& group : GroupPhases(phases)) {
    text.AddRow(PartsRow(group.name, group.divisor(), group.counts, clock, table));
  }
  for (const EnergyGroup& work : RepeatedWork(phases)) {
    text.AddRow(PartsRow("a " + work.name, work.times, work.counts, clock, table));
  }
  return text.Format();
}

// The work at this and slower clocks, with what lies between asleep and powered down.
struct ClockRow {
  BoardClock clock;
  CycleCounts counts;
  double uj = 0;
  EnergyOfPeriod period;
};

std::vector<ClockRow> ClockRows(const CycleCounts& one, const BoardClock& clock, const EnergyOptions& options) {
  std::vector<ClockRow> rows;
  for (const int divisor : kSlowerClocks) {
    ClockRow row{clock, {}, 0, {}};
    row.clock.mhz = clock.mhz / divisor;
    row.counts = AtWaitStates(one, row.clock.wait_states());
    row.uj = EnergyOf(row.counts, options.table, row.clock.mhz).total();
    row.period = EnergyPerPeriod(row.counts, options.table, row.clock.mhz, options.period_s);
    rows.push_back(row);
  }
  return rows;
}

std::string FormatPeriods(const EnergyGroup& work, const BoardClock& clock, const EnergyOptions& options) {
  TextTable text({absl::StrFormat("a %s every %g s", work.name, options.period_s), ">wait states", ">ms", ">uJ",
                  ">awake", ">asleep", ">flash off"});
  for (const ClockRow& row : ClockRows(work.counts, clock, options)) {
    text.AddRow({absl::StrFormat("at %g MHz", row.clock.mhz), Grouped(row.clock.wait_states()),
                 absl::StrFormat("%.2f", Ms(row.counts, row.clock.mhz)), Uj(row.uj), Uj(row.period.awake),
                 Uj(row.period.asleep), Uj(row.period.powered_down)});
  }
  return text.Format();
}

std::string FormatKept(const std::string& what, const std::string& times, const KeptEnergy& kept) {
  TextTable text({what, "figure"});
  text.AddRow({"streamed", absl::StrCat(Uj(kept.streamed), " uJ a ", times, "; the flash alone ", Uj(kept.flash_alone),
                                        ", stored plain")});
  text.AddRow({"kept in RAM", absl::StrCat(Uj(kept.kept), " uJ a ", times, ", ", Uj(kept.fill), " once, and ",
                                           Uj(kept.holding_uw), " uW")});
  std::string pays = "never";
  if (kept.break_even.has_value()) {
    pays = absl::StrCat("from ", times, " ", Grouped(*kept.break_even), " on");
    if (std::isfinite(kept.longest_pause_s)) {
      absl::StrAppendFormat(&pays, ", if they are less than %.3g s apart", kept.longest_pause_s);
    }
  }
  text.AddRow({"keeping pays", pays});
  return text.Format();
}

Json CountsToJson(const CycleCounts& c) {
  return {{"flash_data_words", c.flash_accesses},
          {"flash_data_bytes", c.flash_read_bytes},
          {"flash_fetch_words", c.flash_fetches},
          {"ram_data_words", c.ram_reads + c.ram_writes},
          {"ram_fetch_words", c.ram_fetches},
          {"multiplications", c.multiplications},
          {"divisions", c.divisions},
          {"branches", c.branches},
          {"other_instructions", c.instructions - c.multiplications - c.divisions - c.branches},
          {"waiting_cycles", c.cycles() - c.instructions}};
}

Json PartsToJson(const CycleCounts& counts, const EnergyTable& table, double mhz) {
  const EnergyParts parts = EnergyOf(counts, table, mhz);
  Json json = {{"ms", Ms(counts, mhz)}, {"counts", CountsToJson(counts)}};
  for (const NamedPart& part : kParts) json[part.key] = parts.*part.value;
  json["sum_uj"] = parts.total();
  return json;
}

Json KeptToJson(const KeptEnergy& kept) {
  return {{"streamed_uj", kept.streamed},
          {"flash_alone_uj", kept.flash_alone},
          {"kept_uj", kept.kept},
          {"fill_uj", kept.fill},
          {"holding_uw", kept.holding_uw},
          {"break_even", kept.break_even.has_value() ? Json(*kept.break_even) : Json(nullptr)},
          {"longest_pause_s", FiniteOrNull(kept.longest_pause_s)}};
}

Json WorkToJson(const EnergyGroup& work, const BoardClock& clock, const EnergyOptions& options) {
  Json json = {{"work", work.name}};
  json.update(PartsToJson(work.counts, options.table, clock.mhz));
  json["data_kept"] = KeptToJson(KeptData(work.counts, options.table, clock.mhz));
  json["clocks"] = Json::array();
  for (const ClockRow& row : ClockRows(work.counts, clock, options)) {
    json["clocks"].push_back({{"mhz", row.clock.mhz},
                              {"wait_states", row.clock.wait_states()},
                              {"ms", Ms(row.counts, row.clock.mhz)},
                              {"sum_uj", row.uj},
                              {"awake_uj", ToJson(row.period.awake)},
                              {"asleep_uj", ToJson(row.period.asleep)},
                              {"flash_off_uj", ToJson(row.period.powered_down)}});
  }
  return json;
}

// A boot of each model that a summary covers.
struct BootEnergy {
  std::string name;
  double uj;
};

std::vector<BootEnergy> BootEnergies(const std::vector<BoardResult>& results, const BoardClock& clock,
                                     const EnergyTable& table) {
  std::vector<BootEnergy> boots;
  for (const BoardResult& result : results) {
    if ((result.name == kReservedVariantName && results.size() > 1) || !result.uncounted.empty()) continue;
    boots.push_back({result.name, EnergyOf(BootOf(result.phases).counts, table, clock.mhz).total()});
  }
  return boots;
}

struct EnergySummary {
  double median;
  BootEnergy worst;
};

// Nothing where nothing was counted.
std::optional<EnergySummary> SummarizeEnergy(const std::vector<BoardResult>& results, const BoardClock& clock,
                                             const EnergyTable& table) {
  const std::vector<BootEnergy> boots = BootEnergies(results, clock, table);
  if (boots.empty()) return std::nullopt;
  std::vector<double> values;
  for (const BootEnergy& boot : boots) values.push_back(boot.uj);
  return EnergySummary{Median(values), *std::max_element(boots.begin(), boots.end(),
                                                         [](const auto& a, const auto& b) { return a.uj < b.uj; })};
}

}  // namespace

namespace {

// What is read from flash each time, against the same kept.
std::string FormatDataKept(const std::vector<EnergyGroup>& works, const BoardClock& clock,
                           const EnergyOptions& options) {
  std::string text;
  // What a boot reads is what it restores from; that is told elsewhere.
  for (size_t i = 1; i < works.size(); ++i) {
    absl::StrAppend(
        &text, "\n",
        FormatKept("data of a " + works[i].name, works[i].name, KeptData(works[i].counts, options.table, clock.mhz)));
  }
  return text;
}

}  // namespace

std::string FormatPhaseEnergy(const BoardPhases& phases, const BoardClock& clock, const EnergyOptions& options) {
  std::string text = absl::StrCat("energy, modelled with ",
                                  options.table.file.empty() ? "the built-in table" : Printable(options.table.file),
                                  " (docs/energy.md)\n\n", FormatParts(phases, clock, options.table));
  const std::vector<EnergyGroup> works = RepeatedWork(phases);
  for (const EnergyGroup& work : works) absl::StrAppend(&text, "\n", FormatPeriods(work, clock, options));
  const double pause = ShortestPowerDown(options.table);
  absl::StrAppend(&text, "\npowering the flash down ",
                  std::isfinite(pause) ? absl::StrFormat("pays in pauses of %.3g s or more", pause) : "never pays",
                  "\n", FormatDataKept(works, clock, options));
  return text;
}

Json PhaseEnergyToJson(const BoardPhases& phases, const BoardClock& clock, const EnergyOptions& options) {
  Json json = {{"groups", Json::array()}, {"works", Json::array()}};
  for (const EnergyGroup& group : GroupPhases(phases)) {
    Json entry = {{"group", group.name}, {"times", group.divisor()}};
    entry.update(PartsToJson(group.counts, options.table, clock.mhz));
    json["groups"].push_back(std::move(entry));
  }
  for (const EnergyGroup& work : RepeatedWork(phases)) json["works"].push_back(WorkToJson(work, clock, options));
  json["power_down_pause_s"] = FiniteOrNull(ShortestPowerDown(options.table));
  return json;
}

std::string FormatEnergy(const BoardResult& result, const BoardClock& clock, const EnergyOptions& options) {
  return absl::StrCat(FormatPhaseEnergy(result.phases, clock, options), "\n",
                      FormatKept("weights", "pass",
                                 KeptWeights(UseCounts(result.phases), result.line.bytes, options.table, clock.mhz)));
}

Json EnergyToJson(const BoardResult& result, const BoardClock& clock, const EnergyOptions& options) {
  if (!result.uncounted.empty()) return nullptr;
  Json json = PhaseEnergyToJson(result.phases, clock, options);
  json["weights_kept"] = KeptToJson(KeptWeights(UseCounts(result.phases), result.line.bytes, options.table, clock.mhz));
  return json;
}

Json EnergyOptionsToJson(const EnergyOptions& options) {
  Json rows = Json::array();
  for (size_t i = 0; i < kEnergyRowCount; ++i) {
    const EnergyRowName name = NameOf(static_cast<EnergyRow>(i));
    const EnergyTable::Row& row = options.table.rows[i];
    rows.push_back({{"key", name.key}, {"value", row.value}, {"unit", name.unit}, {"source", row.source}});
  }
  return {{"table", options.table.file.empty() ? Json(nullptr) : Json(options.table.file)},
          {"rows", std::move(rows)},
          {"period_s", options.period_s}};
}

std::string FormatEnergySummary(const std::vector<BoardResult>& results, const BoardClock& clock,
                                const EnergyOptions& options) {
  const std::optional<EnergySummary> summary = SummarizeEnergy(results, clock, options.table);
  if (!summary.has_value()) return "energy is not told without counts\n";
  return absl::StrFormat("energy, modelled: a boot takes %s uJ in the median, %s at worst (%s)\n", Uj(summary->median),
                         Uj(summary->worst.uj), Printable(summary->worst.name));
}

Json EnergySummaryToJson(const std::vector<BoardResult>& results, const BoardClock& clock,
                         const EnergyOptions& options) {
  const std::optional<EnergySummary> summary = SummarizeEnergy(results, clock, options.table);
  const auto value = [&](const auto& of) { return summary.has_value() ? Json(of(*summary)) : Json(nullptr); };
  return {{"median_boot_uj", value([](const EnergySummary& s) { return s.median; })},
          {"worst_boot_uj", value([](const EnergySummary& s) { return s.worst.uj; })},
          {"worst_boot_name", value([](const EnergySummary& s) { return s.worst.name; })}};
}

}  // namespace modelvault
