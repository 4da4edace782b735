// The members of a ZIP archive, and where in the file their bytes are.
#ifndef MODELVAULT_TOOLS_FORMATS_ARCHIVE_ZIP_MEMBERS_H_
#define MODELVAULT_TOOLS_FORMATS_ARCHIVE_ZIP_MEMBERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vault/file_system.h"

namespace modelvault {

struct ZipMember {
  std::string name;     // A safe path (IsSafePath); what has no bytes is left out.
  uint64_t offset = 0;  // Of its bytes in the file.
  uint64_t size = 0;    // Of these, compressed or not.
  bool stored = false;  // Its bytes are as they are.
};

// All members that have bytes, in the order of the archive's directory. No two have a name or bytes in common.
// kInvalidArgument, naming the file, the member and the offset, for an archive that is damaged, or has encrypted
// members, symbolic links, names that are no paths below a folder or occur twice, members that overlap or lie outside
// the file.
absl::StatusOr<std::vector<ZipMember>> ReadZipMembers(const RandomAccessFile& file);

// The name of the member whose header a file begins with: empty if it begins otherwise, or if `head` ends before.
absl::string_view FirstZipMember(absl::Span<const uint8_t> head);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ARCHIVE_ZIP_MEMBERS_H_
