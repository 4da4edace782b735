/* The cryptographic functions on the board, in C: board_crypto.h says what they are and what their room is. */
#ifndef MODELVAULT_FIRMWARE_RISCV_CRYPTO_MODELVAULT_CRYPTO_H_
#define MODELVAULT_FIRMWARE_RISCV_CRYPTO_MODELVAULT_CRYPTO_H_

#include "firmware_riscv/loader/modelvault_proof.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MV_CRYPTO_ALIGNMENT 16u

/* Bytes of room that the functions take, code and stack; 0 in a firmware that was built without them. */
size_t mv_crypto_room(void);

/* Copies them into `room`, at a multiple of MV_CRYPTO_ALIGNMENT: theirs until mv_crypto_end(). NULL: there are none, or
 * the room does not do. */
const mv_crypto* mv_crypto_begin(void* room, size_t size);

/* Clears the room. */
void mv_crypto_end(void* room);

#ifdef __cplusplus
}
#endif

#endif /* MODELVAULT_FIRMWARE_RISCV_CRYPTO_MODELVAULT_CRYPTO_H_ */
