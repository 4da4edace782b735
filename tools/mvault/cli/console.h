// Where a command's words go: results to standard output, everything else to standard error.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_CONSOLE_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_CONSOLE_H_

#include <stdio.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"
#include "tools/mvault/cli/progress.h"

namespace modelvault {

using Json = nlohmann::ordered_json;

// Not thread-safe.
class Console {
 public:
  // Both streams must outlive it.
  Console(FILE* out, FILE* err) : out_(out), err_(err), progress_(err) {}

  // Writes `text`, whose strings from elsewhere have gone through Printable(), to standard output.
  void Print(absl::string_view text);
  // The same, for someone who waits for it.
  void PrintNow(absl::string_view text);
  // Writes the one JSON document of a command with --json. Everything but ASCII is escaped.
  void PrintJson(const Json& json);

  // Writes "mvault: error: " and the message, made printable, as one line to standard error.
  void PrintError(const absl::Status& status);
  // The same with "note": something that the user should know and that is no failure.
  void PrintNote(absl::string_view text);
  // The same with "warning": all was done, but not as it should have been.
  void PrintWarning(absl::string_view text);
  // Like PrintError() for memory that ran out, without asking for any.
  void PrintOutOfMemory();

  Progress& progress() { return progress_; }

  // Ends the output. kUnavailable if any of it could not be written: a pipe that closed, a full disk.
  absl::Status Flush();

 private:
  void PrintLine(absl::string_view kind, absl::string_view text);

  FILE* const out_;
  FILE* const err_;
  Progress progress_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_CONSOLE_H_
