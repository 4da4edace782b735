// The one enum of errors of the freestanding core. Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_CORE_STATUS_H_
#define MODELVAULT_CODEC_CORE_CORE_STATUS_H_

#include <stdint.h>

namespace modelvault {

// The loader hands them to boards as numbers (mv_error, firmware_riscv/loader/modelvault_loader.h): append only, never
// renumber.
enum class CoreStatus : uint8_t {
  kOk = 0,
  kTruncated = 1,           // A field or stream ends before its bytes.
  kBadMagic = 2,            // Not a vault.
  kUnknownVersion = 3,      // A version or feature this build does not know.
  kBadHeader = 4,           // A header field outside its range.
  kChecksumMismatch = 5,    // Stored bytes differ from their checksum.
  kBadSection = 6,          // A section outside the file, overlapping or out of order.
  kBadModel = 7,            // MODEL does not parse.
  kBadTable = 8,            // A table of code lengths that is no complete code.
  kBadChunk = 9,            // A chunk directory entry outside BASE or out of order.
  kBadIndex = 10,           // An index entry out of range or order.
  kBadBlob = 11,            // A variant blob's head does not parse.
  kBadStream = 12,          // A stream does not end where it must, or names what does not exist.
  kBadMode = 13,            // A tensor mode that this tensor cannot have.
  kOutOfRange = 14,         // A decoded weight outside INT8.
  kNotFound = 15,           // No such variant or tensor.
  kWorkspaceTooSmall = 16,  // The caller's memory does not suffice for this vault.
  kDigestMismatch = 17,     // The restored bytes are not those that were packed.
  kReadFailed = 18,         // The storage could not be read.
  kBadArgument = 19,        // A call outside its contract.
  kBadNetwork = 20,         // NETWORK does not parse, or does not fit MODEL.
  kUnsigned = 21,           // No signature, or none since the vault was changed.
  kBadSignature = 22,       // A signature that is wrong, or too few.
  kUntrusted = 23,          // No key set of the vault is one that is trusted.
  kRolledBack = 24,         // A version before the least that is taken.
  kExpired = 25,            // Not valid at this time.
  kNotAuthentic = 26,       // Stored bytes differ from their signed digest.
  kRevoked = 27,            // On the list of what is not to be started any more.
  kSealed = 28,             // Encrypted for others.
  kBadRoot = 29,            // SIGNATURE does not parse.
};

// English, for hosts' messages; never null. The board has texts of its own.
const char* CoreStatusName(CoreStatus status);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_CORE_STATUS_H_
