// The part of QEMU's interface for TCG plugins that the cycle plugin uses, in all versions that it speaks: 1 (QEMU 7.2
// to 8.2) to 5 (10.2). Debian does not package the header, so types are declared here. The emulator's functions are
// looked up when the plugin is installed (qemu_functions.h): a loader that found one missing would say no more than its
// name.
#ifndef MODELVAULT_FIRMWARE_RISCV_SIM_QEMU_PLUGIN_API_H_
#define MODELVAULT_FIRMWARE_RISCV_SIM_QEMU_PLUGIN_API_H_

#include <cstddef>
#include <cstdint>

extern "C" {

struct qemu_plugin_tb;    // A block under translation.
struct qemu_plugin_insn;  // One of its instructions. Both live as long as the translation callback.
typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;

// What the emulator says of itself, as far as it is looked at.
struct qemu_info_t {
  const char* target_name;
  struct {
    int min;  // Versions of the interface that a plugin may be for.
    int cur;
  } version;
};

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS = 0 };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_RW = 3 };

typedef void (*qemu_plugin_udata_cb_t)(qemu_plugin_id_t id, void* user_data);
typedef void (*qemu_plugin_vcpu_udata_cb_t)(unsigned int cpu, void* user_data);
typedef void (*qemu_plugin_vcpu_tb_trans_cb_t)(qemu_plugin_id_t id, qemu_plugin_tb* block);
typedef void (*qemu_plugin_vcpu_mem_cb_t)(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address,
                                          void* user_data);

// What a plugin defines. The emulator reads the version, which must be one that it takes, before it calls the other.
__attribute__((visibility("default"))) extern int qemu_plugin_version;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info,
                                                               int argument_count, char** arguments);
}

#endif  // MODELVAULT_FIRMWARE_RISCV_SIM_QEMU_PLUGIN_API_H_
