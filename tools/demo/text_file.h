#ifndef MODELVAULT_TOOLS_DEMO_TEXT_FILE_H_
#define MODELVAULT_TOOLS_DEMO_TEXT_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"

namespace modelvault::demo {

// A whole text file of at most 1 MiB, many times what the demo writes; a larger one is kInvalidArgument.
absl::StatusOr<std::string> ReadTextFile(FileSystem& file_system, const std::string& path);

// Writes one, complete or not at all.
absl::Status WriteTextFile(FileSystem& file_system, const std::string& path, absl::string_view text);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_TEXT_FILE_H_
