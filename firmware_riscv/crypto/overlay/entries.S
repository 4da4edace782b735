# The overlay's head: where its functions begin, from its first byte on, in the order of struct Crypto; the top of their
# stack; and how many bytes the front has that is enough for the first three and the last. board_crypto.cc turns the
# former into addresses, sets the top, and in the place of the size the bottom of the stack.
#
# Each function runs on that stack instead of its caller's. Arguments are in registers a0 to a6, which are left alone.
  .section .overlay_head, "awx"
  .globl crypto_overlay
  .balign 16
crypto_overlay:
  .word enter_hash_begin - crypto_overlay
  .word enter_hash_add - crypto_overlay
  .word enter_hash_end - crypto_overlay
  .word enter_verify - crypto_overlay
  .word enter_agree - crypto_overlay
  .word enter_open - crypto_overlay
stack_top:
  .word 0
  .word crypto_front_end - crypto_overlay

  .macro enter function
enter_\function:
  mv t0, sp
  lw sp, stack_top
  addi sp, sp, -16
  sw t0, 0(sp)
  sw ra, 4(sp)
  call crypto_\function
  lw ra, 4(sp)
  lw sp, 0(sp)
  ret
  .endm

  enter hash_begin
  enter hash_add
  enter hash_end
  enter verify
  enter agree
  enter open
