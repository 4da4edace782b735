// What reading and writing files have in common.
#ifndef MODELVAULT_VAULT_FILE_READING_H_
#define MODELVAULT_VAULT_FILE_READING_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "vault/file_system_calls.h"

namespace modelvault {

// Fills all of `out` with the bytes of `fd` at `offset`; kDataLoss, kUnavailable as of RandomAccessFile::ReadAt.
absl::Status ReadFully(SystemCalls& calls, int fd, const std::string& path, uint64_t offset, absl::Span<uint8_t> out);

// kDataLoss unless `length` bytes at `offset` lie within a file of `size` bytes.
absl::Status CheckRange(const std::string& path, uint64_t offset, uint64_t length, uint64_t size);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_FILE_READING_H_
