// Options that several subcommands share.
#ifndef MODELVAULT_TOOLS_COMMAND_OPTIONS_H_
#define MODELVAULT_TOOLS_COMMAND_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace modelvault {

// The results must outlive the parsing.
void AddJsonFlag(CLI::App* command, bool* json);
void AddVaultArgument(CLI::App* command, std::string* vault);
// Any number of names, at least one if `required`. Must be the last argument declared.
void AddNamesArgument(CLI::App* command, std::vector<std::string>* names, bool required, const std::string& help);
// 0 … 1,024; 0 means one a core.
void AddThreadsOption(CLI::App* command, int* threads);
// A size as ParseByteSize takes it.
CLI::Option* AddSizeOption(CLI::App* command, const std::string& name, std::optional<uint64_t>* size,
                           const std::string& help);

// Examples and exit codes at the end of the command's --help. `examples` is one command line a line.
void SetFooter(CLI::App* command, const std::string& examples, const std::string& notes = "");

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_COMMAND_OPTIONS_H_
