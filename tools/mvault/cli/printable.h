// Text from files and arguments in a form that cannot disturb a terminal.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_PRINTABLE_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_PRINTABLE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace modelvault {

// `text` with control characters (line ends too), marks that change the direction of writing, and whatever is not UTF-8
// written as \xNN, byte by byte. Other text, backslashes included, stays as it is.
std::string Printable(absl::string_view text);

// The same for text of several lines, which stay lines: those after the first are indented, so that none can pass for
// another message. Ends with a line end.
std::string PrintableLines(absl::string_view text);

// Characters in `printable`, for aligning columns. Combining and double-width ones count as one.
size_t CharacterCount(absl::string_view printable);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_PRINTABLE_H_
