#include "tests/core_build/emulator_runner.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>
#include <xxhash.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/temp_folder.h"
#include "tools/mvault/board/board_machine.h"

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

// Reads the line "measure key=value …".
BoardModel ParseMeasure(const std::string& output) {
  BoardModel model;
  std::istringstream words(output);
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = word.substr(0, equals), value = word.substr(equals + 1);
    if (key == "status") model.status = value;
    if (key == "bytes") model.bytes = std::stoull(value);
    if (key == "xxh64") model.xxh64 = value;
    if (key == "static_ram") model.static_ram = std::stoull(value);
    if (key == "ram_code") model.ram_code = std::stoull(value);
    if (key == "stack") model.stack = std::stoull(value);
  }
  return model;
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

BoardReport RunOnBoard(const std::map<std::string, std::string>& files, const std::string& pack_options,
                       uint32_t tile_size) {
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
  BoardReport report;
  for (const auto& [name, path] : files) {
    SCOPED_TRACE("variant '" + name + "'");
    const std::string straps = folder.Write("straps", MakeStraps(StrapCommand::kMeasure, name, tile_size));
    const CommandResult ran = Command(std::string(MODELVAULT_RUN_EMULATOR) + " " + MODELVAULT_BOARD_IMAGE + " '" +
                                      vault + "' '" + straps + "' </dev/null");
    EXPECT_EQ(ran.exit_code, 0) << ran.output;
    const BoardModel model = ParseMeasure(ran.output);
    const std::string data = DataSection(ReadFile(path));
    EXPECT_EQ(model.status, "ok") << ran.output;
    EXPECT_EQ(model.bytes, data.size()) << ran.output;
    EXPECT_EQ(model.xxh64, HashOf(data)) << ran.output;
    report[name] = model;
  }
  return report;
}

}  // namespace modelvault
