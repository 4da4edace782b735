#include "tools/mvault/cli/console.h"

#include <errno.h>
#include <string.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tools/mvault/cli/printable.h"

namespace modelvault {

void Console::Print(absl::string_view text) {
  progress_.Clear();
  fwrite(text.data(), 1, text.size(), out_);  // Flush() finds out about errors.
}

void Console::PrintNow(absl::string_view text) {
  Print(text);
  fflush(out_);  // Again, Flush() finds out about errors.
}

void Console::PrintJson(const Json& json) {
  Print(absl::StrCat(json.dump(/*indent=*/2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace), "\n"));
}

void Console::PrintError(const absl::Status& status) { PrintLine("error", status.message()); }

void Console::PrintNote(absl::string_view text) { PrintLine("note", text); }

void Console::PrintWarning(absl::string_view text) { PrintLine("warning", text); }

void Console::PrintLine(absl::string_view kind, absl::string_view text) {
  progress_.Clear();
  const std::string line = absl::StrCat("mvault: ", kind, ": ", PrintableLines(text));
  fwrite(line.data(), 1, line.size(), err_);
}

void Console::PrintOutOfMemory() {
  progress_.Clear();
  fputs("mvault: error: out of memory\n", err_);
}

absl::Status Console::Flush() {
  progress_.Clear();
  errno = 0;
  if (fflush(out_) == 0 && ferror(out_) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("standard output: ", errno != 0 ? strerror(errno) : "write failed"));
}

}  // namespace modelvault
