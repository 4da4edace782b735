/* Prints what a compiled program knows of modelvault.h: its structs' sizes and members' places, and its constants. Also
 * a C99 program that includes nothing else. */
#include <modelvault/modelvault.h>
#include <stdio.h>

#define STRUCT(type) printf("struct %s: %zu bytes\n", #type, sizeof(type))
#define MEMBER(type, member) printf("  %s: %zu at %zu\n", #member, sizeof(((type*)0)->member), offsetof(type, member))
#define TYPE(type) printf("type %s: %zu bytes\n", #type, sizeof(type))
#define CONSTANT(name) printf("constant %s: %d\n", #name, (int)(name))

int main(void) {
  TYPE(mv_code);
  TYPE(mv_dtype);
  TYPE(mv_write_function);
  TYPE(mv_progress_function);
  STRUCT(mv_source);
  MEMBER(mv_source, struct_size);
  MEMBER(mv_source, reserved);
  MEMBER(mv_source, context);
  MEMBER(mv_source, size);
  MEMBER(mv_source, name);
  MEMBER(mv_source, read);
  MEMBER(mv_source, close);
  STRUCT(mv_file_info);
  MEMBER(mv_file_info, struct_size);
  MEMBER(mv_file_info, reserved);
  MEMBER(mv_file_info, path);
  MEMBER(mv_file_info, size);
  STRUCT(mv_model_info);
  MEMBER(mv_model_info, struct_size);
  MEMBER(mv_model_info, is_base);
  MEMBER(mv_model_info, name);
  MEMBER(mv_model_info, stored_size);
  MEMBER(mv_model_info, xxh3_128);
  MEMBER(mv_model_info, xxh64);
  STRUCT(mv_input);
  MEMBER(mv_input, path);
  MEMBER(mv_input, bytes);
  MEMBER(mv_input, size);
  STRUCT(mv_open_options);
  MEMBER(mv_open_options, struct_size);
  MEMBER(mv_open_options, require_signature);
  MEMBER(mv_open_options, trusted_keys);
  MEMBER(mv_open_options, trusted_key_count);
  MEMBER(mv_open_options, key_set);
  MEMBER(mv_open_options, threshold);
  MEMBER(mv_open_options, reserved);
  MEMBER(mv_open_options, opening_keys);
  MEMBER(mv_open_options, opening_key_count);
  MEMBER(mv_open_options, least_version);
  MEMBER(mv_open_options, time);
  MEMBER(mv_open_options, revocations);
  MEMBER(mv_open_options, least_revocations);
  STRUCT(mv_signature_info);
  MEMBER(mv_signature_info, struct_size);
  MEMBER(mv_signature_info, is_trusted);
  MEMBER(mv_signature_info, version);
  MEMBER(mv_signature_info, not_before);
  MEMBER(mv_signature_info, not_after);
  MEMBER(mv_signature_info, vault_id);
  MEMBER(mv_signature_info, key_set);
  MEMBER(mv_signature_info, revocations);
  STRUCT(mv_read_options);
  MEMBER(mv_read_options, struct_size);
  MEMBER(mv_read_options, threads);
  MEMBER(mv_read_options, progress);
  MEMBER(mv_read_options, progress_context);
  STRUCT(mv_tensor_info);
  MEMBER(mv_tensor_info, struct_size);
  MEMBER(mv_tensor_info, dtype);
  MEMBER(mv_tensor_info, name);
  MEMBER(mv_tensor_info, type_name);
  MEMBER(mv_tensor_info, shape);
  MEMBER(mv_tensor_info, rank);
  MEMBER(mv_tensor_info, element_bits);
  MEMBER(mv_tensor_info, offset);
  MEMBER(mv_tensor_info, size);
  CONSTANT(MV_CODE_OK);
  CONSTANT(MV_CODE_INVALID_ARGUMENT);
  CONSTANT(MV_CODE_NOT_FOUND);
  CONSTANT(MV_CODE_DAMAGED);
  CONSTANT(MV_CODE_UNSUPPORTED);
  CONSTANT(MV_CODE_BUFFER_TOO_SMALL);
  CONSTANT(MV_CODE_STORAGE);
  CONSTANT(MV_CODE_OUT_OF_MEMORY);
  CONSTANT(MV_CODE_CANCELLED);
  CONSTANT(MV_CODE_NOT_SYNCED);
  CONSTANT(MV_CODE_INTERNAL);
  CONSTANT(MV_CODE_ALREADY_EXISTS);
  CONSTANT(MV_CODE_SEALED);
  CONSTANT(MV_CODE_UNTRUSTED);
  CONSTANT(MV_CODE_ROLLED_BACK);
  CONSTANT(MV_CODE_EXPIRED);
  CONSTANT(MV_CODE_REVOKED);
  CONSTANT(MV_TIME_UNKNOWN);
  CONSTANT(MV_DTYPE_OPAQUE);
  CONSTANT(MV_DTYPE_BOOL);
  CONSTANT(MV_DTYPE_U8);
  CONSTANT(MV_DTYPE_I8);
  CONSTANT(MV_DTYPE_I16);
  CONSTANT(MV_DTYPE_U16);
  CONSTANT(MV_DTYPE_I32);
  CONSTANT(MV_DTYPE_U32);
  CONSTANT(MV_DTYPE_I64);
  CONSTANT(MV_DTYPE_U64);
  CONSTANT(MV_DTYPE_F16);
  CONSTANT(MV_DTYPE_BF16);
  CONSTANT(MV_DTYPE_F32);
  CONSTANT(MV_DTYPE_F64);
  return 0;
}
