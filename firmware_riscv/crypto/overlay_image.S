# The overlay as bytes in flash; CRYPTO_OVERLAY is its file, if there is one.
  .section .rodata.crypto_image, "a"
  .globl crypto_image, crypto_image_end
  .balign 16
crypto_image:
#ifdef CRYPTO_OVERLAY
  .incbin CRYPTO_OVERLAY
#endif
crypto_image_end:
