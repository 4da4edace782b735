// What a file that is not a model seems to be, for messages.
#ifndef MODELVAULT_RESTORE_FILE_KIND_H_
#define MODELVAULT_RESTORE_FILE_KIND_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"

namespace modelvault {

// A phrase such as "a git-LFS pointer, not the file it stands for (git lfs pull)", by the file's first bytes: what is
// taken for a model most often. Of anything else its first bytes.
std::string DescribeFileKind(absl::Span<const uint8_t> head);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_FILE_KIND_H_
