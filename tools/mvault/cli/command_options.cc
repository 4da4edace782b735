#include "tools/mvault/cli/command_options.h"

#include <filesystem>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tools/mvault/cli/byte_size.h"
#include "tools/mvault/cli/exit_code.h"

namespace modelvault {

void AddJsonFlag(Command* command, bool* json) {
  command->AddFlag("--json", json, "Print one JSON document instead of text");
}

void AddThreadsOption(Command* command, int* threads) {
  command->AddOption("--threads", threads, "Threads to use; 0: one a core").TypeName("N").Range(0, 1024).ShowDefault();
}

Option AddSizeOption(Command* command, const std::string& name, std::optional<uint64_t>* size,
                     const std::string& help) {
  const auto take = [size](const std::string& text) {
    const absl::StatusOr<uint64_t> parsed = ParseByteSize(text);
    if (!parsed.ok()) return std::string(parsed.status().message());
    *size = *parsed;
    return std::string();
  };
  return command->AddOption(name, take, help).TypeName("SIZE");
}

void SetFooter(Command* command, const std::string& examples, const std::string& notes) {
  command->SetFooter(absl::StrCat(notes, notes.empty() ? "" : "\n\n", "Examples:\n", examples, "\n", kExitCodesHelp));
}

bool SameFile(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

}  // namespace modelvault
