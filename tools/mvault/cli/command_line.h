// The command lines of our programs: CLI11, kept behind this header. That library is all headers, whose constants are
// built anew in each file that includes them, 5 seconds of compiling; so only command_line.cc and program.cc do.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_COMMAND_LINE_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_COMMAND_LINE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace modelvault {

// One option or argument; a handle, valid as long as the parser. Functions return it, so that they can be chained.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option& TypeName(const std::string& name);  // What --help calls its value.
  Option& Required();
  Option& ShowDefault();  // In --help: what the variable holds now.
  Option& OneValue();     // Of those that take many: one each time it is given.
  Option& Range(int least, int most);
  Option& Range(double least, double most);
  Option& OneOf(const std::vector<std::string>& values);
  // `check` returns what is wrong with the text, or nothing.
  Option& Check(const std::function<std::string(const std::string& text)>& check);

 private:
  CLI::Option* option_;
};

// A program or one of its commands; a handle, like Option. Names are "--long", "-s,--long", or "NAME" for an argument
// that goes by its place. Variables must outlive the parsing.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  Command AddCommand(const std::string& name, const std::string& help);

  Option AddOption(const std::string& name, std::string* value, const std::string& help);
  Option AddOption(const std::string& name, std::vector<std::string>* values, const std::string& help);
  Option AddOption(const std::string& name, int* value, const std::string& help);
  Option AddOption(const std::string& name, unsigned* value, const std::string& help);
  Option AddOption(const std::string& name, uint64_t* value, const std::string& help);
  Option AddOption(const std::string& name, double* value, const std::string& help);
  // `take` is given the text, and returns what is wrong with it, or nothing.
  Option AddOption(const std::string& name, const std::function<std::string(const std::string& text)>& take,
                   const std::string& help);
  // Any number of texts in the place of arguments, at least one if `required`. Must be the last argument declared.
  void AddArguments(const std::string& name, std::vector<std::string>* values, bool required, const std::string& help);
  void AddFlag(const std::string& name, bool* value, const std::string& help);

  std::string Help() const;
  // Nothing if there is no such command.
  std::optional<std::string> HelpOf(const std::string& command) const;

  // At the end of --help.
  void SetFooter(const std::string& text);
  // Called once its command line has been parsed.
  void OnParsed(const std::function<void()>& function);

 private:
  CLI::App* app_;
};

// Parses a program's command line, for which `declare` declares what it takes; of the commands, if it declares any, one
// must be given. Returns nothing if the program is to go on, else its exit code: 0, and help was printed, or 2, and what
// is wrong was.
std::optional<int> ParseCommandLine(const std::string& description, const std::function<void(Command& program)>& declare,
                                    int argc, const char* const* argv);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_COMMAND_LINE_H_
