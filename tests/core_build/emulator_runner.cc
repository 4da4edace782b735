#include "tests/core_build/emulator_runner.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>
#include <xxhash.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/temp_folder.h"

namespace modelvault {
namespace {

struct CommandResult {
  int exit_code;
  std::string output;
};

CommandResult Command(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

BoardReport ParseReport(const std::string& output) {
  BoardReport report;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind != "base" && kind != "variant") continue;
    BoardModel model;
    std::string name;
    for (std::string word; words >> word;) {
      const size_t equals = word.find('=');
      if (equals == std::string::npos) continue;
      const std::string key = word.substr(0, equals), value = word.substr(equals + 1);
      if (key == "bytes") model.bytes = std::stoull(value);
      if (key == "hash") model.hash = value;
      if (key == "decode") model.decode_instructions = std::stoull(value);
      if (key == "hashing") model.hashing_instructions = std::stoull(value);
      if (key == "name") name = value;
    }
    report[name] = model;
  }
  return report;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// A safetensors file's bytes after its header.
std::string DataSection(const std::string& file) {
  uint64_t header_size = 0;
  for (int i = 7; i >= 0; --i) header_size = header_size << 8 | static_cast<uint8_t>(file[static_cast<size_t>(i)]);
  return file.substr(8 + static_cast<size_t>(header_size));
}

std::string HashOf(const std::string& bytes) {
  char digits[17];
  snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(XXH64(bytes.data(), bytes.size(), 0)));
  return digits;
}

}  // namespace

BoardReport RunOnBoard(const std::map<std::string, std::string>& files, const std::string& pack_options) {
  const TempFolder folder;
  const std::string vault = folder.File("test.mvlt");
  std::string pack =
      std::string(MODELVAULT_PROGRAM) + " pack --base '" + files.at("") + "' -o '" + vault + "' " + pack_options;
  for (const auto& [name, path] : files) {
    if (!name.empty()) pack += " --variant '" + name + "=" + path + "'";
  }
  const CommandResult packed = Command(pack);
  EXPECT_EQ(packed.exit_code, 0) << pack << "\n" << packed.output;
  if (packed.exit_code != 0) return {};
  const CommandResult ran =
      Command(std::string(MODELVAULT_RUN_EMULATOR) + " " + MODELVAULT_EMULATOR_IMAGE + " '" + vault + "'");
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_NE(ran.output.find("\ndone\n"), std::string::npos) << ran.output;
  const BoardReport report = ParseReport(ran.output);
  EXPECT_EQ(report.size(), files.size()) << ran.output;
  for (const auto& [name, path] : files) {
    const auto found = report.find(name);
    if (found == report.end()) {
      ADD_FAILURE() << "the board did not report '" << name << "'\n" << ran.output;
      continue;
    }
    const std::string data = DataSection(ReadFile(path));
    EXPECT_EQ(found->second.bytes, data.size()) << "'" << name << "'";
    EXPECT_EQ(found->second.hash, HashOf(data)) << "'" << name << "'";
  }
  const size_t memory = ran.output.find("memory ");
  if (memory != std::string::npos) {
    printf("%s\n", ran.output.substr(memory, ran.output.find('\n', memory) - memory).c_str());
  }
  return report;
}

}  // namespace modelvault
