/* restore_tensor VAULT MODEL [TENSOR]
 * Lists the tensors of a model of a vault, or writes one to standard output. MODEL is a variant, or "base". */
#include <errno.h>
#include <modelvault/modelvault.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mv_code list_tensors(const mv_model* model, mv_failure** failure) {
  size_t count = 0;
  mv_code code = mv_model_tensor_count(model, &count, failure);
  for (size_t i = 0; code == MV_CODE_OK && i < count; ++i) {
    mv_tensor_info tensor = {.struct_size = sizeof(tensor)};
    code = mv_model_tensor_info(model, i, &tensor, failure);
    if (code != MV_CODE_OK) break;
    printf("%s %s", tensor.name, tensor.type_name);
    for (uint32_t d = 0; d < tensor.rank; ++d)
      printf("%s%llu", d == 0 ? " " : "x", (unsigned long long)tensor.shape[d]);
    printf(" %llu bytes\n", (unsigned long long)tensor.size);
  }
  return code;
}

static int32_t write_out(void* file, uint64_t offset, const void* bytes, size_t size) {
  (void)offset; /* They come in order. */
  return fwrite(bytes, 1, size, file) == size ? 0 : 1;
}

int main(int argc, char** argv) {
  mv_failure* failure = NULL;
  mv_vault* vault = NULL;
  mv_model* model = NULL;
  if (argc < 3 || argc > 4) {
    fprintf(stderr, "usage: restore_tensor VAULT MODEL [TENSOR]\n");
    return 64;
  }
  mv_code code = mv_vault_open(argv[1], &vault, &failure);
  if (code == MV_CODE_OK) code = mv_vault_model(vault, argv[2], &model, &failure);
  if (code == MV_CODE_OK && argc == 3) code = list_tensors(model, &failure);
  if (code == MV_CODE_OK && argc == 4) code = mv_model_stream_tensor(model, argv[3], write_out, stdout, NULL, &failure);
  if (code != MV_CODE_OK) fprintf(stderr, "%s: %s\n", mv_code_name(code), mv_failure_message(failure));
  if (code == MV_CODE_OK && fflush(stdout) != 0) {
    fprintf(stderr, "standard output: %s\n", strerror(errno));
    code = MV_CODE_STORAGE;
  }
  mv_failure_free(failure);
  mv_model_free(model);
  mv_vault_close(vault);
  return code == MV_CODE_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
