// The library's binary interface is the one that is written down: what it exports, what its header declares, where
// members lie. A break is thus a change of abi.txt that somebody has to defend.
//   MODELVAULT_UPDATE_ABI=1 build/tests/restore/c_api/c_abi_test
// writes it anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace modelvault {
namespace {

// What a command prints.
std::string OutputOf(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  EXPECT_NE(pipe, nullptr) << command;
  std::string output;
  std::array<char, 4096> block;
  while (const size_t count = fread(block.data(), 1, block.size(), pipe.get())) output.append(block.data(), count);
  EXPECT_NE(output, "") << command;
  return output;
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.good()) << path;
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// The shared library's dynamic symbols that it defines, with their version: "mv_code_name@@MODELVAULT_0.1".
std::vector<std::string> Exports() {
  const std::string output =
      OutputOf(absl::StrCat(MODELVAULT_NM, " -D --defined-only --with-symbol-versions ", MODELVAULT_LIBRARY));
  std::vector<std::string> names;
  for (const absl::string_view line : absl::StrSplit(output, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() == 3 && words[1] != "A") names.push_back(words[2]);  // A: the versions themselves.
  }
  return names;
}

// The header's declarations, one a line, without comments and preprocessor lines.
std::string Declarations() {
  std::string code;
  const std::string text = ReadText(MODELVAULT_HEADER);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "/*") == 0) {
      i = text.find("*/", i) + 1;
    } else if (text[i] == '#') {
      i = text.find('\n', i);
    } else {
      code += absl::ascii_isspace(static_cast<unsigned char>(text[i])) ? ' ' : text[i];
    }
  }
  absl::RemoveExtraAsciiWhitespace(&code);
  std::string declarations;
  int depth = 0;  // Of braces; extern "C" is around everything.
  for (const char c : code) {
    if (c == ' ' && absl::EndsWith(declarations, "\n")) continue;
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    declarations += c;
    if ((c == ';' || c == '{') && depth == 1) declarations += '\n';
  }
  return absl::StrCat(declarations, "\n");
}

std::string Interface() {
  std::string interface = absl::StrCat("soname: ", OutputOf(absl::StrCat(MODELVAULT_OBJDUMP, " -p ", MODELVAULT_LIBRARY,
                                                                         " | sed -n 's/^ *SONAME *//p'")));
  for (const std::string& name : Exports()) absl::StrAppend(&interface, "exported: ", name, "\n");
  return absl::StrCat(interface, "\n", OutputOf(MODELVAULT_PRINT_ABI), "\n", Declarations());
}

TEST(CAbiTest, ExportsNothingButItsOwnNames) {
  const std::vector<std::string> exports = Exports();
  EXPECT_FALSE(exports.empty());
  for (const std::string& name : exports) EXPECT_TRUE(absl::StartsWith(name, "mv_")) << name;
}

TEST(CAbiTest, ExportsEveryFunctionThatTheHeaderDeclares) {
  const std::string declarations = Declarations();
  size_t functions = 0;
  std::vector<std::string> exports;
  for (const std::string& name : Exports()) exports.push_back(name.substr(0, name.find('@')));
  for (const absl::string_view line : absl::StrSplit(declarations, '\n', absl::SkipEmpty())) {
    if (absl::StartsWith(line, "typedef") || absl::StartsWith(line, "enum") || !absl::StrContains(line, '(')) continue;
    const absl::string_view before = line.substr(0, line.find('('));
    const size_t begin = before.find_last_of(" *");
    EXPECT_THAT(exports, testing::Contains(std::string(before.substr(begin + 1)))) << line;
    ++functions;
  }
  EXPECT_EQ(functions, exports.size());
}

TEST(CAbiTest, IsTheOneThatIsWrittenDown) {
  const std::string interface = Interface();
  if (std::getenv("MODELVAULT_UPDATE_ABI") != nullptr) std::ofstream(MODELVAULT_ABI) << interface;
  EXPECT_EQ(interface, ReadText(MODELVAULT_ABI))
      << "docs/c-api.md, \"What stays as it is\", says which changes may be made. If this is one of them: "
         "MODELVAULT_UPDATE_ABI=1 "
      << MODELVAULT_THIS_TEST;
}

}  // namespace
}  // namespace modelvault
