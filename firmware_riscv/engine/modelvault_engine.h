/* The engine's C interface: a model of an open vault computes (docs/inference.md), with weights that stream out of the
 * flash and are proven each time that they are used. Integers only; the same scores as on a host. docs/porting.md tells
 * how to call it.
 *
 * No heap, no recursion, no floating point, no global state: the engine lives in the memory that mv_open() was given,
 * behind what the loader keeps. One loader and its engine are used by one thread at a time. A whole use:
 *
 *   mv_engine* engine;
 *   const uint16_t* prompt;
 *   size_t count;
 *   uint16_t token;
 *   mv_error error = mv_engine_open(loader, &variant, MV_ENGINE_TILE_SIZE, 0, &engine, NULL);
 *   if (error == MV_OK) error = mv_engine_encode(engine, "What is", 7, &prompt, &count, NULL);
 *   if (error == MV_OK) error = mv_engine_run(engine, prompt, count);
 *   while (error == MV_OK && (error = mv_engine_pick(engine, &token)) == MV_OK) {
 *     ... mv_engine_text(engine, token, &size) ...
 *     error = mv_engine_run(engine, &token, 1);
 *   }
 */
#ifndef MODELVAULT_FIRMWARE_RISCV_ENGINE_MODELVAULT_ENGINE_H_
#define MODELVAULT_FIRMWARE_RISCV_ENGINE_MODELVAULT_ENGINE_H_

#include "firmware_riscv/loader/modelvault_loader.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mv_engine mv_engine;

/* Larger tiles take more memory and make little faster. */
#define MV_ENGINE_TILE_SIZE 512u

/* Bytes, of the memory that mv_open() was given. */
typedef struct mv_engine_memory {
  size_t loader; /* The loader, a chunk of the base, and what mv_engine_encode() gives. */
  size_t engine; /* The engine's own state, and a word for each chunk of the base. */
  size_t cache;  /* Keys and values of all positions of the window; at first, what restores the model. */
  size_t activations; /* Of one token; those of a batch lie in what is free of the cache. */
  size_t parameters;  /* Gains, row scales and biases. */
  size_t list;        /* Where the variant's weights differ from the base's. 0: they are restored each time. */
  size_t more;        /* How much of `cache` is behind that memory: see mv_engine_open(). */
} mv_engine_memory;

/* What opening an engine of `variant` takes, with tiles of `tile_size` bytes; `list` is the least that it begins with,
 * and how much it becomes is known once it is open. Without a list, what restores the model is beside the cache: as much
 * as mv_memory_needed_proven() says. Errors as of mv_engine_open(). */
mv_error mv_engine_memory_needed(mv_loader* loader, const mv_variant* variant, size_t tile_size, size_t more,
                                 mv_engine_memory* memory);

/* Restores `variant` once, in proven tiles (mv_start_proven()) whose digest is compared at the end; keeps what differs
 * from the base in a list, as large as all memory that is left; and reads the model's parameters. From then on each
 * weight is the base's, from a chunk that is proven each time it is read, and the list's. Where the list does not fit,
 * or the variant has a layout of its own, its weights are restored each time instead, with the same results, slower.
 *
 * The `more` bytes directly behind the loader's memory are left alone until the model is loaded. From then on, and
 * until the engine is closed, it keeps positions there, but only if nothing is restored any more: with a list, and a
 * base that is stored as it is. So code and tables that only restore may lie there. mv_engine_memory_used() tells how
 * much of it is in use.
 *
 * MV_NOT_FOUND: the vault does not say what its models compute. MV_BAD_NETWORK: it says what does not fit the model.
 * MV_WORKSPACE_TOO_SMALL: the memory does not suffice. Others: the vault is damaged. After a failure *engine is NULL,
 * the loader as before, and *fault (if not NULL) tells where.
 *
 * While the engine is open the loader has no memory for a model. Trying to start one ends the engine: it can only be
 * closed then. */
mv_error mv_engine_open(mv_loader* loader, const mv_variant* variant, size_t tile_size, size_t more, mv_engine** engine,
                        mv_fault* fault);

/* Gives the engine's memory back to the loader, with which no model is in progress then. */
void mv_engine_close(mv_engine* engine);

/* The memory in use. */
void mv_engine_memory_used(const mv_engine* engine, mv_engine_memory* memory);

typedef enum mv_task {
  MV_TASK_TOKENS = 1,   /* Token ids in, scores of the one that follows out: mv_engine_run(). */
  MV_TASK_FEATURES = 2, /* A vector of numbers in, scores of classes out: mv_engine_run_features(). */
} mv_task;

#define MV_NO_TOKEN 0xFFFFu

typedef struct mv_engine_info {
  mv_task task;
  uint32_t inputs;  /* Ids of the vocabulary, or features. */
  uint32_t outputs; /* Scores. */
  uint32_t window;  /* Positions that are kept beside the `sinks` first. */
  uint32_t sinks;
  uint16_t begin_token; /* What begins and ends a text; MV_NO_TOKEN: nothing does. */
  uint16_t end_token;
  uint8_t has_tokenizer;   /* 0: ids only, no text. */
  uint8_t activation_bits; /* 8, or 4. */
} mv_engine_info;

void mv_engine_describe(const mv_engine* engine, mv_engine_info* info);

#define MV_ENGINE_MAX_TEXT 1024u

/* Sets *tokens and *count to the ids of `text` (at most MV_ENGINE_MAX_TEXT bytes), the one that begins a text first.
 * They stay until the next of these calls, and until the loader starts a model. MV_NOT_FOUND: there
 * is no tokenizer, or no token for the byte at *bad_offset (which may be NULL; then SIZE_MAX and the byte's place). */
mv_error mv_engine_encode(mv_engine* engine, const char* text, size_t size, const uint16_t** tokens, size_t* count,
                          size_t* bad_offset);

/* The bytes that a token stands for, in the vault, not terminated; none for those that begin and end a text, for ids
 * that do not exist, and without a tokenizer. */
const char* mv_engine_text(const mv_engine* engine, uint16_t token, size_t* size);

/* Memory for as many values as the network takes, for mv_engine_run_features(); as long-lived as the tokens of
 * mv_engine_encode(). NULL: it takes tokens. */
int32_t* mv_engine_features(mv_engine* engine);

/* Runs tokens at the positions that follow, up to 16 at once. Positions beyond the window push out the oldest but the
 * sinks. A stored byte that is not what was packed ends it: mv_engine_where() tells its place, and there are no scores.
 * MV_BAD_ARGUMENT: no tokens, one beyond the vocabulary, a network of features, or a loader that has started a model.
 */
mv_error mv_engine_run(mv_engine* engine, const uint16_t* tokens, size_t count);

/* The same for features, times 2^16, as many as the network's inputs. */
mv_error mv_engine_run_features(mv_engine* engine, const int32_t* features, size_t count);

/* The scores after the last token of the last run: values[i] * 2^*exponent, until the next run. MV_NOT_FINISHED: there
 * are none. */
mv_error mv_engine_scores(const mv_engine* engine, const int32_t** values, size_t* count, int* exponent);

#define MV_ENGINE_MAX_TOP_K 64u

/* How mv_engine_pick() draws from here on: from the `top_k` best, with probabilities proportional to
 * e^(score / temperature); `temperature` is times 2^16. The same seed and scores give the same tokens everywhere. At
 * first, and with a temperature of 0 or a top_k below 2, the best one is picked, of equal ones the lowest id. */
void mv_engine_sampling(mv_engine* engine, uint64_t seed, uint32_t temperature, uint32_t top_k);

/* Sets *token to the one that follows. MV_NOT_FINISHED: there are no scores. */
mv_error mv_engine_pick(mv_engine* engine, uint16_t* token);

/* Forgets all positions. */
void mv_engine_reset(mv_engine* engine);

/* Where the stored bytes are that ended the last run, and where that place begins in the vault. MV_PLACE_UNKNOWN: what
 * ended it was not stored. */
mv_fault mv_engine_where(const mv_engine* engine, size_t* offset);

#ifdef __cplusplus
}
#endif

#endif /* MODELVAULT_FIRMWARE_RISCV_ENGINE_MODELVAULT_ENGINE_H_ */
