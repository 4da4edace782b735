// What a file that is not what was asked for seems to be, for messages.
#ifndef MODELVAULT_VAULT_FILE_KIND_H_
#define MODELVAULT_VAULT_FILE_KIND_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace modelvault {

// As many of a file's first bytes as can tell.
inline constexpr size_t kFileKindSize = 512;

// A phrase such as "a git-LFS pointer, not the file it stands for (git lfs pull)", by the file's first bytes: what is
// taken for a model most often. Of other text its beginning.
std::string DescribeFileKind(absl::Span<const uint8_t> head);

// kInvalidArgument, saying what the file `path` seems to be, if `content`, its bytes from the first on, is not text: a
// binary file, text in UTF-16, or what was written or fetched in place of the file.
absl::Status CheckIsText(absl::string_view content, absl::string_view path);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_FILE_KIND_H_
