// The part of QEMU's interface for TCG plugins, version 1 (QEMU 7.2), that the cycle plugin uses. Debian does not
// package the header, so the prototypes are declared here; the emulator provides the functions when it loads the
// plugin.
#ifndef MODELVAULT_FIRMWARE_RISCV_SIM_QEMU_PLUGIN_API_H_
#define MODELVAULT_FIRMWARE_RISCV_SIM_QEMU_PLUGIN_API_H_

#include <cstddef>
#include <cstdint>

extern "C" {

struct qemu_info_t;       // What the emulator says of itself; not looked at.
struct qemu_plugin_tb;    // A block under translation.
struct qemu_plugin_insn;  // One of its instructions. Both live as long as the translation callback.
typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS = 0 };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_RW = 3 };

typedef void (*qemu_plugin_udata_cb_t)(qemu_plugin_id_t id, void* user_data);
typedef void (*qemu_plugin_vcpu_udata_cb_t)(unsigned int cpu, void* user_data);
typedef void (*qemu_plugin_vcpu_tb_trans_cb_t)(qemu_plugin_id_t id, qemu_plugin_tb* block);
typedef void (*qemu_plugin_vcpu_mem_cb_t)(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address,
                                          void* user_data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_vcpu_tb_trans_cb_t callback);
void qemu_plugin_register_vcpu_tb_exec_cb(qemu_plugin_tb* block, qemu_plugin_vcpu_udata_cb_t callback,
                                          qemu_plugin_cb_flags flags, void* user_data);
void qemu_plugin_register_vcpu_mem_cb(qemu_plugin_insn* instruction, qemu_plugin_vcpu_mem_cb_t callback,
                                      qemu_plugin_cb_flags flags, qemu_plugin_mem_rw which, void* user_data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, qemu_plugin_udata_cb_t callback, void* user_data);

size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb* block);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb* block, size_t index);
const void* qemu_plugin_insn_data(const qemu_plugin_insn* instruction);
size_t qemu_plugin_insn_size(const qemu_plugin_insn* instruction);
uint64_t qemu_plugin_insn_vaddr(const qemu_plugin_insn* instruction);

unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);

// What a plugin defines.
__attribute__((visibility("default"))) extern int qemu_plugin_version;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info,
                                                               int argument_count, char** arguments);
}

#endif  // MODELVAULT_FIRMWARE_RISCV_SIM_QEMU_PLUGIN_API_H_
