// A program that loads the cycle plugin as QEMU with one version of its interface does, and runs three instructions for
// it. MODELVAULT_FAKE_VERSION is the version, and with it which functions there are; MODELVAULT_FAKE_LACKS leaves one
// of them out.
//
//   fake_emulator PLUGIN ARGUMENT...
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>

#include "firmware_riscv/sim/qemu_plugin_api.h"

namespace {

constexpr int kVersion = MODELVAULT_FAKE_VERSION;
// As QEMU: from version 2 on, what was before is gone.
constexpr int kOldest = kVersion == 1 ? 0 : kVersion == 2 ? 2 : 3;

struct Instruction {
  uint32_t address;
  uint32_t bits;
  size_t size;
};
constexpr Instruction kProgram[] = {
    {0x80000000, 0x00052583, 4},  // lw a1, 0(a0)
    {0x80000004, 0x95AE, 2},      // c.add a1, a1: waits for it
    {0x80000006, 0x02B58633, 4},  // mul a2, a1, a1
};

qemu_plugin_vcpu_tb_trans_cb_t translated = nullptr;
qemu_plugin_udata_cb_t at_exit = nullptr;
qemu_plugin_vcpu_udata_cb_t executed = nullptr;
void* executed_data = nullptr;
qemu_plugin_vcpu_mem_cb_t accessed[3] = {};
void* accessed_data[3] = {};

const Instruction& Of(const qemu_plugin_insn* instruction) {
  return *reinterpret_cast<const Instruction*>(instruction);
}

}  // namespace

#define MODELVAULT_QEMU_API extern "C" __attribute__((visibility("default")))

MODELVAULT_QEMU_API void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t,
                                                               qemu_plugin_vcpu_tb_trans_cb_t callback) {
  translated = callback;
}
MODELVAULT_QEMU_API void qemu_plugin_register_vcpu_tb_exec_cb(qemu_plugin_tb*, qemu_plugin_vcpu_udata_cb_t callback,
                                                              qemu_plugin_cb_flags, void* data) {
  executed = callback;
  executed_data = data;
}
MODELVAULT_QEMU_API void qemu_plugin_register_vcpu_mem_cb(qemu_plugin_insn* instruction,
                                                          qemu_plugin_vcpu_mem_cb_t callback, qemu_plugin_cb_flags,
                                                          qemu_plugin_mem_rw, void* data) {
  const auto i = &Of(instruction) - kProgram;
  accessed[i] = callback;
  accessed_data[i] = data;
}
MODELVAULT_QEMU_API void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, qemu_plugin_udata_cb_t callback, void*) {
  at_exit = callback;
}
MODELVAULT_QEMU_API size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*) { return 3; }
MODELVAULT_QEMU_API qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, size_t i) {
  return reinterpret_cast<qemu_plugin_insn*>(const_cast<Instruction*>(&kProgram[i]));
}
MODELVAULT_QEMU_API size_t qemu_plugin_insn_size(const qemu_plugin_insn* i) { return Of(i).size; }
MODELVAULT_QEMU_API uint64_t qemu_plugin_insn_vaddr(const qemu_plugin_insn* i) { return Of(i).address; }
MODELVAULT_QEMU_API unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t) { return 2; }
#ifndef MODELVAULT_FAKE_LACKS
MODELVAULT_QEMU_API bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t) { return false; }
#endif

#if MODELVAULT_FAKE_VERSION < 3
MODELVAULT_QEMU_API const void* qemu_plugin_insn_data(const qemu_plugin_insn* i) { return &Of(i).bits; }
#else
MODELVAULT_QEMU_API size_t qemu_plugin_insn_data(const qemu_plugin_insn* i, void* bytes, size_t size) {
  size = std::min(size, Of(i).size);
  memcpy(bytes, &Of(i).bits, size);
  return size;
}
MODELVAULT_QEMU_API void qemu_plugin_register_vcpu_tb_exec_cond_cb() {}
#endif
#if MODELVAULT_FAKE_VERSION >= 2
MODELVAULT_QEMU_API void qemu_plugin_scoreboard_new() {}
#endif
#if MODELVAULT_FAKE_VERSION >= 4
MODELVAULT_QEMU_API void qemu_plugin_read_memory_vaddr() {}
#endif
#if MODELVAULT_FAKE_VERSION >= 5
MODELVAULT_QEMU_API void qemu_plugin_write_memory_vaddr() {}
#endif

int main(int argc, char** argv) {
  void* const plugin = argc < 2 ? nullptr : dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) {
    fprintf(stderr, "cannot load the plugin: %s\n", argc < 2 ? "none given" : dlerror());
    return 2;
  }
  const int version = *static_cast<const int*>(dlsym(plugin, "qemu_plugin_version"));
  if (version < kOldest || version > kVersion) {
    fprintf(stderr, "the plugin is for version %d of the interface, this is %d to %d\n", version, kOldest, kVersion);
    return 3;
  }
  decltype(&qemu_plugin_install) install = nullptr;
  void* const found = dlsym(plugin, "qemu_plugin_install");
  memcpy(&install, &found, sizeof(found));
  const qemu_info_t info = {"riscv32", {kOldest, kVersion}};
  if (install(1, &info, argc - 2, argv + 2) != 0) return 4;
  translated(1, nullptr);
  executed(0, executed_data);
  accessed[0](0, 0, 0x20000000, accessed_data[0]);
  at_exit(1, nullptr);
  return 0;
}
