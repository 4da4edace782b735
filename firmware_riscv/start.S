# First instructions after reset (code in flash): traps to a reporter, stack painted, .data and .bss set up, then main().
# The emulator may have left a device tree in RAM, so nothing there is taken as zero.
  .section .text.start, "ax"
  .globl _start
_start:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  la t0, _trap
  csrw mtvec, t0
  la sp, _stack_top

  # The stack is filled with a known word; board.h's StackBytesUsed() looks for the lowest one overwritten.
  la t0, _stack_bottom
  li t1, 0xA5A5A5A5
1:
  bgeu t0, sp, 2f
  sw t1, 0(t0)
  addi t0, t0, 4
  j 1b
2:
  la t0, _data_load
  la t1, _data_start
  la t2, _data_end
3:
  bgeu t1, t2, 4f
  lw t3, 0(t0)
  sw t3, 0(t1)
  addi t0, t0, 4
  addi t1, t1, 4
  j 3b
4:
  la t1, _bss_start
  la t2, _bss_end
5:
  bgeu t1, t2, 6f
  sw zero, 0(t1)
  addi t1, t1, 4
  j 5b
6:
  call main
  tail Exit

  # Never returns: hands mcause, mepc and mtval to the reporter, on a fresh stack since the old one may be the cause.
  .balign 4
_trap:
  csrr a0, mcause
  csrr a1, mepc
  csrr a2, mtval
  la sp, _stack_top
  tail ReportTrap
