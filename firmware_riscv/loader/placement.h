// Placement new of our own: the board's compiler comes without <new>.
#ifndef MODELVAULT_FIRMWARE_RISCV_LOADER_PLACEMENT_H_
#define MODELVAULT_FIRMWARE_RISCV_LOADER_PLACEMENT_H_

#include <stddef.h>

namespace modelvault {

// new (At{place}) T: a T at `place`.
struct At {
  void* place;
};

}  // namespace modelvault

inline void* operator new(size_t, modelvault::At at) noexcept { return at.place; }

#endif  // MODELVAULT_FIRMWARE_RISCV_LOADER_PLACEMENT_H_
