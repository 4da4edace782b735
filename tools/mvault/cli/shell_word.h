// Command lines that are printed for users to copy.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_SHELL_WORD_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_SHELL_WORD_H_

#include <string>

#include "absl/strings/string_view.h"

namespace modelvault {

// `text` as one word of a shell, quoted where it needs to be. What Printable() would escape is written as $'\xNN',
// which disturbs no terminal and is the same text to the shells that know it.
std::string ShellWord(absl::string_view text);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_SHELL_WORD_H_
