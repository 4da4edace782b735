/* restore_signed VAULT VARIANT FILE TRUSTED_KEY DEVICE_KEY [LEAST_VERSION]
 * Restores a variant of a vault that the holder of TRUSTED_KEY (a public key's file) has signed, in LEAST_VERSION or a
 * later version, and opens it with DEVICE_KEY (a secret key's file, mode 0600) if it is sealed. Prints the version,
 * which is the LEAST_VERSION of the next time. */
#include <modelvault/modelvault.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  mv_failure* failure = NULL;
  mv_vault* vault = NULL;
  mv_model* model = NULL;
  if (argc < 6 || argc > 7) {
    fprintf(stderr, "usage: restore_signed VAULT VARIANT FILE TRUSTED_KEY DEVICE_KEY [LEAST_VERSION]\n");
    return 64;
  }
  const mv_input trusted = {.path = argv[4]};
  const mv_input device = {.path = argv[5]};
  const mv_open_options options = {.struct_size = sizeof(options),
                                   .require_signature = 1,
                                   .trusted_keys = &trusted,
                                   .trusted_key_count = 1,
                                   .opening_keys = &device,
                                   .opening_key_count = 1,
                                   .least_version = argc == 7 ? strtoull(argv[6], NULL, 10) : 0};
  mv_signature_info signature = {.struct_size = sizeof(signature)};
  mv_code code = mv_vault_open_with(argv[1], &options, &vault, &failure);
  if (code == MV_CODE_OK) code = mv_vault_model(vault, argv[2], &model, &failure);
  if (code == MV_CODE_OK) code = mv_model_restore_file(model, argv[3], NULL, &failure);
  if (code == MV_CODE_OK) code = mv_vault_signature(vault, &signature, &failure);
  if (code == MV_CODE_OK) printf("version %llu\n", (unsigned long long)signature.version);
  if (code != MV_CODE_OK) fprintf(stderr, "%s: %s\n", mv_code_name(code), mv_failure_message(failure));
  mv_failure_free(failure);
  mv_model_free(model);
  mv_vault_close(vault);
  return code == MV_CODE_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
