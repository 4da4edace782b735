// --sample: how much of each model commands read that estimate.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_SAMPLE_OPTION_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_SAMPLE_OPTION_H_

#include <cstdint>
#include <optional>

#include "tools/mvault/cli/command_line.h"

namespace modelvault {

// kMinSampleSize to kMaxSampleSize. `sample` must outlive the parsing.
void AddSampleOption(Command* command, std::optional<uint64_t>* sample);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_SAMPLE_OPTION_H_
