/* The loader's C interface: opens a vault in memory-mapped flash, finds a variant, hands its bytes over tile by tile,
 * and says at the end whether they are the ones that were packed (docs/format.md; docs/porting.md for a port).
 *
 * No heap, no recursion, no floating point, no global state: all memory is the caller's. One loader is used by one
 * thread at a time. A whole use:
 *
 *   mv_loader* loader;
 *   mv_variant variant;
 *   const uint8_t* tile;
 *   size_t size;
 *   uint32_t verdict = MV_REJECTED;
 *   mv_error error = mv_open(vault, vault_size, memory, memory_size, NULL, &loader, NULL);
 *   if (error == MV_OK) error = mv_find(loader, "radiology", 9, &variant);
 *   if (error == MV_OK) error = mv_start(loader, &variant, MV_DEFAULT_TILE_SIZE);
 *   while (error == MV_OK && (error = mv_next(loader, &tile, &size)) == MV_OK && size > 0) {
 *     ... bytes that are not yet proven ...
 *   }
 *   if (error == MV_OK) error = mv_finish(loader, &verdict);
 *   if (verdict == MV_VERIFIED) ... start over and use them: every later pass is checked in the same way ...
 *
 * With mv_start_proven() in the place of mv_start() a tile may be used as soon as mv_next() hands it over: what it is
 * decoded from has been compared with its checksum before.
 */
#ifndef MODELVAULT_FIRMWARE_RISCV_LOADER_MODELVAULT_LOADER_H_
#define MODELVAULT_FIRMWARE_RISCV_LOADER_MODELVAULT_LOADER_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Everything that can go wrong on the board. Printed by name; append only, never renumber. The first block is
 * codec/core/core_status.h, number for number (core_errors.h). */
typedef enum mv_error {
  MV_OK = 0,
  MV_TRUNCATED = 1,            /* A field or stream ends before its bytes. */
  MV_BAD_MAGIC = 2,            /* Not a vault. */
  MV_UNKNOWN_VERSION = 3,      /* A version or feature this build does not know. */
  MV_BAD_HEADER = 4,           /* A header field outside its range. */
  MV_CHECKSUM_MISMATCH = 5,    /* Stored bytes differ from their checksum. */
  MV_BAD_SECTION = 6,          /* A section outside the vault, overlapping or out of order. */
  MV_BAD_MODEL = 7,            /* MODEL does not parse, or not to what the header says. */
  MV_BAD_TABLE = 8,            /* A table of code lengths that is no complete code. */
  MV_BAD_CHUNK = 9,            /* A chunk directory entry outside BASE or out of order. */
  MV_BAD_INDEX = 10,           /* An index entry out of range or order. */
  MV_BAD_BLOB = 11,            /* A variant blob's head does not parse. */
  MV_BAD_STREAM = 12,          /* A coded stream does not end where it must, or names what does not exist. */
  MV_BAD_MODE = 13,            /* A tensor mode that this tensor cannot have. */
  MV_OUT_OF_RANGE = 14,        /* A decoded weight outside INT8. */
  MV_NOT_FOUND = 15,           /* No such variant. */
  MV_WORKSPACE_TOO_SMALL = 16, /* The caller's memory does not suffice for this vault. */
  MV_DIGEST_MISMATCH = 17,     /* The restored bytes are not those that were packed. */
  MV_READ_FAILED = 18,         /* The storage could not be read. */
  MV_BAD_ARGUMENT = 19,        /* A call outside its contract. */
  MV_BAD_NETWORK = 20,         /* NETWORK does not parse, or does not fit MODEL. */
  MV_UNSIGNED = 21,            /* No signature, or none since the vault was changed. */
  MV_BAD_SIGNATURE = 22,       /* A signature that is wrong, or too few. */
  MV_UNTRUSTED = 23,           /* No key set of the vault is one that is trusted. */
  MV_ROLLED_BACK = 24,         /* A version before the least that is taken. */
  MV_EXPIRED = 25,             /* Not valid at this time. */
  MV_NOT_AUTHENTIC = 26,       /* Stored bytes differ from their signed digest. */
  MV_REVOKED = 27,             /* On the list of what is not to be started any more. */
  MV_SEALED = 28,              /* Encrypted for others. */
  MV_BAD_ROOT = 29,            /* SIGNATURE does not parse. */
  /* The loader's own. */
  MV_MISALIGNED = 64,   /* The vault is not at a multiple of 4, or the memory not at one of MV_MEMORY_ALIGNMENT. */
  MV_NOT_FINISHED = 65, /* mv_finish() before the last tile. */
  MV_NO_CRYPTO = 66,    /* A vault is to be proven, and there are no cryptographic functions to do it with. */
  /* The flash driver's. */
  MV_FLASH_BAD_PLACE = 80, /* Outside the sectors that may be written, or not a whole word. */
  MV_FLASH_SETS_BIT = 81,  /* A program that would turn a zero into a one: only an erase can. */
  MV_FLASH_FAILED = 82,    /* The flash reported an error, or what was written does not read back. */
  /* A field update's. */
  MV_BAD_PATCH = 96,   /* No patch, a damaged one, or one that does not fit this board's slots. */
  MV_OTHER_VAULT = 97, /* The patch is for another vault than the one that runs. */
} mv_error;

/* A word without spaces, such as "digest-mismatch"; never NULL. */
const char* mv_error_name(mv_error error);

/* Where in the vault something is wrong. */
typedef enum mv_place {
  MV_PLACE_UNKNOWN = 0, /* Nothing stored is wrong (any more): a read went wrong, or the vault was packed so. */
  MV_PLACE_HEADER = 1,
  MV_PLACE_MODEL = 2,
  MV_PLACE_CHUNKS = 3,
  MV_PLACE_BASE = 4, /* `number`: the chunk. */
  MV_PLACE_INDEX = 5,
  MV_PLACE_DELTA = 6,        /* The variant's blob. `number`: the segment, 0 where the head is at fault. */
  MV_PLACE_MEMORY = 7,       /* Not the vault: the caller's memory. */
  MV_PLACE_NETWORK = 8,      /* `number`: about which byte of it. */
  MV_PLACE_SIGNATURE = 9,    /* The same. */
  MV_PLACE_REVOCATIONS = 10, /* The revocation list, beside the vault. `number`: the entry. */
} mv_place;

typedef struct mv_fault {
  mv_place place;
  uint32_t number;
} mv_fault;

/* "header", "base chunk" and so on; never NULL. */
const char* mv_place_name(mv_place place);

/* A variant of an open vault, or its base. Filled by mv_base(), mv_list() and mv_find(); read only. */
typedef struct mv_variant {
  const char* name; /* In the vault, not terminated. The base has no name: name_size is 0. */
  size_t name_size; /* At most MV_MAX_NAME_SIZE. */
  uint64_t digest;  /* XXH64 of the restored bytes. */
  uint32_t blob_offset;
  uint32_t blob_size; /* 0: the same as the base. */
  uint32_t blob_checksum;
  const uint8_t* opened; /* Of one that was sealed: its blob, in RAM (modelvault_proof.h). NULL: it is in the vault. */
} mv_variant;

#define MV_MAX_NAME_SIZE 255u
#define MV_MEMORY_ALIGNMENT 8u
#define MV_MIN_TILE_SIZE 256u
#define MV_DEFAULT_TILE_SIZE 4096u

/* Verdicts. Two patterns with many bits between them: no single fault turns one into the other. Everything that is not
 * MV_VERIFIED is a rejection. */
#define MV_VERIFIED 0x3CA5965Au
#define MV_REJECTED 0xC35A69A5u

typedef struct mv_loader mv_loader;

/* A watchdog to be fed by the functions that take long: after every 4 KiB at most of what they hash, around what they
 * parse, and once in mv_start() and in each mv_next(). The functions must be callable as long as the loader is. */
typedef struct mv_watchdog {
  void (*feed)(void* context);
  void* context;
} mv_watchdog;

/* Sets *bytes to the memory that opening this vault, and streaming any of its models in tiles of `tile_size` bytes,
 * takes. Checks the vault as mv_open() does. `watchdog` may be NULL. */
mv_error mv_memory_needed(const uint8_t* vault, size_t vault_size, size_t tile_size, const mv_watchdog* watchdog,
                          size_t* bytes);

/* The same for mv_start_proven() and mv_start_range(): more by the largest stored chunk of the base and, with
 * MV_WITH_BASE among the `flags`, a second tile. */
mv_error mv_memory_needed_proven(const uint8_t* vault, size_t vault_size, size_t tile_size, uint32_t flags,
                                 const mv_watchdog* watchdog, size_t* bytes);

/* Opens the vault that begins at `vault`, a multiple of 4; the partition that holds it has `vault_size` bytes (at most
 * 2^31 - 1) and may be longer. Checks the header, then the checksums of MODEL, CHUNKS and INDEX, then parses them. The
 * loader lives in `memory`; vault and memory must stay as they are while it is used. What mv_open() leaves free of the
 * memory serves as the tile buffer. `watchdog` (may be NULL) is copied. After a failure *loader is NULL and *fault (if
 * not NULL) tells where. */
mv_error mv_open(const uint8_t* vault, size_t vault_size, void* memory, size_t memory_size, const mv_watchdog* watchdog,
                 mv_loader** loader, mv_fault* fault);

/* The same without INDEX, for a vault where mv_open() failed at MV_PLACE_INDEX: its base is still proven by the
 * header's digest. mv_count() is 0 then, mv_list() and mv_find() give MV_BAD_INDEX. */
mv_error mv_open_base(const uint8_t* vault, size_t vault_size, void* memory, size_t memory_size,
                      const mv_watchdog* watchdog, mv_loader** loader, mv_fault* fault);

/* Variants, the base not counted. */
uint32_t mv_count(const mv_loader* loader);

/* The base: what every variant is restored from. */
void mv_base(const mv_loader* loader, mv_variant* base);

/* Where an enumeration stands: all zero before the first call. */
typedef struct mv_cursor {
  uint32_t next;
  size_t name_offset;
} mv_cursor;

/* Gives the variant under *cursor and steps on; MV_NOT_FOUND after the last. */
mv_error mv_list(const mv_loader* loader, mv_cursor* cursor, mv_variant* variant);

mv_error mv_find(const mv_loader* loader, const char* name, size_t name_size, mv_variant* variant);

/* A tensor of the base, in the order of its bytes. */
typedef struct mv_tensor_record {
  uint8_t dtype;   /* As docs/format.md numbers them: 3 is I8, 12 is F32. */
  uint32_t rows;   /* The first dimension of two and more, else 1. */
  uint32_t cols;   /* The product of the others; a scalar has 1. */
  uint32_t offset; /* Of its first byte in the base's data, and in that of a variant with the base's layout. */
  uint32_t size;   /* Bytes. */
} mv_tensor_record;

uint32_t mv_tensor_count(const mv_loader* loader);

/* MV_BAD_ARGUMENT for a number that is not below mv_tensor_count(). */
mv_error mv_tensor(const mv_loader* loader, uint32_t number, mv_tensor_record* record);

/* Sets *bytes and *size to NETWORK, what the vault's models compute (docs/format.md), in the vault at a multiple of 4.
 * Compares its checksum; what it says is for whoever runs it to check. MV_NOT_FOUND: the vault has none. */
mv_error mv_network(const mv_loader* loader, const uint8_t** bytes, size_t* size);

/* Begins handing over `variant` in tiles of `tile_size` bytes, at least MV_MIN_TILE_SIZE. Whatever was in progress is
 * forgotten. */
mv_error mv_start(mv_loader* loader, const mv_variant* variant, size_t tile_size);

/* What mv_start_proven() is asked for beside proven tiles. */
#define MV_WITH_DIGEST 1u /* mv_finish() also compares the XXH64 of the whole model, 3.6 cycles a byte. */
#define MV_WITH_BASE 2u   /* mv_base_tile() tells the base's bytes. */

/* Begins handing over tiles that are proven one by one: the variant's stored bytes are compared with their checksums
 * before the first tile, or segment by segment before each is begun, and each stored chunk of the base, in RAM, before
 * it is decoded. Those checksums come from INDEX and CHUNKS, whose own mv_open() has compared. A mismatch is an error
 * of this call or of mv_next(), which then hands over nothing; mv_where() tells its place. */
mv_error mv_start_proven(mv_loader* loader, const mv_variant* variant, size_t tile_size, uint32_t flags);

/* The same for the `length` bytes from byte `offset` of the model's data on. MV_BAD_ARGUMENT if it has not so many.
 * Beginning inside a segment costs passing over what the segment holds before. */
mv_error mv_start_range(mv_loader* loader, const mv_variant* variant, size_t offset, size_t length, size_t tile_size);

/* Sets *tile and *size to the next bytes of the model: tile_size of them, fewer only at the end, none after it. They
 * stay valid until the next call. After mv_start() they are unproven until mv_finish(). An error is repeated by every
 * later call. */
mv_error mv_next(mv_loader* loader, const uint8_t** tile, size_t* size);

/* With MV_WITH_BASE: the bytes of the base in the place of the last tile, as many as it has, if the variant has the
 * base's layout; valid as long as the tile. Else NULL. */
const uint8_t* mv_base_tile(const mv_loader* loader);

/* Receives a model's bytes in order; `offset` is their place in its data. Anything but MV_OK ends the stream. */
typedef mv_error (*mv_consumer)(void* user, size_t offset, const uint8_t* bytes, size_t size);

/* Hands all that is left of what was started to `consumer`, and what mv_finish() says is the result. The consumer's
 * error is returned as it is and ends what was started. */
mv_error mv_stream(mv_loader* loader, mv_consumer consumer, void* user);

/* After the last tile: *verdict is MV_VERIFIED, and the result MV_OK, only if the XXH64 of all the bytes handed over is
 * the one stored for this variant; after mv_start_proven() without MV_WITH_DIGEST, and after mv_start_range(), if every
 * tile was proven. */
mv_error mv_finish(mv_loader* loader, uint32_t* verdict);

/* Where the error of the model in progress is: exact where stored bytes are proven, else MV_PLACE_UNKNOWN, and
 * mv_diagnose() may know more. */
mv_fault mv_where(const mv_loader* loader);

/* Of the model in progress: its size, and the XXH64 of what has been handed over so far. */
uint64_t mv_model_size(const mv_loader* loader);
uint64_t mv_digest(const mv_loader* loader); /* Not where no digest was asked for. */

/* The part of the caller's memory in use, the tile buffer of the last mv_start() included. */
size_t mv_memory_used(const mv_loader* loader);

/* After a pass that failed: compares every stored checksum on the way of `variant` and says which is wrong. Takes about
 * as long as hashing the stored base. */
mv_fault mv_diagnose(const mv_loader* loader, const mv_variant* variant);

/* Where in the vault that begins which a fault of `variant` names; 0 for none. */
size_t mv_offset_of(const mv_loader* loader, const mv_variant* variant, mv_fault fault);

/* For measurements: `observe` (may be NULL) is called where mv_start() and mv_next() begin to decode, begin to hash,
 * and return. */
typedef enum mv_step { MV_STEP_DECODE = 0, MV_STEP_HASH = 1, MV_STEP_DONE = 2 } mv_step;
void mv_observe(mv_loader* loader, void (*observe)(void* context, mv_step step), void* context);

#ifdef __cplusplus
}
#endif

#endif /* MODELVAULT_FIRMWARE_RISCV_LOADER_MODELVAULT_LOADER_H_ */
