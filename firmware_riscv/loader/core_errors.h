// The core's errors are the first block of the loader's, number for number; part of the loader, so no build goes
// without the proof.
#ifndef MODELVAULT_FIRMWARE_RISCV_LOADER_CORE_ERRORS_H_
#define MODELVAULT_FIRMWARE_RISCV_LOADER_CORE_ERRORS_H_

#include "codec/core/core_status.h"
#include "firmware_riscv/loader/modelvault_loader.h"

namespace modelvault {

constexpr mv_error ToError(CoreStatus status) { return static_cast<mv_error>(status); }

// The same by name, for the compiler alone: it warns of a CoreStatus that is not here.
constexpr mv_error ErrorOfSameName(CoreStatus status) {
  switch (status) {
    case CoreStatus::kOk:
      return MV_OK;
    case CoreStatus::kTruncated:
      return MV_TRUNCATED;
    case CoreStatus::kBadMagic:
      return MV_BAD_MAGIC;
    case CoreStatus::kUnknownVersion:
      return MV_UNKNOWN_VERSION;
    case CoreStatus::kBadHeader:
      return MV_BAD_HEADER;
    case CoreStatus::kChecksumMismatch:
      return MV_CHECKSUM_MISMATCH;
    case CoreStatus::kBadSection:
      return MV_BAD_SECTION;
    case CoreStatus::kBadModel:
      return MV_BAD_MODEL;
    case CoreStatus::kBadTable:
      return MV_BAD_TABLE;
    case CoreStatus::kBadChunk:
      return MV_BAD_CHUNK;
    case CoreStatus::kBadIndex:
      return MV_BAD_INDEX;
    case CoreStatus::kBadBlob:
      return MV_BAD_BLOB;
    case CoreStatus::kBadStream:
      return MV_BAD_STREAM;
    case CoreStatus::kBadMode:
      return MV_BAD_MODE;
    case CoreStatus::kOutOfRange:
      return MV_OUT_OF_RANGE;
    case CoreStatus::kNotFound:
      return MV_NOT_FOUND;
    case CoreStatus::kWorkspaceTooSmall:
      return MV_WORKSPACE_TOO_SMALL;
    case CoreStatus::kDigestMismatch:
      return MV_DIGEST_MISMATCH;
    case CoreStatus::kReadFailed:
      return MV_READ_FAILED;
    case CoreStatus::kBadArgument:
      return MV_BAD_ARGUMENT;
    case CoreStatus::kBadNetwork:
      return MV_BAD_NETWORK;
    case CoreStatus::kUnsigned:
      return MV_UNSIGNED;
    case CoreStatus::kBadSignature:
      return MV_BAD_SIGNATURE;
    case CoreStatus::kUntrusted:
      return MV_UNTRUSTED;
    case CoreStatus::kRolledBack:
      return MV_ROLLED_BACK;
    case CoreStatus::kExpired:
      return MV_EXPIRED;
    case CoreStatus::kNotAuthentic:
      return MV_NOT_AUTHENTIC;
    case CoreStatus::kRevoked:
      return MV_REVOKED;
    case CoreStatus::kSealed:
      return MV_SEALED;
    case CoreStatus::kBadRoot:
      return MV_BAD_ROOT;
  }
  return MV_NOT_FINISHED;  // Not one of the core's.
}

constexpr bool ErrorsAreTheCores() {
  for (unsigned number = 0; number < MV_MISALIGNED; ++number) {
    const CoreStatus status = static_cast<CoreStatus>(number);
    const mv_error named = ErrorOfSameName(status);
    if (named != MV_NOT_FINISHED && named != ToError(status)) return false;
  }
  return true;
}
static_assert(ErrorsAreTheCores(), "mv_error and CoreStatus have different numbers for an error");

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_LOADER_CORE_ERRORS_H_
