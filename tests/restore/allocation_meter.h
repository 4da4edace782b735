#ifndef MODELVAULT_TESTS_RESTORE_ALLOCATION_METER_H_
#define MODELVAULT_TESTS_RESTORE_ALLOCATION_METER_H_

// Counts what a program takes from the heap: linking allocation_meter.cc replaces operator new and delete. Sizes are
// those asked for, so the numbers do not depend on the allocator.

#include <cstddef>
#include <cstdint>

namespace modelvault {

// What happened since it was made. One at a time.
class AllocationMeter {
 public:
  AllocationMeter();

  // Allocations, of all threads.
  uint64_t count() const;
  // Bytes of the largest single one.
  size_t largest() const;
  // The most bytes held at any moment beyond those held at the start.
  size_t peak() const;

 private:
  int64_t held_at_start_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_RESTORE_ALLOCATION_METER_H_
