#include "tools/mvault/board/energy_account.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

namespace modelvault {
namespace {

constexpr double kPicojoules = 1e-6;  // In microjoules.
constexpr uint64_t kWord = 4;

// Seconds.
double TimeOf(const CycleCounts& counts, double mhz) { return static_cast<double>(counts.cycles()) / (mhz * 1e6); }

// Phases that are told as they are.
constexpr Phase kOncePhases[] = {Phase::kOther, Phase::kOpen, Phase::kConsole};

CycleCounts OneOf(CycleCounts counts, uint64_t times) {
  for (uint64_t CycleCounts::*count :
       {&CycleCounts::instructions, &CycleCounts::executing, &CycleCounts::data_wait, &CycleCounts::fetch_wait,
        &CycleCounts::flash_reads, &CycleCounts::flash_read_bytes, &CycleCounts::flash_accesses,
        &CycleCounts::flash_fetches, &CycleCounts::ram_reads, &CycleCounts::ram_writes, &CycleCounts::ram_fetches,
        &CycleCounts::multiplications, &CycleCounts::divisions, &CycleCounts::branches}) {
    counts.*count /= times;
  }
  return counts;
}

std::string GroupName(int phase) {
  const std::string name = BoardPhaseName(phase);
  return name.substr(0, name.find(':'));
}

}  // namespace

EnergyParts EnergyOf(const CycleCounts& counts, const EnergyTable& table, double mhz) {
  const auto energy = [&](uint64_t events, EnergyRow row) {
    return static_cast<double>(events) * table[row] * kPicojoules;
  };
  EnergyParts parts;
  parts.flash = energy(kWord * (counts.flash_accesses + counts.flash_fetches), EnergyRow::kFlashByte);
  parts.ram = energy(counts.ram_reads + counts.ram_writes + counts.ram_fetches, EnergyRow::kRamWord);
  const uint64_t multiply = counts.multiplications + counts.divisions;
  parts.multiply = energy(multiply, EnergyRow::kInstruction) +
                   energy(counts.multiplications, EnergyRow::kMultiplication) +
                   energy(counts.divisions, EnergyRow::kDivision);
  parts.instructions = energy(counts.instructions - multiply, EnergyRow::kInstruction);
  parts.waiting = energy(counts.cycles() - counts.instructions, EnergyRow::kWaitingCycle);
  parts.fixed = (table[EnergyRow::kMcuActive] + table[EnergyRow::kFlashStandby]) * TimeOf(counts, mhz);
  return parts;
}

std::vector<EnergyGroup> GroupPhases(const BoardPhases& phases) {
  std::vector<EnergyGroup> groups;
  for (const auto& [number, phase] : phases) {
    const std::string name = GroupName(number);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const EnergyGroup& g) { return g.name == name; });
    if (group == groups.end()) {
      groups.push_back({name, 0, {}});
      group = groups.end() - 1;
    }
    group->counts.Add(phase.counts);
    if (BoardPhaseName(number) == name) group->times = phase.begun;
  }
  return groups;
}

EnergyGroup BootOf(const BoardPhases& phases) {
  EnergyGroup boot{"boot", 1, OpenCounts(phases)};
  boot.counts.Add(VerifyCounts(phases));
  boot.counts.Add(UseCounts(phases));
  return boot;
}

std::vector<EnergyGroup> RepeatedWork(const BoardPhases& phases) {
  std::vector<EnergyGroup> works = {BootOf(phases)};
  for (const EnergyGroup& group : GroupPhases(phases)) {
    const bool alone = std::any_of(std::begin(kOncePhases), std::end(kOncePhases),
                                   [&](Phase phase) { return group.name == GroupName(static_cast<int>(phase)); });
    if (group.times > 0 && !alone) works.push_back({group.name, 1, OneOf(group.counts, group.times)});
  }
  return works;
}

EnergyOfPeriod EnergyPerPeriod(const CycleCounts& work, const EnergyTable& table, double mhz, double period_s) {
  const double pause = period_s - TimeOf(work, mhz);
  if (pause < 0) return {};
  const double energy = EnergyOf(work, table, mhz).total();
  // pJ a cycle times cycles a microsecond are microwatts.
  const double waiting = table[EnergyRow::kWaitingCycle] * mhz;
  const double standby = table[EnergyRow::kFlashStandby], asleep = table[EnergyRow::kMcuAsleep];
  return {energy + (waiting + table[EnergyRow::kMcuActive] + standby) * pause, energy + (asleep + standby) * pause,
          energy + (asleep + table[EnergyRow::kFlashPowerDown]) * pause + table[EnergyRow::kFlashWake] * kPicojoules};
}

double ShortestPowerDown(const EnergyTable& table) {
  const double saved = table[EnergyRow::kFlashStandby] - table[EnergyRow::kFlashPowerDown];
  if (saved <= 0) return std::numeric_limits<double>::infinity();
  return table[EnergyRow::kFlashWake] * kPicojoules / saved;
}

CycleCounts AtWaitStates(const CycleCounts& counts, uint64_t wait_states) {
  CycleCounts changed = counts;
  changed.data_wait = counts.flash_accesses * wait_states;
  changed.fetch_wait = counts.flash_fetches * wait_states;
  return changed;
}

WeightsEnergy CompareWeights(const CycleCounts& use_pass, uint64_t bytes, const EnergyTable& table, double mhz) {
  const double words = std::ceil(static_cast<double>(bytes) / kWord);
  WeightsEnergy weights;
  weights.streamed = EnergyOf(use_pass, table, mhz).total();
  weights.flash_alone = words * kWord * table[EnergyRow::kFlashByte] * kPicojoules;
  weights.kept = words * table[EnergyRow::kRamWord] * kPicojoules;
  weights.fill = weights.streamed + weights.kept;
  weights.holding_uw = static_cast<double>(bytes) / 1024 * table[EnergyRow::kRamKibKept];
  const double saved = weights.streamed - weights.kept;
  if (saved <= 0) return weights;
  weights.break_even = static_cast<uint64_t>(std::ceil(weights.fill / saved));
  weights.longest_pause_s =
      weights.holding_uw > 0 ? saved / weights.holding_uw : std::numeric_limits<double>::infinity();
  return weights;
}

}  // namespace modelvault
