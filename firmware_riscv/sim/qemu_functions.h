// The emulator's functions, in the emulator that has loaded the plugin.
#ifndef MODELVAULT_FIRMWARE_RISCV_SIM_QEMU_FUNCTIONS_H_
#define MODELVAULT_FIRMWARE_RISCV_SIM_QEMU_FUNCTIONS_H_

#include <cstddef>
#include <cstdint>

#include "firmware_riscv/sim/qemu_plugin_api.h"

namespace modelvault::sim {

inline constexpr int kNewestPluginVersion = 5;

// The newest version of the interface, of those that the plugin speaks, that this emulator has: told by functions that
// came with each, because the emulator asks before it says anything.
int VersionOfEmulator();

// All that the plugin calls, as QEMU calls them, without the "qemu_plugin_" in front.
struct QemuFunctions {
  void (*register_vcpu_tb_trans_cb)(qemu_plugin_id_t id, qemu_plugin_vcpu_tb_trans_cb_t callback) = nullptr;
  void (*register_vcpu_tb_exec_cb)(qemu_plugin_tb* block, qemu_plugin_vcpu_udata_cb_t callback,
                                   qemu_plugin_cb_flags flags, void* user_data) = nullptr;
  void (*register_vcpu_mem_cb)(qemu_plugin_insn* instruction, qemu_plugin_vcpu_mem_cb_t callback,
                               qemu_plugin_cb_flags flags, qemu_plugin_mem_rw which, void* user_data) = nullptr;
  void (*register_atexit_cb)(qemu_plugin_id_t id, qemu_plugin_udata_cb_t callback, void* user_data) = nullptr;
  size_t (*tb_n_insns)(const qemu_plugin_tb* block) = nullptr;
  qemu_plugin_insn* (*tb_get_insn)(const qemu_plugin_tb* block, size_t index) = nullptr;
  size_t (*insn_size)(const qemu_plugin_insn* instruction) = nullptr;
  uint64_t (*insn_vaddr)(const qemu_plugin_insn* instruction) = nullptr;
  unsigned int (*mem_size_shift)(qemu_plugin_meminfo_t info) = nullptr;
  bool (*mem_is_store)(qemu_plugin_meminfo_t info) = nullptr;
  // insn_data: version 3 made another function of it, of the same name. One of these is null.
  const void* (*insn_data_1)(const qemu_plugin_insn* instruction) = nullptr;
  size_t (*insn_data_3)(const qemu_plugin_insn* instruction, void* bytes, size_t size) = nullptr;

  // Looks all up in an emulator of this version. The name of one that it lacks; null: none.
  const char* Find(int version);

  // The first `size` bytes of an instruction, 2 or 4 as it has, low first.
  uint32_t Bits(const qemu_plugin_insn* instruction, uint32_t size) const;
};

}  // namespace modelvault::sim

#endif  // MODELVAULT_FIRMWARE_RISCV_SIM_QEMU_FUNCTIONS_H_
