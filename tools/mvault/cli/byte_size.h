// Sizes as people write them: 4096, 64KiB, 1MiB, 1.5MB.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_BYTE_SIZE_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_BYTE_SIZE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace modelvault {

// A number of bytes with an optional unit: B, KB, MB, GB, TB (powers of 1,000), KiB, MiB, GiB, TiB (powers of 1,024);
// case does not matter, and one space may stand before the unit. A fraction is rounded down to whole bytes. "K" and the
// like, which mean either, are refused: kInvalidArgument, as for anything else.
absl::StatusOr<uint64_t> ParseByteSize(absl::string_view text);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_BYTE_SIZE_H_
