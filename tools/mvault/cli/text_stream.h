// Text that comes in pieces, in a form that cannot disturb a terminal.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_TEXT_STREAM_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_TEXT_STREAM_H_

#include <string>

#include "absl/strings/string_view.h"

namespace modelvault {

// As Printable(), but for line ends, which stay; characters may come in parts.
class TextStream {
 public:
  // What is to be printed now: all of what has come but the first bytes of a character whose others are to come.
  std::string Add(absl::string_view piece);
  // The rest.
  std::string Finish();

 private:
  std::string held_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_TEXT_STREAM_H_
