#include "tools/mvault/commands/sample_option.h"

#include <string>

#include "absl/status/statusor.h"
#include "tools/mvault/cli/byte_size.h"
#include "tools/packing/model_sample.h"

namespace modelvault {

void AddSampleOption(Command* command, std::optional<uint64_t>* sample) {
  const auto take = [sample](const std::string& text) -> std::string {
    const absl::StatusOr<uint64_t> parsed = ParseByteSize(text);
    if (!parsed.ok()) return std::string(parsed.status().message());
    if (*parsed < kMinSampleSize || *parsed > kMaxSampleSize) return "--sample: expected 4KiB to 64MiB";
    *sample = *parsed;
    return "";
  };
  command->AddOption("--sample", take, "Bytes to read of each model: 4KiB to 64MiB; default 1MiB").TypeName("SIZE");
}

}  // namespace modelvault
