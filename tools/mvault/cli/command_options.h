// Options that several subcommands share.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_COMMAND_OPTIONS_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_COMMAND_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/mvault/cli/command_line.h"

namespace modelvault {

// The results must outlive the parsing.
void AddJsonFlag(Command* command, bool* json);
// 0 … 1,024; 0 means one a core.
void AddThreadsOption(Command* command, int* threads);
// A size as ParseByteSize takes it.
Option AddSizeOption(Command* command, const std::string& name, std::optional<uint64_t>* size, const std::string& help);

// Examples and exit codes at the end of the command's --help. `examples` is one command line a line.
void SetFooter(Command* command, const std::string& examples, const std::string& notes = "");

// Whether `a` and `b` name one existing file.
bool SameFile(const std::string& a, const std::string& b);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_COMMAND_OPTIONS_H_
