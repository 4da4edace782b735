# One kernel a row of the cycle table, each between a marker that begins its phase and one that goes back to phase 0.
# cycle_plugin_test.cc knows by hand what each costs; the closing marker belongs to the kernel.
  .option norelax
  .option norvc

  .macro kernel phase
  sw zero, 4 * \phase(s11)
  .endm
  .macro done
  sw zero, 0(s11)
  .endm

  .section .text.start, "ax"
  .globl _start
_start:
  li s11, 0x00100100        # Markers.
  li s2, 0x10000000         # UART.
  li s3, 0x00100000         # Finisher.
  li s4, 0x22000000         # The vault's flash bank.
  li s1, 0x80004000         # Data in RAM.
  li a3, 'x'
  la t0, trap
  csrw mtvec, t0
  la t0, ram_load
  la t1, ram_begin
  la t2, ram_end
1:
  lw t3, 0(t0)
  sw t3, 0(t1)
  addi t0, t0, 4
  addi t1, t1, 4
  bltu t1, t2, 1b
  sw s1, 8(s1)              # A pointer for kernel 10.
  fence.i
  la t0, kernels_in_ram
  jalr t0

# Kernels in flash: fetches wait.
  .balign 4
  kernel 25                 # Five words.
  nop
  nop
  nop
  nop
  done
  kernel 26                 # Two instructions a word.
  .option rvc
  c.nop
  c.nop
  c.nop
  c.nop
  .option norvc
  done
  kernel 27                 # An instruction in two words, each fetched once.
  .option rvc
  c.nop
  .option norvc
  addi a0, a0, 1
  .option rvc
  c.nop
  .option norvc
  done
  kernel 28                 # A word jumped over is not fetched.
  j 1f
  nop
1:
  nop
  done
  li a5, 3
  kernel 29                 # A loop of one word, fetched anew each time.
  .option rvc
1:
  c.addi a5, -1
  c.bnez a5, 1b
  c.nop
  c.nop
  .option norvc
  done
  mv a4, s11
  kernel 30                 # Broken off by a store to a device, inside a word: still fetched once.
  .option rvc
  c.sw a3, 120(a4)
  c.nop
  .option norvc
  done
  li t0, 0x80040000
  kernel 31                 # Beyond the RAM: a trap.
  nop
  lw a0, 0(t0)
  nop
  done
  li t0, 0x5555
  sw t0, 0(s3)
1:
  j 1b

  .balign 4
trap:
  csrr t1, mepc
  addi t1, t1, 4
  csrw mepc, t1
  mret

# Kernels in RAM: nothing but the instructions themselves.
  .section .ram, "ax"
kernels_in_ram:
  kernel 1
  .rept 10
  addi a0, a0, 1
  .endr
  done
  kernel 2                  # Not taken, taken.
  bne zero, zero, 1f
  beq zero, zero, 1f
  nop
1:
  done
  kernel 3                  # Over an instruction, and to the next one.
  j 1f
  nop
1:
  j 1f
1:
  done
  mv s5, ra
  kernel 4                  # Call and return.
  jal leaf
  done
  mv ra, s5
  kernel 5
  mul a0, a1, a2
  done
  kernel 6
  mulh a0, a1, a2
  mulhsu a0, a1, a2
  mulhu a0, a1, a2
  done
  kernel 7
  div a0, a1, a2
  divu a0, a1, a2
  rem a0, a1, a2
  remu a0, a1, a2
  done
  kernel 8                  # Used at once.
  lw a0, 0(s1)
  addi a1, a0, 1
  done
  kernel 9                  # Used one later, and overwritten.
  lw a0, 0(s1)
  nop
  addi a1, a0, 1
  lw a0, 0(s1)
  addi a0, a2, 1
  done
  kernel 10                 # Used as what is stored, and as an address.
  lw a0, 0(s1)
  sw a0, 4(s1)
  lw a0, 8(s1)
  lw a1, 0(a0)
  done
  j page_end
after_page_end:
  kernel 12                 # From a device, used at once.
  lbu a0, 5(s2)
  andi a1, a0, 1
  done
  kernel 13                 # Devices amid other instructions.
  nop
  sb a3, 0(s2)
  nop
  sb a3, 0(s2)
  nop
  done
  .balign 4
  kernel 14                 # To four bytes across two words.
  j 1f
  .option rvc
  c.nop
1:
  .option norvc
  addi a0, a0, 1
  .option rvc
  c.nop
  .option norvc
  done
  kernel 15                 # To two bytes in the middle of a word.
  j 1f
  .option rvc
  c.nop
1:
  c.nop
  .option norvc
  done
  kernel 16                 # Four bytes across two words, without a jump.
  .option rvc
  c.nop
  .option norvc
  addi a0, a0, 1
  .option rvc
  c.nop
  .option norvc
  done
  kernel 17                 # Accesses that cross a word, six of eleven.
  lw a0, 1(s1)
  lw a0, 2(s1)
  lw a0, 3(s1)
  lh a0, 3(s1)
  lh a0, 1(s1)
  lh a0, 2(s1)
  lbu a0, 3(s1)
  sw a1, 2(s1)
  sh a1, 3(s1)
  sh a1, 1(s1)
  sw a1, 0(s1)
  done
  kernel 18                 # Data in flash.
  lw a0, 0(s4)
  lh a0, 4(s4)
  lbu a0, 7(s4)
  done
  kernel 19
  lw a0, 2(s4)
  done
  li t0, 0x00ff00ff         # Back to reading, where it is already.
  kernel 20
  sw t0, 0(s4)
  done
  li t0, 100000
  kernel 21
1:
  addi t0, t0, -1
  bnez t0, 1b
  done
  kernel 22                 # An atomic is a load, too.
  amoadd.w a0, a1, (s1)
  addi a2, a0, 1
  done
  kernel 23
  csrr a0, minstret
  nop
  done
  kernel 24                 # Nobody waits for x0.
  lw zero, 0(s1)
  add a0, zero, zero
  done
  ret

leaf:
  ret

  .org 0x1000 - 12
page_end:
  kernel 11                 # The load ends a page and with it a block.
  nop
  lw a0, 0(s1)
  addi a1, a0, 1
  done
  j after_page_end
  .balign 4
