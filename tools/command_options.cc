#include "tools/command_options.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tools/byte_size.h"
#include "tools/exit_code.h"

namespace modelvault {

void AddJsonFlag(CLI::App* command, bool* json) {
  command->add_flag("--json", *json, "Print one JSON document instead of text");
}

void AddVaultArgument(CLI::App* command, std::string* vault) {
  command->add_option("VAULT", *vault, "The vault's file")->required();
}

CLI::Option* AddNamesArgument(CLI::App* command, std::vector<std::string>* names, const std::string& help) {
  // Without extra arguments "[a,b]" is a name like any other, not a list.
  return command->add_option("NAME", *names, help)->allow_extra_args(false);
}

void AddThreadsOption(CLI::App* command, int* threads) {
  command->add_option("--threads", *threads, "Threads to use; 0: one a core")
      ->type_name("N")
      ->check(CLI::Range(0, 1024).description(""))
      ->capture_default_str();
}

CLI::Option* AddSizeOption(CLI::App* command, const std::string& name, std::optional<uint64_t>* size,
                           const std::string& help) {
  return command
      ->add_option_function<std::string>(
          name,
          [size, name](const std::string& text) {
            const absl::StatusOr<uint64_t> parsed = ParseByteSize(text);
            if (!parsed.ok()) throw CLI::ValidationError(name, std::string(parsed.status().message()));
            *size = *parsed;
          },
          help)
      ->type_name("SIZE");
}

void SetFooter(CLI::App* command, const std::string& examples, const std::string& notes) {
  command->footer(absl::StrCat(notes, notes.empty() ? "" : "\n\n", "Examples:\n", examples, "\n", kExitCodesHelp));
}

}  // namespace modelvault
