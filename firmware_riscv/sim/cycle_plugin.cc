// A plugin for QEMU that counts the cycles of a board program with the table in cycle_counter.h, can cut the power, and
// has a watchdog.
//
//   qemu-system-riscv32 ... -icount shift=0 -plugin modelvault_cycles.so,out=FILE[,wait=D][,symbols=FILE][,cut=N]
//                                                                      [,watchdog=CYCLES]
//
//   out      where the counts go when the emulator ends, as JSON (below)
//   wait     wait states of a flash access, 0 to 1000; default 12: 38 MB/s at 120 MHz
//   symbols  "ADDRESS SIZE NAME" lines (see function_table.h): counts are told apart by function
//   cut      ends the emulator with exit code 99 between the stores number N - 1 and N (from 1) into flash, commands
//            included: as soon as store N - 1 is done, for N = 1 at once. What was written before is in the image file.
//
//   watchdog ends the emulator with exit code 98, as a reset would end what the program does, when it was not fed for
//            more than this many cycles (kWatchdogRegister); looked at between blocks of instructions
//
// The emulator's own reset code, below the flash, does not count. `flash_stores` are those done. Phases and functions
// that ran no instruction are left out:
//
//   {"wait": 12, "cut": false, "watchdog": false, "longest_unfed": N, "flash_stores": 0, "phases": [
//     {"phase": 0, "instructions": N, "cycles": N, "executing": N, "data_wait": N, "fetch_wait": N,
//      "flash_reads": N, "flash_read_bytes": N, "flash_accesses": N, "flash_fetches": N, "ram_reads": N,
//      "ram_writes": N, "ram_fetches": N, "multiplications": N, "divisions": N, "branches": N, "begun": N,
//      "functions": [{"name": "main", "instructions": N, ...}, ...]}, ...]}
//
// `cycles` is the sum of the three after it. Accesses and fetches are words; `begun` is how often the program began the
// phase, and stands for phases alone. `cut`: the power was; `watchdog`: it ended the program. `longest_unfed`:
// the most cycles between two feedings of it, the start being one, and the end.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <string>

#include "firmware_riscv/sim/cycle_counter.h"
#include "firmware_riscv/sim/function_table.h"
#include "firmware_riscv/sim/qemu_functions.h"
#include "firmware_riscv/sim/qemu_plugin_api.h"

namespace modelvault::sim {
namespace {

constexpr int kCutExitCode = 99;
constexpr int kWatchdogExitCode = 98;

// Why the emulator ends.
enum class End { kProgram, kCut, kWatchdog };

struct PluginBlock;

// What a data access hands back to us.
struct Place {
  const PluginBlock* block;
  uint32_t address;
};

struct PluginBlock {
  Block block;
  std::deque<Place> places;
};

struct Plugin {
  QemuFunctions qemu;
  FILE* out = nullptr;
  uint64_t wait = 12;
  uint64_t cut = 0;       // 0: never.
  uint64_t watchdog = 0;  // 0: there is none.
  FunctionTable functions;
  CycleCounter* counter = nullptr;
  // The emulator may come back to a block it translated long ago, so none is ever freed.
  std::deque<PluginBlock> blocks;
};

Plugin* plugin;

void PrintName(FILE* out, const std::string& name) {
  fputc('"', out);
  for (const char c : name) {
    if (c == '"' || c == '\\') fputc('\\', out);
    fputc(static_cast<unsigned char>(c) < 0x20 ? '?' : c, out);
  }
  fputc('"', out);
}

void PrintCounts(const Counts& counts) {
  const uint64_t data = counts.flash_accesses * plugin->wait, fetch = counts.flash_fetches * plugin->wait;
  const auto number = [](const char* key, uint64_t value) {
    fprintf(plugin->out, ", \"%s\": %llu", key, static_cast<unsigned long long>(value));
  };
  number("instructions", counts.instructions);
  number("cycles", counts.executing + data + fetch);
  number("executing", counts.executing);
  number("data_wait", data);
  number("fetch_wait", fetch);
  number("flash_reads", counts.flash_reads);
  number("flash_read_bytes", counts.flash_read_bytes);
  number("flash_accesses", counts.flash_accesses);
  number("flash_fetches", counts.flash_fetches);
  number("ram_reads", counts.ram_reads);
  number("ram_writes", counts.ram_writes);
  number("ram_fetches", counts.ram_fetches);
  number("multiplications", counts.mix.multiplications);
  number("divisions", counts.mix.divisions);
  number("branches", counts.mix.branches);
}

void PrintPhase(uint32_t phase, const Counts& total, bool first) {
  fprintf(plugin->out, "%s\n  {\"phase\": %u", first ? "" : ",", phase);
  PrintCounts(total);
  fprintf(plugin->out, ", \"begun\": %llu, \"functions\": [",
          static_cast<unsigned long long>(plugin->counter->begun(phase)));
  const char* separator = "\n";
  for (size_t i = 0; i < plugin->functions.count(); ++i) {
    const Counts& counts = plugin->counter->counts(phase, i);
    if (counts.instructions == 0) continue;
    fprintf(plugin->out, "%s    {\"name\": ", separator);
    separator = ",\n";
    PrintName(plugin->out, plugin->functions.name(i));
    PrintCounts(counts);
    fprintf(plugin->out, "}");
  }
  fprintf(plugin->out, "]}");
}

void Report(End end) {
  const uint64_t unfed = std::max(plugin->counter->longest_unfed(), plugin->counter->Unfed(plugin->wait));
  fprintf(
      plugin->out,
      "{\"wait\": %llu, \"cut\": %s, \"watchdog\": %s, \"longest_unfed\": %llu, \"flash_stores\": %llu, \"phases\": [",
      static_cast<unsigned long long>(plugin->wait), end == End::kCut ? "true" : "false",
      end == End::kWatchdog ? "true" : "false", static_cast<unsigned long long>(unfed),
      static_cast<unsigned long long>(plugin->counter->flash_stores()));
  bool first = true;
  for (uint32_t phase = 0; phase < kPhaseRegisterCount; ++phase) {
    Counts total;
    for (size_t i = 0; i < plugin->functions.count(); ++i) total.Add(plugin->counter->counts(phase, i));
    if (total.instructions == 0) continue;
    PrintPhase(phase, total, first);
    first = false;
  }
  fprintf(plugin->out, "]}\n");
  if (fclose(plugin->out) != 0) fprintf(stderr, "modelvault_cycles: writing the counts: %s\n", strerror(errno));
}

void OnExit(qemu_plugin_id_t, void*) { Report(End::kProgram); }

// Power that fails and a watchdog take no leave: the emulator's own clean-up does not run. What was written to flash is
// in the image file already, QEMU writes it through.
[[noreturn]] void CutPower() {
  Report(End::kCut);
  _exit(kCutExitCode);
}

void OnBlock(unsigned int, void* user_data) {
  plugin->counter->Enter(&static_cast<PluginBlock*>(user_data)->block);
  if (plugin->watchdog != 0 && plugin->counter->Unfed(plugin->wait) > plugin->watchdog) {
    Report(End::kWatchdog);
    _exit(kWatchdogExitCode);
  }
}

void OnAccess(unsigned int, qemu_plugin_meminfo_t info, uint64_t address, void* user_data) {
  const Place* place = static_cast<const Place*>(user_data);
  plugin->counter->Access(&place->block->block, place->address, static_cast<uint32_t>(address),
                          1u << plugin->qemu.mem_size_shift(info), plugin->qemu.mem_is_store(info));
  if (plugin->cut != 0 && plugin->counter->flash_stores() + 1 >= plugin->cut) CutPower();
}

void OnTranslation(qemu_plugin_id_t, qemu_plugin_tb* translated) {
  const size_t count = plugin->qemu.tb_n_insns(translated);
  if (count == 0) return;
  const uint32_t begin = static_cast<uint32_t>(plugin->qemu.insn_vaddr(plugin->qemu.tb_get_insn(translated, 0)));
  if (begin < kFlashBegin) return;
  // A callback comes when a store is done already, so nothing that the program does may be waited for.
  if (plugin->cut == 1) CutPower();
  PluginBlock* block = &plugin->blocks.emplace_back();
  block->block.function = plugin->functions.Find(begin);
  for (size_t i = 0; i < count; ++i) {
    qemu_plugin_insn* instruction = plugin->qemu.tb_get_insn(translated, i);
    const uint32_t address = static_cast<uint32_t>(plugin->qemu.insn_vaddr(instruction));
    const uint32_t size = plugin->qemu.insn_size(instruction) == 4 ? 4 : 2;
    block->block.AddInstruction(address, plugin->qemu.Bits(instruction, size), size);
    block->places.push_back({block, address});
    plugin->qemu.register_vcpu_mem_cb(instruction, OnAccess, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                      &block->places.back());
  }
  plugin->qemu.register_vcpu_tb_exec_cb(translated, OnBlock, QEMU_PLUGIN_CB_NO_REGS, block);
}

int Refuse(const char* what, const char* argument) {
  fprintf(stderr, "modelvault_cycles: %s: %s\n", what, argument);
  return 1;
}

// Whole decimal numbers up to `most`.
bool ParseNumber(const char* text, uint64_t most, uint64_t* value) {
  if (*text < '0' || *text > '9') return false;
  char* end = nullptr;
  errno = 0;
  *value = strtoull(text, &end, 10);
  return errno == 0 && *end == '\0' && *value <= most;
}

int Install(qemu_plugin_id_t id, const qemu_info_t& info, int argument_count, char** arguments) {
  plugin = new Plugin;
  if (info.version.cur < 1 || info.version.cur > kNewestPluginVersion) {
    fprintf(stderr,
            "modelvault_cycles: this emulator's interface for plugins has version %d; this plugin knows 1 to %d, so "
            "there are no cycle counts\n",
            info.version.cur, kNewestPluginVersion);
    return 1;
  }
  if (const char* missing = plugin->qemu.Find(info.version.cur); missing != nullptr) {
    return Refuse("no cycle counts: this emulator lacks the function", missing);
  }
  for (int i = 0; i < argument_count; ++i) {
    const char* equals = strchr(arguments[i], '=');
    const std::string key(arguments[i],
                          equals == nullptr ? strlen(arguments[i]) : static_cast<size_t>(equals - arguments[i]));
    const char* value = equals == nullptr ? "" : equals + 1;
    if (key == "out") {
      plugin->out = fopen(value, "w");
      if (plugin->out == nullptr) return Refuse("cannot write", value);
    } else if (key == "wait") {
      if (!ParseNumber(value, 1000, &plugin->wait)) return Refuse("expected wait states, 0 to 1000", arguments[i]);
    } else if (key == "cut") {
      if (!ParseNumber(value, UINT64_MAX, &plugin->cut) || plugin->cut == 0) {
        return Refuse("expected the number of a store, from 1", arguments[i]);
      }
    } else if (key == "watchdog") {
      if (!ParseNumber(value, UINT64_MAX, &plugin->watchdog) || plugin->watchdog == 0) {
        return Refuse("expected a number of cycles, from 1", arguments[i]);
      }
    } else if (key == "symbols") {
      if (!plugin->functions.Load(value)) return Refuse("not a list of symbols", value);
    } else {
      return Refuse("unknown argument", arguments[i]);
    }
  }
  if (plugin->out == nullptr) return Refuse("missing argument", "out=FILE");
  plugin->counter = new CycleCounter(plugin->functions.count(), plugin->wait);
  plugin->qemu.register_vcpu_tb_trans_cb(id, OnTranslation);
  plugin->qemu.register_atexit_cb(id, OnExit, nullptr);
  return 0;
}

}  // namespace
}  // namespace modelvault::sim

int qemu_plugin_version = modelvault::sim::VersionOfEmulator();

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info, int argument_count, char** arguments) {
  return modelvault::sim::Install(id, *info, argument_count, arguments);
}
