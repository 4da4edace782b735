#ifndef MODELVAULT_TOOLS_FORMATS_TEXT_FILE_H_
#define MODELVAULT_TOOLS_FORMATS_TEXT_FILE_H_

#include <stdint.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"

namespace modelvault {

// A whole text file; one of more than `most` bytes is kInvalidArgument. Otherwise errors of the file system.
absl::StatusOr<std::string> ReadTextFile(FileSystem& file_system, const std::string& path, uint64_t most = 1 << 20);

// Writes one, complete or not at all.
absl::Status WriteTextFile(FileSystem& file_system, const std::string& path, absl::string_view text);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_TEXT_FILE_H_
