# First instructions after reset (code in flash): traps to a reporter, stack painted, the code that runs from RAM and
# .data copied there, .bss cleared, then main(). The emulator may have left a device tree in RAM, so nothing there is
# taken as zero.

# Words from \from to \to … \end, which are multiples of 8: \from may not be ahead of \to in the same memory.
  .macro copy from, to, end
  la t0, \from
  la t1, \to
  la t2, \end
1:
  bgeu t1, t2, 2f
  lw t3, 0(t0)
  lw t4, 4(t0)
  addi t0, t0, 8
  sw t3, 0(t1)
  sw t4, 4(t1)
  addi t1, t1, 8
  j 1b
2:
  .endm

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
  sw t1, 4(t0)
  addi t0, t0, 8
  j 1b
2:
  copy _ram_code_load, _ram_code_start, _ram_code_end
  copy _data_load, _data_start, _data_end
  fence.i

  la t1, _bss_start
  la t2, _bss_end
1:
  bgeu t1, t2, 2f
  sw zero, 0(t1)
  addi t1, t1, 4
  j 1b
2:
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
