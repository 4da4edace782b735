// What a model is asked, from the command line, files and standard input.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_RUN_INPUT_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_RUN_INPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "vault/file_system.h"

namespace modelvault {

// All of standard input but for one line end at its end. kResourceExhausted above a MiB.
absl::StatusOr<std::string> ReadStandardInput();

// `count` numbers with commas or white space between them, times 2^16, to the nearest: `text` itself, or the file that
// it names. kInvalidArgument, with which number of which file, for one that is none or not below 32,768; for others
// than `count`.
absl::StatusOr<std::vector<int32_t>> ReadFeatures(FileSystem& file_system, const std::string& text, size_t count);

// Such numbers as decimals with spaces between them, as short as they can be without changing a value.
std::string FeatureText(absl::Span<const int32_t> features);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_RUN_INPUT_H_
