// What the loader's errors and places are called. Apart from the loader: firmware that prints nothing does not link it.
#include "firmware_riscv/loader/modelvault_loader.h"

const char* mv_error_name(mv_error error) {
  switch (error) {
    case MV_OK:
      return "ok";
    case MV_TRUNCATED:
      return "truncated";
    case MV_BAD_MAGIC:
      return "bad-magic";
    case MV_UNKNOWN_VERSION:
      return "unknown-version";
    case MV_BAD_HEADER:
      return "bad-header";
    case MV_CHECKSUM_MISMATCH:
      return "checksum-mismatch";
    case MV_BAD_SECTION:
      return "bad-section";
    case MV_BAD_MODEL:
      return "bad-model";
    case MV_BAD_TABLE:
      return "bad-table";
    case MV_BAD_CHUNK:
      return "bad-chunk";
    case MV_BAD_INDEX:
      return "bad-index";
    case MV_BAD_BLOB:
      return "bad-blob";
    case MV_BAD_STREAM:
      return "bad-stream";
    case MV_BAD_MODE:
      return "bad-mode";
    case MV_OUT_OF_RANGE:
      return "out-of-range";
    case MV_NOT_FOUND:
      return "not-found";
    case MV_WORKSPACE_TOO_SMALL:
      return "workspace-too-small";
    case MV_DIGEST_MISMATCH:
      return "digest-mismatch";
    case MV_READ_FAILED:
      return "read-failed";
    case MV_BAD_ARGUMENT:
      return "bad-argument";
    case MV_BAD_NETWORK:
      return "bad-network";
    case MV_UNSIGNED:
      return "unsigned";
    case MV_BAD_SIGNATURE:
      return "bad-signature";
    case MV_UNTRUSTED:
      return "untrusted";
    case MV_ROLLED_BACK:
      return "rolled-back";
    case MV_EXPIRED:
      return "expired";
    case MV_NOT_AUTHENTIC:
      return "not-authentic";
    case MV_REVOKED:
      return "revoked";
    case MV_SEALED:
      return "sealed";
    case MV_BAD_ROOT:
      return "bad-root";
    case MV_MISALIGNED:
      return "misaligned";
    case MV_NOT_FINISHED:
      return "not-finished";
    case MV_NO_CRYPTO:
      return "no-crypto";
    case MV_FLASH_BAD_PLACE:
      return "flash-bad-place";
    case MV_FLASH_SETS_BIT:
      return "flash-sets-bit";
    case MV_FLASH_FAILED:
      return "flash-failed";
    case MV_BAD_PATCH:
      return "bad-patch";
    case MV_OTHER_VAULT:
      return "other-vault";
  }
  return "unknown-error";
}

const char* mv_place_name(mv_place place) {
  switch (place) {
    case MV_PLACE_UNKNOWN:
      return "unknown place";
    case MV_PLACE_HEADER:
      return "header";
    case MV_PLACE_MODEL:
      return "model";
    case MV_PLACE_CHUNKS:
      return "chunk directory";
    case MV_PLACE_BASE:
      return "base chunk";
    case MV_PLACE_INDEX:
      return "index";
    case MV_PLACE_DELTA:
      return "delta";
    case MV_PLACE_MEMORY:
      return "memory";
    case MV_PLACE_NETWORK:
      return "network";
    case MV_PLACE_SIGNATURE:
      return "signature";
    case MV_PLACE_REVOCATIONS:
      return "revocations";
  }
  return "unknown place";
}
