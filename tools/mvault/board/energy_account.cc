#include "tools/mvault/board/energy_account.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace modelvault {
namespace {

constexpr double kPicojoules = 1e-6;  // In microjoules.
constexpr uint64_t kWord = 4;

// Seconds.
double TimeOf(const CycleCounts& counts, double mhz) { return static_cast<double>(counts.cycles()) / (mhz * 1e6); }

// Phases that are told as they are.
constexpr Phase kOncePhases[] = {Phase::kOther, Phase::kOpen, Phase::kLoad, Phase::kConsole};

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

// Microjoules.
double Events(uint64_t events, EnergyRow row, const EnergyTable& table) {
  return static_cast<double>(events) * table[row] * kPicojoules;
}

// Fills in what follows from the words that are kept and from the first three energies.
void CompleteKept(uint64_t words, const EnergyTable& table, KeptEnergy* kept) {
  kept->flash_alone = Events(words * kWord, EnergyRow::kFlashByte, table);
  kept->holding_uw = static_cast<double>(words * kWord) / 1024 * table[EnergyRow::kRamKibKept];
  const double saved = kept->streamed - kept->kept;
  if (saved <= 0) return;
  kept->break_even = static_cast<uint64_t>(std::ceil(kept->fill / saved));
  kept->longest_pause_s = kept->holding_uw > 0 ? saved / kept->holding_uw : std::numeric_limits<double>::infinity();
}

std::string GroupName(int phase) {
  const std::string name = BoardPhaseName(phase);
  return name.substr(0, name.find(':'));
}

}  // namespace

EnergyParts EnergyOf(const CycleCounts& counts, const EnergyTable& table, double mhz) {
  const auto energy = [&](uint64_t events, EnergyRow row) { return Events(events, row, table); };
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
  boot.counts.Add(LoadCounts(phases));
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

KeptEnergy KeptWeights(const CycleCounts& use_pass, uint64_t bytes, const EnergyTable& table, double mhz) {
  const uint64_t words = (bytes + kWord - 1) / kWord;
  KeptEnergy kept;
  kept.streamed = EnergyOf(use_pass, table, mhz).total();
  kept.kept = Events(words, EnergyRow::kRamWord, table);
  kept.fill = kept.streamed + Events(words, EnergyRow::kRamWord, table);
  CompleteKept(words, table, &kept);
  return kept;
}

KeptEnergy KeptData(const CycleCounts& work, const EnergyTable& table, double mhz) {
  const uint64_t words = work.flash_accesses;
  CycleCounts from_ram = work;
  from_ram.flash_accesses = from_ram.flash_reads = from_ram.flash_read_bytes = from_ram.data_wait = 0;
  from_ram.ram_reads += words;
  KeptEnergy kept;
  kept.streamed = EnergyOf(work, table, mhz).total();
  kept.kept = EnergyOf(from_ram, table, mhz).total();
  kept.fill = Events(words * kWord, EnergyRow::kFlashByte, table) + Events(words, EnergyRow::kRamWord, table);
  CompleteKept(words, table, &kept);
  return kept;
}

}  // namespace modelvault
