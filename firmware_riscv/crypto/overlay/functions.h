/* The functions of struct Crypto (vault/core/crypto.h, which says what they do) as the overlay has them. */
#ifndef MODELVAULT_FIRMWARE_RISCV_CRYPTO_OVERLAY_FUNCTIONS_H_
#define MODELVAULT_FIRMWARE_RISCV_CRYPTO_OVERLAY_FUNCTIONS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void crypto_hash_begin(void* state, const uint8_t* key);
void crypto_hash_add(void* state, const uint8_t* bytes, size_t size);
void crypto_hash_end(void* state, uint8_t digest[32]);
bool crypto_verify(const uint8_t signature[64], const uint8_t* message, size_t size, const uint8_t key[32]);
bool crypto_agree(uint8_t shared[32], const uint8_t secret[32], const uint8_t key[32]);
bool crypto_open(uint8_t* plain, const uint8_t* cipher, size_t size, const uint8_t tag[16], const uint8_t* associated,
                 size_t associated_size, const uint8_t key[32]);

#endif /* MODELVAULT_FIRMWARE_RISCV_CRYPTO_OVERLAY_FUNCTIONS_H_ */
