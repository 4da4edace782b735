# First instructions after reset (code in flash): traps to a reporter, stack painted, the code that runs from RAM and
# .data copied there, .bss cleared, then main(). The emulator may have left a device tree in RAM, so nothing there is
# taken as zero.

# Words from \from to \to … \end, which are multiples of 16 apart. The registers are those of short instructions: what is
# fetched from flash is what this costs.
  .macro copy from, to, end
  la a0, \from
  la a1, \to
  la a2, \end
  bgeu a1, a2, 2f
1:
  lw a3, 0(a0)
  lw a4, 4(a0)
  lw a5, 8(a0)
  lw s0, 12(a0)
  sw a3, 0(a1)
  sw a4, 4(a1)
  sw a5, 8(a1)
  sw s0, 12(a1)
  addi a0, a0, 16
  addi a1, a1, 16
  bltu a1, a2, 1b
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
  la a0, _stack_bottom
  li a1, 0xA5A5A5A5
1:
  sw a1, 0(a0)
  sw a1, 4(a0)
  sw a1, 8(a0)
  sw a1, 12(a0)
  addi a0, a0, 16
  bltu a0, sp, 1b
  copy _ram_code_load, _ram_code_start, _ram_code_end
  copy _restore_code_load, _restore_code_start, _restore_code_end
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
