/* load_by_c VAULT MODEL [REPEAT]
 * Opens a vault by the C library and restores a model's file into memory, proven, once or REPEAT times. Prints JSON:
 * {"open_s": seconds to open the vault, "load_s": seconds to load the model from then on, "bytes": of its file}. The
 * fastest of the repetitions counts. */
#define _POSIX_C_SOURCE 199309L

#include <modelvault/modelvault.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds_since(const struct timespec* begin) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - begin->tv_sec) + 1e-9 * (double)(now.tv_nsec - begin->tv_nsec);
}

static mv_code load(const char* path, const char* name, double* open_s, double* load_s, uint64_t* size,
                    mv_failure** failure) {
  mv_vault* vault = NULL;
  mv_model* model = NULL;
  void* file = NULL;
  struct timespec begin;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  mv_code code = mv_vault_open(path, &vault, failure);
  *open_s = seconds_since(&begin);
  clock_gettime(CLOCK_MONOTONIC, &begin);
  if (code == MV_CODE_OK) code = mv_vault_model(vault, name, &model, failure);
  if (code == MV_CODE_OK) code = mv_model_sizes(model, size, NULL, failure);
  if (code == MV_CODE_OK) {
    file = malloc((size_t)*size + 1);
    code = file != NULL ? mv_model_read_file(model, file, (size_t)*size, NULL, failure) : MV_CODE_OUT_OF_MEMORY;
  }
  *load_s = seconds_since(&begin);
  free(file);
  mv_model_free(model);
  mv_vault_close(vault);
  return code;
}

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    fprintf(stderr, "usage: load_by_c VAULT MODEL [REPEAT]\n");
    return 64;
  }
  const long repeat = argc == 4 ? strtol(argv[3], NULL, 10) : 1;
  double open_s = 0;
  double load_s = 0;
  uint64_t size = 0;
  for (long i = 0; i < repeat; ++i) {
    mv_failure* failure = NULL;
    double this_open_s;
    double this_load_s;
    const mv_code code = load(argv[1], argv[2], &this_open_s, &this_load_s, &size, &failure);
    if (code != MV_CODE_OK) {
      fprintf(stderr, "load_by_c: %s: %s\n", mv_code_name(code), mv_failure_message(failure));
      mv_failure_free(failure);
      return 1;
    }
    if (i == 0 || this_open_s < open_s) open_s = this_open_s;
    if (i == 0 || this_load_s < load_s) load_s = this_load_s;
  }
  printf("{\"open_s\": %.9f, \"load_s\": %.9f, \"bytes\": %llu}\n", open_s, load_s, (unsigned long long)size);
  return 0;
}
