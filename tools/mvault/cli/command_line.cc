#include "tools/mvault/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <memory>

namespace modelvault {

Option& Option::TypeName(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::Required() {
  option_->required();
  return *this;
}

Option& Option::ShowDefault() {
  option_->capture_default_str();
  return *this;
}

Option& Option::OneValue() {
  option_->allow_extra_args(false);
  return *this;
}

// Without their descriptions: --help has a line for an option, and the type's name says enough.

Option& Option::Range(int least, int most) {
  option_->check(CLI::Range(least, most).description(""));
  return *this;
}

Option& Option::Range(double least, double most) {
  option_->check(CLI::Range(least, most).description(""));
  return *this;
}

Option& Option::OneOf(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values).description(""));
  return *this;
}

Option& Option::Check(const std::function<std::string(const std::string& text)>& check) {
  option_->check(check);
  return *this;
}

Command Command::AddCommand(const std::string& name, const std::string& help) {
  return Command(app_->add_subcommand(name, help));
}

Option Command::AddOption(const std::string& name, std::string* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Command::AddOption(const std::string& name, std::vector<std::string>* values, const std::string& help) {
  return Option(app_->add_option(name, *values, help));
}

Option Command::AddOption(const std::string& name, int* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Command::AddOption(const std::string& name, unsigned* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Command::AddOption(const std::string& name, uint64_t* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Command::AddOption(const std::string& name, double* value, const std::string& help) {
  return Option(app_->add_option(name, *value, help));
}

Option Command::AddOption(const std::string& name, const std::function<std::string(const std::string& text)>& take,
                          const std::string& help) {
  return Option(app_->add_option_function<std::string>(
      name,
      [name, take](const std::string& text) {
        const std::string wrong = take(text);
        if (!wrong.empty()) throw CLI::ValidationError(name, wrong);
      },
      help));
}

void Command::AddArguments(const std::string& name, std::vector<std::string>* values, bool required,
                           const std::string& help) {
  // Not a vector of arguments: CLI11 would take "[a,b]", a name like any other, for a list of two.
  const auto first = std::make_shared<std::string>();
  const CLI::Option* const option = app_->add_option(name, *first, help)->type_name("TEXT ...")->required(required);
  app_->allow_extras();
  app_->parse_complete_callback([app = app_, values, first, option] {
    if (option->count() > 0) values->push_back(*first);
    for (const std::string& extra : app->remaining()) {
      // No name begins so: this is an option that does not exist.
      if (!extra.empty() && extra.front() == '-') throw CLI::ExtrasError({extra});
      values->push_back(extra);
    }
  });
}

void Command::AddFlag(const std::string& name, bool* value, const std::string& help) {
  app_->add_flag(name, *value, help);
}

// Not app_->help(), which is that of the command in progress.
std::string Command::Help() const {
  return app_->get_formatter()->make_help(app_, app_->get_name(), CLI::AppFormatMode::Normal);
}

std::optional<std::string> Command::HelpOf(const std::string& command) const {
  const CLI::App* const app = app_;
  const std::vector<const CLI::App*> found =
      app->get_subcommands([&](const CLI::App* asked) { return asked->get_name() == command; });
  if (found.empty()) return std::nullopt;
  return found.front()->help(app->get_name());
}

void Command::SetFooter(const std::string& text) { app_->footer(text); }

void Command::OnParsed(const std::function<void()>& function) { app_->callback(function); }

std::optional<int> ParseCommandLine(const std::string& description, const std::function<void(Command& program)>& declare,
                                    int argc, const char* const* argv) {
  CLI::App app(description);
  Command program(&app);
  declare(program);
  if (!app.get_subcommands({}).empty()) app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return std::nullopt;
}

}  // namespace modelvault
