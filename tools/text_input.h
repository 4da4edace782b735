#ifndef MODELVAULT_TOOLS_TEXT_INPUT_H_
#define MODELVAULT_TOOLS_TEXT_INPUT_H_

#include <stdint.h>

#include <string>

#include "absl/status/statusor.h"
#include "vault/file_system.h"

namespace modelvault {

// All of a text file that a person or a script wrote. kInvalidArgument if it has more than `most` bytes; otherwise
// errors of the file system.
absl::StatusOr<std::string> ReadText(FileSystem& file_system, const std::string& path, uint64_t most);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_TEXT_INPUT_H_
