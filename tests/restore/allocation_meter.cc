#include "tests/restore/allocation_meter.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace modelvault {
namespace {

std::atomic<uint64_t> allocations{0};
std::atomic<size_t> largest_size{0};
std::atomic<int64_t> held{0};
std::atomic<int64_t> most_held{0};

template <typename T>
void RaiseTo(std::atomic<T>* maximum, T value) {
  T now = maximum->load();
  while (now < value && !maximum->compare_exchange_weak(now, value)) {
  }
}

// Before each block: its size, and where the allocator's own block begins.
struct Prefix {
  size_t size;
  void* block;
};

void* Allocate(size_t size, size_t alignment) {
  alignment = std::max(alignment, alignof(std::max_align_t));
  const size_t before = (sizeof(Prefix) + alignment - 1) / alignment * alignment;
  char* block = nullptr;
  if (size <= SIZE_MAX - before - alignment) block = static_cast<char*>(std::malloc(size + before + alignment));
  if (block == nullptr) throw std::bad_alloc();
  const uintptr_t end = reinterpret_cast<uintptr_t>(block) + before + alignment - 1;
  char* result = block + (end / alignment * alignment - reinterpret_cast<uintptr_t>(block));
  reinterpret_cast<Prefix*>(result)[-1] = {size, block};
  allocations.fetch_add(1);
  RaiseTo(&largest_size, size);
  RaiseTo(&most_held, held.fetch_add(static_cast<int64_t>(size)) + static_cast<int64_t>(size));
  return result;
}

void Free(void* pointer) {
  if (pointer == nullptr) return;
  const Prefix& prefix = reinterpret_cast<Prefix*>(pointer)[-1];
  held.fetch_sub(static_cast<int64_t>(prefix.size));
  std::free(prefix.block);
}

}  // namespace

AllocationMeter::AllocationMeter() : held_at_start_(held.load()) {
  allocations = 0;
  largest_size = 0;
  most_held = held_at_start_;
}
uint64_t AllocationMeter::count() const { return allocations.load(); }
size_t AllocationMeter::largest() const { return largest_size.load(); }
size_t AllocationMeter::peak() const { return static_cast<size_t>(most_held.load() - held_at_start_); }

}  // namespace modelvault

// All forms: a sanitizer's runtime brings its own of those that are missing, and they would not match.
void* operator new(size_t size) { return modelvault::Allocate(size, 1); }
void* operator new[](size_t size) { return modelvault::Allocate(size, 1); }
void* operator new(size_t size, std::align_val_t alignment) {
  return modelvault::Allocate(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return modelvault::Allocate(size, static_cast<size_t>(alignment));
}
void* operator new(size_t size, const std::nothrow_t&) noexcept try {
  return modelvault::Allocate(size, 1);
} catch (const std::bad_alloc&) {
  return nullptr;
}
void* operator new[](size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
void operator delete(void* pointer) noexcept { modelvault::Free(pointer); }
void operator delete[](void* pointer) noexcept { modelvault::Free(pointer); }
void operator delete(void* pointer, size_t) noexcept { modelvault::Free(pointer); }
void operator delete[](void* pointer, size_t) noexcept { modelvault::Free(pointer); }
void operator delete(void* pointer, std::align_val_t) noexcept { modelvault::Free(pointer); }
void operator delete[](void* pointer, std::align_val_t) noexcept { modelvault::Free(pointer); }
void operator delete(void* pointer, size_t, std::align_val_t) noexcept { modelvault::Free(pointer); }
void operator delete[](void* pointer, size_t, std::align_val_t) noexcept { modelvault::Free(pointer); }
void operator delete(void* pointer, const std::nothrow_t&) noexcept { modelvault::Free(pointer); }
void operator delete[](void* pointer, const std::nothrow_t&) noexcept { modelvault::Free(pointer); }
