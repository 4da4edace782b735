#include "codec/core/core_status.h"

namespace modelvault {

const char* CoreStatusName(CoreStatus status) {
  switch (status) {
    case CoreStatus::kOk:
      return "ok";
    case CoreStatus::kTruncated:
      return "truncated";
    case CoreStatus::kBadMagic:
      return "not a vault (bad magic)";
    case CoreStatus::kUnknownVersion:
      return "unknown version or feature";
    case CoreStatus::kBadHeader:
      return "header field out of range";
    case CoreStatus::kChecksumMismatch:
      return "checksum mismatch";
    case CoreStatus::kBadSection:
      return "section out of place";
    case CoreStatus::kBadModel:
      return "model section malformed";
    case CoreStatus::kBadTable:
      return "table of code lengths malformed";
    case CoreStatus::kBadChunk:
      return "chunk directory malformed";
    case CoreStatus::kBadIndex:
      return "index malformed";
    case CoreStatus::kBadBlob:
      return "variant blob malformed";
    case CoreStatus::kBadStream:
      return "coded stream corrupt";
    case CoreStatus::kBadMode:
      return "impossible tensor mode";
    case CoreStatus::kOutOfRange:
      return "decoded weight out of range";
    case CoreStatus::kNotFound:
      return "not found";
    case CoreStatus::kWorkspaceTooSmall:
      return "workspace too small";
    case CoreStatus::kDigestMismatch:
      return "digest mismatch";
    case CoreStatus::kReadFailed:
      return "read failed";
    case CoreStatus::kBadArgument:
      return "bad argument";
    case CoreStatus::kBadNetwork:
      return "network malformed, or not of this model";
    case CoreStatus::kUnsigned:
      return "not signed";
    case CoreStatus::kBadSignature:
      return "signature wrong, or too few";
    case CoreStatus::kUntrusted:
      return "signed by keys that are not trusted";
    case CoreStatus::kRolledBack:
      return "an older version than allowed";
    case CoreStatus::kExpired:
      return "not valid at this time";
    case CoreStatus::kNotAuthentic:
      return "stored bytes differ from what was signed";
    case CoreStatus::kRevoked:
      return "revoked";
    case CoreStatus::kSealed:
      return "encrypted for others";
    case CoreStatus::kBadRoot:
      return "signature section malformed";
  }
  return "unknown error";
}

}  // namespace modelvault
