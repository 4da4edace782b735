#include "tools/command_options.h"

#include <memory>

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

void AddNamesArgument(CLI::App* command, std::vector<std::string>* names, bool required, const std::string& help) {
  // Not a vector of arguments: CLI11 would take "[a,b]", a name like any other, for a list of two.
  const auto first = std::make_shared<std::string>();
  const CLI::Option* const option =
      command->add_option("NAME", *first, help)->type_name("TEXT ...")->required(required);
  command->allow_extras();
  command->parse_complete_callback([command, names, first, option] {
    if (option->count() > 0) names->push_back(*first);
    for (const std::string& extra : command->remaining()) {
      // No name begins so: this is an option that does not exist.
      if (!extra.empty() && extra.front() == '-') throw CLI::ExtrasError({extra});
      names->push_back(extra);
    }
  });
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
