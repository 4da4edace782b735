/* modelvault for C: opens a vault (one base model and its variants in one file), lists what is in it, and gives models
 * back: whole files, tensors, ranges of bytes. docs/c-api.md explains it by task. A whole use:
 *
 *   mv_failure* failure = NULL;
 *   mv_vault* vault = NULL;
 *   mv_model* model = NULL;
 *   if (mv_vault_open("hospital.mvlt", &vault, &failure) == MV_CODE_OK &&
 *       mv_vault_model(vault, "radiology", &model, &failure) == MV_CODE_OK &&
 *       mv_model_read_tensor(model, "layers.0.wq", weights, sizeof(weights), NULL, &failure) == MV_CODE_OK) {
 *     ... use the weights ...
 *   } else {
 *     fprintf(stderr, "%s\n", mv_failure_message(failure));
 *   }
 *   mv_failure_free(failure);
 *   mv_model_free(model);
 *   mv_vault_close(vault);
 *
 * Failures. A function that can fail returns an mv_code. Its last argument, `failure`, may be NULL; else *failure is
 * set to NULL on success and to a new object on failure, which the caller frees with mv_failure_free(). Only the codes
 * listed with a function are its own; any function may also return MV_CODE_INVALID_ARGUMENT for a NULL that is not
 * allowed, MV_CODE_OUT_OF_MEMORY, and MV_CODE_INTERNAL. After a failure what a function was to fill is unspecified,
 * except for handles, which are NULL. No call ends the process, and no C++ exception leaves one.
 *
 * Threads. Every function may be called from any thread, also with the same handle at the same time, except those that
 * free it. A failure object serves one thread at a time. A call's own callbacks (mv_write_function,
 * mv_progress_function) are called on the thread that made the call, one at a time; an mv_source's are not, see there.
 * Callbacks may call into the library; they must not leave by longjmp() or an exception.
 *
 * Lifetimes. What a const pointer leads to belongs to the object that it came from and lives as long as that. Handles
 * are independent: a model keeps what it needs of its vault, so they may be closed in any order.
 *
 * Text is UTF-8 and ends with a NUL; names contain no other. Sizes and offsets are bytes.
 */
#ifndef MODELVAULT_MODELVAULT_H_
#define MODELVAULT_MODELVAULT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- Codes and failures. --- */

/* What became of a call. Numbers are never given another meaning; later versions may add some. */
typedef int32_t mv_code;
enum {
  MV_CODE_OK = 0,
  MV_CODE_INVALID_ARGUMENT = 1, /* The call is wrong: a NULL, a range outside the data, a path that is a folder. */
  MV_CODE_NOT_FOUND = 2,        /* No such file, variant, or tensor. */
  MV_CODE_DAMAGED = 3,          /* The vault's bytes are not those of a sound vault, or of a vault at all. */
  MV_CODE_UNSUPPORTED = 4,      /* A vault of a version, or with a feature, that this library does not know. */
  MV_CODE_BUFFER_TOO_SMALL = 5, /* The buffer has fewer bytes than what was asked for. Nothing was written to it. */
  MV_CODE_STORAGE = 6,          /* Reading or writing failed: the disk, the rights, a source's callback. */
  MV_CODE_OUT_OF_MEMORY = 7,
  MV_CODE_CANCELLED = 8,       /* A callback of the caller's ended the call. */
  MV_CODE_NOT_SYNCED = 9,      /* A file is in place, whole, but may not survive a power cut. */
  MV_CODE_INTERNAL = 10,       /* A bug of the library's, or an exception thrown by a callback. */
  MV_CODE_ALREADY_EXISTS = 11, /* Something has the name of the folder that was to be made. */
  MV_CODE_SEALED = 12,         /* A tenant's variant, which only its keys open: none of them was given. */
  MV_CODE_UNTRUSTED = 13,      /* Not what those who are trusted have signed, or a tenant has sealed. */
  MV_CODE_ROLLED_BACK = 14,    /* An older vault, or revocation list, than is taken. */
  MV_CODE_EXPIRED = 15,        /* A vault that is not valid at the time: no longer, or not yet. */
  MV_CODE_REVOKED = 16         /* A variant that the revocation list, or its tenant's entry there, revokes. */
};

/* A word such as "not-found"; "unknown" for a number that is no code. Lives for ever. */
const char* mv_code_name(mv_code code);

/* What went wrong, and where. */
typedef struct mv_failure mv_failure;

/* For offsets that are not known. */
#define MV_NO_OFFSET UINT64_MAX

/* NULL is no failure: MV_CODE_OK, empty texts, no offsets. */
mv_code mv_failure_code(const mv_failure* failure);
/* A sentence for people, with file, variant, tensor, offset, what was expected and what was found. */
const char* mv_failure_message(const mv_failure* failure);
/* The vault's path or name, or that of the file that was to be written, or of the key or revocation list that could not
 * be used; empty if no file is concerned. */
const char* mv_failure_path(const mv_failure* failure);
/* The variant, or "base"; empty if the failure concerns none, or all. */
const char* mv_failure_variant(const mv_failure* failure);
/* The tensor that was asked for, or in or after whose first bytes restoring a model ended; empty if there is none. */
const char* mv_failure_tensor(const mv_failure* failure);
/* Where in the vault's file the damaged part begins, or the read that failed; MV_NO_OFFSET. */
uint64_t mv_failure_offset(const mv_failure* failure);
/* From which byte of the model's data section on nothing was restored; MV_NO_OFFSET. */
uint64_t mv_failure_data_offset(const mv_failure* failure);
/* `failure` may be NULL. */
void mv_failure_free(mv_failure* failure);

/* The library's version, e.g. "0.1.0". Lives for ever. */
const char* mv_library_version(void);

/* --- Vaults. --- */

/* An open vault: its header and lists, checked and in memory; models are read when they are asked for. */
typedef struct mv_vault mv_vault;

/* Bytes that the caller brings, in place of a file. */
typedef struct mv_source {
  uint32_t struct_size; /* sizeof(mv_source). */
  uint32_t reserved;    /* 0. */
  void* context;        /* Given to the callbacks. */
  uint64_t size;        /* Of the vault. */
  const char* name;     /* For messages, copied; NULL: "source". */
  /* Writes at most `size` bytes of the vault, those from `offset` on, to `buffer` and returns how many; the rest is
   * asked for by another call. 0: there are no more bytes, though there should be. A negative number: reading failed;
   * the number is shown in the message. Anything above `size` is a lie and fails, too. The ranges asked for lie within
   * the source's size. Called by every thread that uses the vault, at the same time, and by threads of the library if a
   * call asks for several; it must not use this vault's handles. The bytes must not change as long as the source is
   * used. */
  int64_t (*read)(void* context, uint64_t offset, void* buffer, size_t size);
  /* Called once: when the vault and all of its models are closed, or before mv_vault_open_source() returns a failure,
   * whatever it is, unless struct_size is wrong. May be NULL. */
  void (*close)(void* context);
} mv_source;

/* Opens the vault in the file `path`. The file stays open until the vault and all of its models are closed. It takes
 * two reads, one or two more for large models: docs/c-api.md, "What is read". An http, https or file URL is opened, too:
 * docs/c-api.md, "URLs".
 *
 * MV_CODE_NOT_FOUND: no such file. MV_CODE_INVALID_ARGUMENT: not a regular file. MV_CODE_DAMAGED: not a vault, or one
 * whose header or lists are damaged. MV_CODE_UNSUPPORTED. MV_CODE_STORAGE. */
mv_code mv_vault_open(const char* path, mv_vault** vault, mv_failure** failure);

/* Opens the vault that is `size` bytes at `bytes`, which are not copied: they must stay, unchanged, until the vault and
 * all of its models are closed. `name` is for messages, may be NULL ("memory"), and is copied. Codes as of
 * mv_vault_open(). */
mv_code mv_vault_open_memory(const void* bytes, size_t size, const char* name, mv_vault** vault, mv_failure** failure);

/* Opens a vault that is read by callbacks. `source` itself is copied. Codes as of mv_vault_open(). */
mv_code mv_vault_open_source(const mv_source* source, mv_vault** vault, mv_failure** failure);

/* --- Whose vaults are taken, and what opens sealed variants. --- */

/* A key or a revocation list: in the file `path`, or, if that is NULL, the `size` bytes at `bytes`, as that file has
 * them. A key is a text as `mvault keygen` writes it. A file with a secret key must belong to this user or root, be no
 * symbolic link, and give others no access (mode 0600). */
typedef struct mv_input {
  const char* path;
  const void* bytes;
  size_t size;
} mv_input;

/* For mv_open_options.time: the time is not known, and validity not asked. */
#define MV_TIME_UNKNOWN INT64_C(-1)

/* What a vault is opened with, beside its bytes. All of it may be zero but struct_size; that is what the functions
 * above do. With trusted keys, or key_set, a vault is taken only if these have signed it; opening proves all that it
 * reads, and what is read later is proven before any of it is handed out. Without them signatures are not looked at. */
typedef struct mv_open_options {
  uint32_t struct_size;       /* sizeof(mv_open_options). */
  uint32_t require_signature; /* 1: that there is nobody to trust is a mistake, MV_CODE_INVALID_ARGUMENT; or 0. */
  /* Public signing keys, those of one key set that the vault has, or had before its keys were changed. */
  const mv_input* trusted_keys;
  size_t trusted_key_count;
  /* In place of trusted keys: the key set that has signed the vault when it was opened last, mv_signature_info's
   * key_set. Keys that were replaced until then are trusted no more. */
  const char* key_set;
  uint32_t threshold; /* How many of the trusted keys the vault must ask for; 0: all of them. */
  uint32_t reserved;  /* 0. */
  /* Tenants' content keys, and secret keys of device groups: open the variants that are sealed for them. */
  const mv_input* opening_keys;
  size_t opening_key_count;
  /* What follows needs somebody to trust, but for 0 and NULL. */
  uint64_t least_version;      /* An older version of the vault is refused. */
  int64_t time;                /* When the vault must be valid, in seconds since 1970, UTC; 0: now; MV_TIME_UNKNOWN. */
  const mv_input* revocations; /* A revocation list of the vault: what it revokes is refused. NULL: none. */
  uint64_t least_revocations;  /* A list with a lower number is refused. Needs `revocations`. */
} mv_open_options;

/* As mv_vault_open(), with options, which may be NULL and are not needed after the call. Also MV_CODE_NOT_FOUND and
 * MV_CODE_STORAGE for a file of a key or a list; MV_CODE_INVALID_ARGUMENT for a key that is none, is of the wrong kind,
 * or may be read by others; MV_CODE_DAMAGED for a revocation list that is none. MV_CODE_UNTRUSTED: not signed by those
 * who are trusted, or not what they signed; MV_CODE_ROLLED_BACK; MV_CODE_EXPIRED.
 *
 * From then on any function that reads of the vault, or of a model of it, may also fail with MV_CODE_UNTRUSTED. */
mv_code mv_vault_open_with(const char* path, const mv_open_options* options, mv_vault** vault, mv_failure** failure);

/* As mv_vault_open_memory(), with options. */
mv_code mv_vault_open_memory_with(const void* bytes, size_t size, const char* name, const mv_open_options* options,
                                  mv_vault** vault, mv_failure** failure);

/* As mv_vault_open_source(), with options. */
mv_code mv_vault_open_source_with(const mv_source* source, const mv_open_options* options, mv_vault** vault,
                                  mv_failure** failure);

/* What a vault says of its signature. The texts live as long as the vault's handle. */
typedef struct mv_signature_info {
  uint32_t struct_size; /* To be set by the caller: sizeof(mv_signature_info). */
  uint32_t is_trusted; /* 1: it was opened with somebody to trust, who has signed it. 0: anybody may have written it. */
  uint64_t version;    /* Rises with every change: the next time's least_version. */
  uint64_t not_before; /* Seconds since 1970, UTC; 0: no limit. */
  uint64_t not_after;
  const char* vault_id; /* 32 hexadecimal digits. */
  const char* key_set;  /* With is_trusted its last key set's digest, 64 digits: the next time's key_set. Else empty. */
  uint64_t revocations; /* The number of the list that it was opened with, the next time's least_revocations; or 0. */
} mv_signature_info;

/* Tells of the vault's signature. MV_CODE_NOT_FOUND: it has none. */
mv_code mv_vault_signature(const mv_vault* vault, mv_signature_info* info, mv_failure** failure);

/* `vault` may be NULL. Models of it stay usable. */
void mv_vault_close(mv_vault* vault);

/* The path or name that the vault was opened under; empty for NULL. */
const char* mv_vault_path(const mv_vault* vault);

/* How many variants there are, the base not counted; 0 for NULL. */
size_t mv_vault_variant_count(const mv_vault* vault);

/* What a vault's lists say of a model. The texts live as long as the handle that was asked. */
typedef struct mv_model_info {
  uint32_t struct_size; /* To be set by the caller: sizeof(mv_model_info). */
  uint32_t is_base;     /* 1 for the base, else 0. */
  const char* name;     /* "base" for the base, which no variant is called. */
  uint64_t stored_size; /* What it takes in the vault; 0: the same as the base. */
  const char* xxh3_128; /* Digests of its data section: 32 hexadecimal digits, as xxh128sum prints them, */
  const char* xxh64;    /* and 16. They find accidents, they do not authenticate. */
} mv_model_info;

/* Tells of variant `index` < mv_vault_variant_count(); variants are sorted by name, byte by byte.
 * MV_CODE_INVALID_ARGUMENT: no such index. */
mv_code mv_vault_variant_info(const mv_vault* vault, size_t index, mv_model_info* info, mv_failure** failure);

/* --- How models are read. --- */

/* Takes bytes in order: `size` of them at `bytes`, `offset` is their place in what was asked for. 0: go on; anything
 * else ends the call with MV_CODE_CANCELLED. The bytes are the library's and gone when the callback returns. What they
 * are worth before the call has returned MV_CODE_OK is said with each function. */
typedef int32_t (*mv_write_function)(void* context, uint64_t offset, const void* bytes, size_t size);

/* Told now and then that `done` of `total` bytes are there; at last with both the same. 0: go on; anything else ends
 * the call with MV_CODE_CANCELLED. */
typedef int32_t (*mv_progress_function)(void* context, uint64_t done, uint64_t total);

/* Where functions take options, NULL stands for these with nothing but struct_size set. */
typedef struct mv_read_options {
  uint32_t struct_size;          /* sizeof(mv_read_options). */
  int32_t threads;               /* 0 and 1: the caller's alone; -1: one a processor. Each holds a segment (1 MiB). */
  mv_progress_function progress; /* NULL: none. */
  void* progress_context;
} mv_read_options;

/* Restores every model of the vault and compares its digests, and checks all other bytes of the file: with somebody to
 * trust, all that was signed. What is stored of sealed variants that no key opens is compared with its checksum. Stops
 * at the first failure: mv_model_verify() tells of one model. Progress counts models. MV_CODE_DAMAGED, MV_CODE_STORAGE,
 * MV_CODE_CANCELLED, MV_CODE_UNTRUSTED, MV_CODE_REVOKED. */
mv_code mv_vault_verify(const mv_vault* vault, const mv_read_options* options, mv_failure** failure);

/* --- Models. --- */

/* A model of a vault: a variant, or the base. Its data section is its tensors' bytes, one after the other, in the order
 * of its file. */
typedef struct mv_model mv_model;

/* Finds the variant `name`, or the base under "base". Reads nothing of the file: what is stored of the model is read,
 * checked and kept by the first call that needs it, so any function that may fail with MV_CODE_DAMAGED or
 * MV_CODE_STORAGE may do so for that, and for a sealed variant that no key opens with MV_CODE_SEALED.
 * MV_CODE_NOT_FOUND: no such variant; the message names the nearest. MV_CODE_SEALED: perhaps there is one, but the
 * tenant whose prefix the name begins with has sealed the names of its variants, and its key was not given.
 * MV_CODE_REVOKED. */
mv_code mv_vault_model(const mv_vault* vault, const char* name, mv_model** model, mv_failure** failure);

/* `model` may be NULL. */
void mv_model_free(mv_model* model);

/* Tells what the vault's lists say of the model. */
mv_code mv_model_get_info(const mv_model* model, mv_model_info* info, mv_failure** failure);

/* Sets *file_size to the bytes of the model's file, *data_size to those of its data section; either may be NULL.
 * MV_CODE_DAMAGED, MV_CODE_STORAGE. */
mv_code mv_model_sizes(const mv_model* model, uint64_t* file_size, uint64_t* data_size, mv_failure** failure);

/* Sets *format to the name of the format that the model's file has, e.g. "safetensors", which lives as long as the
 * model. MV_CODE_DAMAGED, MV_CODE_STORAGE. */
mv_code mv_model_format(const mv_model* model, const char** format, mv_failure** failure);

/* A file of a model that has several, such as shards: together, one after the other, they are what is called the
 * model's file here. */
typedef struct mv_file_info {
  uint32_t struct_size; /* To be set by the caller: sizeof(mv_file_info). */
  uint32_t reserved;    /* 0. */
  const char* path;     /* In the model's folder and relative to it, parts separated by '/', none of them "..". */
  uint64_t size;
} mv_file_info;

/* Sets *count to the number of the model's files; 0 if it is one that has no name of its own. MV_CODE_DAMAGED,
 * MV_CODE_STORAGE. */
mv_code mv_model_file_count(const mv_model* model, size_t* count, mv_failure** failure);

/* Tells of file `index` < mv_model_file_count(). MV_CODE_INVALID_ARGUMENT: no such index. MV_CODE_DAMAGED,
 * MV_CODE_STORAGE. */
mv_code mv_model_file_info(const mv_model* model, size_t index, mv_file_info* info, mv_failure** failure);

/* Types of elements. Others may be added. */
typedef int32_t mv_dtype;
enum {
  MV_DTYPE_OPAQUE = 0, /* A type that the library has no arithmetic for: see type_name and element_bits. */
  MV_DTYPE_BOOL = 1,
  MV_DTYPE_U8 = 2,
  MV_DTYPE_I8 = 3,
  MV_DTYPE_I16 = 4,
  MV_DTYPE_U16 = 5,
  MV_DTYPE_I32 = 6,
  MV_DTYPE_U32 = 7,
  MV_DTYPE_I64 = 8,
  MV_DTYPE_U64 = 9,
  MV_DTYPE_F16 = 10,
  MV_DTYPE_BF16 = 11,
  MV_DTYPE_F32 = 12,
  MV_DTYPE_F64 = 13
};

/* A tensor of a model. Its bytes are those of the file: row-major, little-endian. */
typedef struct mv_tensor_info {
  uint32_t struct_size; /* To be set by the caller: sizeof(mv_tensor_info). */
  mv_dtype dtype;
  const char* name;      /* At least one byte. */
  const char* type_name; /* What the file calls the type, e.g. "I8" or "F8_E4M3". */
  const uint64_t* shape; /* `rank` dimensions, outermost first; one may be 0. NULL for a scalar. */
  uint32_t rank;
  uint32_t element_bits; /* 0 if they are not known. */
  uint64_t offset;       /* In the model's data section. */
  uint64_t size;
} mv_tensor_info;

/* Sets *count to the number of the model's tensors. MV_CODE_DAMAGED, MV_CODE_STORAGE. */
mv_code mv_model_tensor_count(const mv_model* model, size_t* count, mv_failure** failure);

/* Tells of tensor `index` < mv_model_tensor_count(), in the order of the file. MV_CODE_INVALID_ARGUMENT: no such index.
 * MV_CODE_DAMAGED, MV_CODE_STORAGE. */
mv_code mv_model_tensor_info(const mv_model* model, size_t index, mv_tensor_info* info, mv_failure** failure);

/* Tells of the tensor `name`. MV_CODE_NOT_FOUND: no such tensor; the message names the nearest. MV_CODE_DAMAGED,
 * MV_CODE_STORAGE. */
mv_code mv_model_find_tensor(const mv_model* model, const char* name, mv_tensor_info* info, mv_failure** failure);

/* --- Restoring. All may fail with MV_CODE_DAMAGED, MV_CODE_STORAGE and MV_CODE_CANCELLED. ---
 *
 * Whole files, and the whole data section, are proven by the model's digests: bytes that were handed over are the
 * packed ones once the call has returned MV_CODE_OK, and not before. Tensors and other ranges are proven by the stored
 * checksums of all that they are decoded from. */

/* Restores the model's file to `path`: there appears the whole file, proven, or nothing changes. A file that is there
 * is replaced and keeps its permissions. A model of several files becomes a folder `path` with these, which replaces
 * nothing but an empty folder: MV_CODE_ALREADY_EXISTS; the functions below give its files joined, in their stored
 * order. MV_CODE_INVALID_ARGUMENT: `path` is a folder, where a file is to appear, or the vault itself.
 * MV_CODE_NOT_FOUND: its folder does not exist. MV_CODE_NOT_SYNCED. */
mv_code mv_model_restore_file(const mv_model* model, const char* path, const mv_read_options* options,
                              mv_failure** failure);

/* Restores the model's file into a buffer of `size` bytes, at least mv_model_sizes()'s file_size.
 * MV_CODE_BUFFER_TOO_SMALL. */
mv_code mv_model_read_file(const mv_model* model, void* buffer, size_t size, const mv_read_options* options,
                           mv_failure** failure);

/* Restores the model's file into a callback. */
mv_code mv_model_stream_file(const mv_model* model, mv_write_function write, void* context,
                             const mv_read_options* options, mv_failure** failure);

/* Restores the tensor `name` into a buffer of `size` bytes, at least mv_tensor_info's size. MV_CODE_NOT_FOUND,
 * MV_CODE_BUFFER_TOO_SMALL. */
mv_code mv_model_read_tensor(const mv_model* model, const char* name, void* buffer, size_t size,
                             const mv_read_options* options, mv_failure** failure);

/* Restores the tensor `name` into a callback. MV_CODE_NOT_FOUND. */
mv_code mv_model_stream_tensor(const mv_model* model, const char* name, mv_write_function write, void* context,
                               const mv_read_options* options, mv_failure** failure);

/* Restores `size` bytes from byte `offset` of the tensor `name` on into a buffer of as many. MV_CODE_NOT_FOUND.
 * MV_CODE_INVALID_ARGUMENT: they do not lie within the tensor. */
mv_code mv_model_read_tensor_range(const mv_model* model, const char* name, uint64_t offset, void* buffer, size_t size,
                                   const mv_read_options* options, mv_failure** failure);

/* Restores `size` bytes from byte `offset` of the data section on into a buffer of as many.
 * MV_CODE_INVALID_ARGUMENT: they do not lie within it. */
mv_code mv_model_read_data(const mv_model* model, uint64_t offset, void* buffer, size_t size,
                           const mv_read_options* options, mv_failure** failure);

/* Restores the same into a callback. */
mv_code mv_model_stream_data(const mv_model* model, uint64_t offset, uint64_t size, mv_write_function write,
                             void* context, const mv_read_options* options, mv_failure** failure);

/* Restores the model, keeping nothing, and compares its digests. */
mv_code mv_model_verify(const mv_model* model, const mv_read_options* options, mv_failure** failure);

#ifdef __cplusplus
}
#endif

#endif /* MODELVAULT_MODELVAULT_H_ */
