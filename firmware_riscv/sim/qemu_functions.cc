#include "firmware_riscv/sim/qemu_functions.h"

#include <dlfcn.h>
#include <string.h>

namespace modelvault::sim {
namespace {

void* Look(const char* name) { return dlsym(RTLD_DEFAULT, name); }

// Versions and a function that came with each.
struct Sign {
  int version;
  const char* function;
};
constexpr Sign kSigns[] = {{5, "qemu_plugin_write_memory_vaddr"},
                           {4, "qemu_plugin_read_memory_vaddr"},
                           {3, "qemu_plugin_register_vcpu_tb_exec_cond_cb"},
                           {2, "qemu_plugin_scoreboard_new"}};

}  // namespace

int VersionOfEmulator() {
  for (const Sign& sign : kSigns) {
    if (Look(sign.function) != nullptr) return sign.version;
  }
  return 1;
}

const char* QemuFunctions::Find(int version) {
  const char* missing = nullptr;
  const auto find = [&](auto* function, const char* name) {
    void* const found = Look(name);
    if (found == nullptr && missing == nullptr) missing = name;
    // C++ leaves it to the system whether a function's address is one of data; this one says that it is.
    memcpy(function, &found, sizeof(found));
  };
  find(&register_vcpu_tb_trans_cb, "qemu_plugin_register_vcpu_tb_trans_cb");
  find(&register_vcpu_tb_exec_cb, "qemu_plugin_register_vcpu_tb_exec_cb");
  find(&register_vcpu_mem_cb, "qemu_plugin_register_vcpu_mem_cb");
  find(&register_atexit_cb, "qemu_plugin_register_atexit_cb");
  find(&tb_n_insns, "qemu_plugin_tb_n_insns");
  find(&tb_get_insn, "qemu_plugin_tb_get_insn");
  find(&insn_size, "qemu_plugin_insn_size");
  find(&insn_vaddr, "qemu_plugin_insn_vaddr");
  find(&mem_size_shift, "qemu_plugin_mem_size_shift");
  find(&mem_is_store, "qemu_plugin_mem_is_store");
  if (version < 3) {
    find(&insn_data_1, "qemu_plugin_insn_data");
  } else {
    find(&insn_data_3, "qemu_plugin_insn_data");
  }
  return missing;
}

uint32_t QemuFunctions::Bits(const qemu_plugin_insn* instruction, uint32_t size) const {
  uint32_t bits = 0;
  if (insn_data_3 != nullptr) {
    insn_data_3(instruction, &bits, size);
  } else {
    memcpy(&bits, insn_data_1(instruction), size);
  }
  return bits;
}

}  // namespace modelvault::sim
