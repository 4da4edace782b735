# Erases the sector at 0x22040000 and programs two words of it. Eleven stores into flash; flash_cut_test.cc knows what each
# leaves behind.
  .section .text.start, "ax"
  .globl _start
_start:
  li s0, 0x22040000
  li a0, 0x00200020
  sw a0, 0(s0)              # 1  erase,
  li a0, 0x00d000d0
  sw a0, 0(s0)              # 2  confirmed
  li a0, 0x00ff00ff
  sw a0, 0(s0)              # 3  reading again
  li a1, 0x00400040
  sw a1, 4(s0)              # 4  program
  li a2, 0x12345678
  sw a2, 4(s0)              # 5  this word
  sw a0, 4(s0)              # 6
  sw a1, 8(s0)              # 7
  li a2, 0x9abcdef0
  sw a2, 8(s0)              # 8
  sw a0, 8(s0)              # 9
  lw a3, 4(s0)              # What was programmed can be read.
  li a2, 0x12345678
  bne a3, a2, 1f
  sw a0, 0(s0)              # 10
  sw a0, 0(s0)              # 11
  li a0, 0x5555
  j 2f
1:
  li a0, 0x13333
2:
  li a1, 0x00100000
  sw a0, 0(a1)
3:
  j 3b
